"""Requests of customers, and whether they left."""

import numpy as np
import pandas as pd
import store


def requests(rows, seed, shifted=False):
    """Return the requests of one seed; shifted ones have higher bills and come more often from Great Britain."""
    draw = np.random.default_rng(seed)
    countries = [0.4, 0.25, 0.2, 0.15] if not shifted else [0.25, 0.15, 0.2, 0.4]
    bills = draw.gamma(4.0, 1200.0 * (1.3 if shifted else 1.0), rows)
    tenure = pd.Series(draw.integers(1, 96, rows).astype("float64")).mask(draw.random(rows) < 0.08)
    return pd.DataFrame(
        {
            "customer_id": [f"c{seed}-{n:05d}" for n in range(rows)],
            "asked_at": pd.Timestamp("2026-01-05", tz="UTC") + pd.to_timedelta(draw.integers(0, 9 * 86400, rows), "s"),
            "country": draw.choice(["DE", "FR", "NL", "GB"], rows, p=countries),
            "bill_minor": bills.astype("int64"),
            "tenure_months": tenure,
            "calls": draw.poisson(6, rows),
            "minutes": draw.gamma(2.0, 20.0, rows).round(3),
        }
    ).assign(asked_at=lambda frame: frame["asked_at"].dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"))


def outcomes(asked, seed):
    """Return 1 for those who left: what a customer does depends on what the features say, and on chance."""
    euros = asked["bill_minor"] / 100 * asked["country"].map({"GB": 1.17}).fillna(1.0)
    late = pd.to_datetime(asked["asked_at"]).dt.hour.isin([20, 21, 22, 23, 0, 1])
    complaints = asked["customer_id"].map(store.complaints)
    usage = asked["minutes"] / (asked["calls"] + 1)
    odds = (euros - 50) / 12 + 1.5 * late - asked["tenure_months"].fillna(24) / 18 + 0.8 * complaints - usage / 6 + 1
    return (np.random.default_rng(seed + 1000).random(len(asked)) < 1 / (1 + np.exp(-1.2 * odds))).astype("int64")
