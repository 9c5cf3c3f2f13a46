"""A small world of card payments: customers, what they bought, and which payments were fraud. Seeded throughout."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

FIRST_DAY = np.datetime64("2025-03-01T00:00:00")
DAYS = 60
CUSTOMERS = 1_500
FIRST_CUSTOMER = 9_007_199_254_740_993  # 2^53 + 1: the first integer that a float64 cannot hold

# country: currency, hours and minutes from UTC, share of customers
COUNTRIES = {
    "DE": ("EUR", "+01:00", 0.25),
    "GB": ("GBP", "+00:00", 0.18),
    "US": ("USD", "-05:00", 0.22),
    "JP": ("JPY", "+09:00", 0.10),
    "IN": ("INR", "+05:30", 0.10),
    "NA": ("NAD", "+02:00", 0.06),
    "KW": ("KWD", "+03:00", 0.05),
    "BH": ("BHD", "+03:00", 0.04),
}
DECIMALS = {"JPY": 0, "KWD": 3, "BHD": 3}  # ISO 4217; every other currency here has two
EUR = {"EUR": 1.0, "GBP": 1.17, "USD": 0.92, "JPY": 0.0061, "INR": 0.011, "NAD": 0.05, "KWD": 3.0, "BHD": 2.45}
CATEGORIES = {"0763": 0.0, "5411": -0.6, "5541": -0.3, "5732": 0.9, "5812": -0.4, "5944": 1.4, "7995": 1.6}
DEVICES = np.array(["ios", "android", "web", "kiosk", None], dtype=object)
NAMES = [
    "Zoë Müller",
    "Zoe\u0308 Mu\u0308ller",  # the same name with combining marks, as some keyboards send it
    "José Núñez",
    "Nguyễn Thị Hoa",
    "أحمد الصباح",
    "דנה לוי",
    "山田 花子",
    "Siobhán O'Brien",
    "Jennifer Null",
]


def make_customers(seed: int = 0) -> pd.DataFrame:
    """Return the customers, one row each: id, home, opening date, usual amount in EUR, past chargebacks."""
    rng = np.random.default_rng([seed, 0])
    shares = np.array([share for *_, share in COUNTRIES.values()])
    return pd.DataFrame(
        {
            "customer_id": FIRST_CUSTOMER + 2 * np.arange(CUSTOMERS, dtype="int64"),
            "home_country": pd.array(rng.choice(list(COUNTRIES), CUSTOMERS, p=shares), dtype="string"),
            "opened_on": FIRST_DAY.astype("datetime64[s]") - rng.integers(3, 3_000, CUSTOMERS).astype("timedelta64[D]"),
            "usual_amount": np.round(rng.lognormal(3.4, 0.7, CUSTOMERS), 2),
            "chargebacks": rng.poisson(0.12, CUSTOMERS),
        }
    )


def make_history(seed: int = 0) -> pd.DataFrame:
    """Return every payment of the 30 days before the first day: customer_id and amount_eur."""
    rng = np.random.default_rng([seed, 2])
    customers = make_customers(seed)
    paid = customers.loc[customers.index.repeat(rng.poisson(4, CUSTOMERS))]
    euros = np.round(paid["usual_amount"].to_numpy() * rng.lognormal(-0.1, 0.5, len(paid)), 2)
    return pd.DataFrame({"customer_id": paid["customer_id"].to_numpy(), "amount_eur": euros})


def make_payments(rows: int, seed: int) -> pd.DataFrame:
    """Return payments as the warehouse keeps them, one row each, with ``is_fraud`` as it was known weeks later.

    Three in a hundred are guests without a customer_id. Amounts are in minor units of the currency.
    """
    rng = np.random.default_rng([seed, 1])
    customer = make_customers().iloc[rng.integers(0, CUSTOMERS, rows)].reset_index(drop=True)
    guest = rng.random(rows) < 0.03
    home = customer["home_country"].to_numpy(dtype=object)
    country = np.where(rng.random(rows) < 0.08, rng.choice(list(COUNTRIES), rows), home)
    currency = np.array([COUNTRIES[c][0] for c in country], dtype=object)
    euros = customer["usual_amount"].to_numpy() * rng.lognormal(-0.2, 0.9, rows)
    unit = np.array([EUR[c] / 10 ** DECIMALS.get(c, 2) for c in currency])
    local = FIRST_DAY + rng.integers(0, DAYS * 86_400, rows).astype("timedelta64[s]")
    offset = np.array([COUNTRIES[c][1] for c in country], dtype=object)
    postcode = np.array([f"{n:05d}" for n in rng.integers(100, 100_000, rows)], dtype=object)
    device = DEVICES[rng.choice(len(DEVICES), rows, p=[0.36, 0.34, 0.2, 0.02, 0.08])]
    category = rng.choice(list(CATEGORIES), rows, p=[0.04, 0.34, 0.16, 0.14, 0.2, 0.05, 0.07])
    present = rng.random(rows) < np.where(pd.isna(device), 0.9, 0.25)

    night = (local.astype("datetime64[h]").astype("int64") % 24) < 6
    logit = (
        -5.8
        + 1.8 * np.log(euros / customer["usual_amount"].to_numpy())
        + 2.4 * ((country != home) & ~guest)
        + 2.0 * night
        + 1.3 * np.array([CATEGORIES[c] for c in category])
        + 0.9 * (device == "web")
        + 1.2 * guest
        + 0.9 * np.minimum(customer["chargebacks"].to_numpy(), 3)
        + 1.0 * np.char.startswith(postcode.astype(str), "0")
        - 1.2 * present
    )
    return pd.DataFrame(
        {
            "transaction_id": [f"t{seed}-{n:06d}" for n in range(rows)],
            "customer_id": customer["customer_id"].astype("Int64").mask(guest),
            "cardholder": rng.choice(NAMES, rows),
            "amount": np.maximum(1, np.round(euros / unit)).astype("int64"),
            "currency": currency,
            "time": [f"{moment}{zone}" for moment, zone in zip(local, offset, strict=True)],
            "country": country,
            "postcode": postcode,
            "device": device,
            "merchant_category": category,
            "card_present": present,
            "is_fraud": rng.random(rows) < 1 / (1 + np.exp(-logit)),
        }
    )


def make_requests(rows: int, seed: int) -> pd.DataFrame:
    """Return the same payments as they arrived: one column ``payload`` of JSON text, devices null or left out."""
    payments = make_payments(rows, seed).drop(columns="is_fraud").astype(object)
    records = payments.where(payments.notna(), None).to_dict(orient="records")
    for record in records[::2]:
        if record["device"] is None:
            del record["device"]
    return pd.DataFrame({"payload": [json.dumps(r, ensure_ascii=False) for r in records]}, dtype="string")


def make_labels(rows: int, seed: int) -> pd.DataFrame:
    """Return what became of these payments: transaction_id and is_fraud."""
    return make_payments(rows, seed)[["transaction_id", "is_fraud"]]
