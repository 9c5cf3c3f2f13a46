"""A small pipeline over JSON payloads, with every kind of column a fixture has to imitate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from seatrial import Pipeline, Reference, capture

BIG = 2**53 + 1
COUNTRIES = {"DE": ("EUR", "+01:00"), "US": ("USD", "-05:00"), "NA": ("NAD", "+02:00")}


def requests(rows: int = 1_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    country = rng.choice(list(COUNTRIES), rows, p=[0.5, 0.4, 0.1])
    amount = np.round(rng.lognormal(3, 1, rows), 2)
    when = np.datetime64("2025-03-01T00:00:00") + rng.integers(0, 60 * 86_400, rows).astype("timedelta64[s]")
    records = [
        {
            "id": f"t{n:06d}",
            "customer": int(BIG + 2 * rng.integers(0, 40)),
            "amount": float(amount[n]),
            "fee": float(np.round(amount[n] * 0.02 + rng.random(), 2)),
            "country": str(country[n]),
            "currency": COUNTRIES[country[n]][0],
            "time": f"{when[n]}{COUNTRIES[country[n]][1]}",
            "postcode": f"{rng.integers(0, 100_000):05d}",
            "device": [None, "ios", "web"][rng.choice(3, p=[0.2, 0.5, 0.3])],
            "items": int(rng.poisson(3)),
            "vip": bool(rng.random() < 0.1),
        }
        for n in range(rows)
    ]
    return pd.DataFrame({"payload": [json.dumps(r, ensure_ascii=False) for r in records]})


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    out = pd.DataFrame([json.loads(p) for p in frame["payload"]])
    return out.astype({"customer": "Int64"})


def score(frame: pd.DataFrame) -> pd.DataFrame:
    risk = 1 / (1 + np.exp(-(np.log1p(frame["amount"]) - 4 + 2 * (frame["country"] == "NA"))))
    return pd.DataFrame({"id": frame["id"], "risk": risk})


def decide(frame: pd.DataFrame) -> pd.DataFrame:
    answers = []
    for risk in frame["risk"]:
        if risk > 0.9:
            answers.append("decline")
        elif risk > 0.5:
            answers.append("review")
        else:
            answers.append("approve")
    return frame.assign(answer=answers)


def pipeline() -> Pipeline:
    return Pipeline("shop", key="id", raw=parse, prediction=score, response=decide)


def reference(rows: int = 1_000, seed: int = 0) -> Reference:
    return capture(pipeline(), requests(rows, seed), seed=seed)


SYNTHETIC = {
    "source": "copula",
    "rows": 800,
    "seed": 5,
    "payload": "payload",
    "combinations": [["country", "currency", "time.offset"]],
    "constraints": ["fee < amount + 2"],
    "max_distance": 0.12,
}
FAKE = {
    "source": "fake",
    "rows": 300,
    "seed": 5,
    "payload": "payload",
    "columns": {
        "id": {"sequence": "f{:06d}"},
        "name": {"provider": "name", "locale": "de_DE", "distinct": 50},
        "amount": {"like": "amount", "decimals": 2},
        "fee": {"like": "fee", "follows": "amount", "rho": 0.9},
        "country": {"like": "country"},
        "currency": {"provider": "currency_code", "given": "country"},
        "device": {"like": "device", "given": "country"},
        "double": {"formula": "amount * 2"},
        "plan": {"values": ["basic", "pro"], "weights": [3, 1]},
    },
}
