"""The path of a small churn model, captured by an old stack and judged by ours: columns of every usual type."""

import datetime
import json

import numpy as np
import pandas as pd

from seatrial import Dependency, Pipeline

ROWS = 120
CENTURY = 3_155_695_200  # seconds


class Accounts:
    """A client of what is known of customers."""

    def __init__(self, url):
        self.url = url

    def tiers(self, customers):
        """A frame by key, with a category, an optional integer and a time."""
        numbers = [int(c[1:]) for c in customers]
        return pd.DataFrame(
            {
                "customer": list(customers),
                "tier": pd.Categorical(["gold" if n % 3 else "iron" for n in numbers], categories=["iron", "gold"]),
                "visits": pd.array([None if n % 7 == 0 else n for n in numbers], dtype="Int64"),
                "since": pd.to_datetime([86_400 * n + 1 for n in numbers], unit="s", utc=True),
            }
        )

    def notes(self, customers):
        """A mapping of lists."""
        return {c: [c.lower(), f"{c}?"] for c in customers}

    def currency(self):
        """A plain answer."""
        return {"code": "EUR", "digits": 2}


def raw(frame):
    """Type the requests."""
    rows = [json.loads(text) for text in frame["payload"]]
    return pd.DataFrame(
        {
            "id": frame["id"],
            "customer": [r["customer"] for r in rows],
            "amount": [r["amount"] for r in rows],
            "count": np.array([r["count"] for r in rows], dtype="int32"),
            "active": [r["active"] for r in rows],
            "optional": pd.array([r["active"] if r["count"] else None for r in rows], dtype="boolean"),
            "at": pd.to_datetime([r["at"] for r in rows], utc=True).tz_convert("Europe/Berlin"),
            "offset": pd.to_datetime([r["at"] for r in rows], utc=True).tz_convert(
                datetime.timezone(datetime.timedelta(hours=-3))
            ),
            "precise": np.array([r["count"] for r in rows], dtype="M8[ns]"),
            "born": np.array([CENTURY * -r["count"] for r in rows], dtype="M8[s]").astype("M8[ms]"),
            "day": [datetime.date.fromisoformat(r["at"][:10]) for r in rows],
            "tags": [r["tags"] for r in rows],
            "extra": [r["extra"] for r in rows],
            "comment": [r["comment"] for r in rows],
            "half": np.array([r["amount"] for r in rows], dtype="float16"),
        }
    )


def features(frame, accounts):
    """Join what the accounts know."""
    known = accounts.tiers(frame["customer"].drop_duplicates())
    notes = accounts.notes(frame["customer"].unique().tolist())
    digits = accounts.currency()["digits"]
    joined = frame[["id", "customer", "amount", "active"]].merge(known, on="customer", validate="many_to_one")
    joined = frame[["id"]].merge(joined, on="id")
    return joined.assign(
        cents=(joined["amount"] * 10**digits).round().astype("int64"),
        small=joined["amount"].astype("float32"),
        age=joined["since"] - pd.Timestamp(0, tz="UTC"),
        notes=[notes[c] for c in joined["customer"]],
        vector=[np.array([a, 2 * a]) for a in joined["amount"]],
        grade=pd.Categorical(
            np.where(joined["amount"] > 50, "high", "low"), categories=["low", "middle", "high"], ordered=True
        ),
    )


def numbers(frame):
    """Return the model's input."""
    return frame[["amount", "cents"]].assign(gold=frame["tier"] == "gold").to_numpy(dtype="float64")


def prediction(frame, model):
    """Return scores."""
    return frame[["id", "tier"]].assign(score=model.predict(numbers(frame)))


def respond(frame):
    """Return what the service answers."""
    return frame[["id"]].assign(score=frame["score"].round(6), label=np.where(frame["score"] > 1, "churns", "stays"))


pipeline = Pipeline(
    "churn",
    key="id",
    raw=raw,
    features=features,
    prediction=prediction,
    response=respond,
    dependencies=[Dependency("accounts", url="accounts://here", connect=Accounts)],
    model=lambda path: None,
)


def requests():
    """Return requests as they arrive."""
    bodies = [
        {
            "customer": f"C{n % 40}",
            "amount": round(0.37 * n + 1 / (n + 1), 4),
            "count": n % 5,
            "active": n % 2 == 0,
            "at": f"2024-{n % 12 + 1:02d}-15T10:{n % 60:02d}:00Z",
            "tags": ["a", "b", None][: n % 4],
            "extra": {"n": n, "of": [n, None]} if n % 3 else {"x": {"y": "é"}},
            "comment": None if n % 11 == 0 else f"no {n}",
        }
        for n in range(ROWS)
    ]
    return pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "payload": [json.dumps(b) for b in bodies]})


def trained():
    """Return the model."""
    from sklearn.linear_model import LinearRegression

    accounts = Accounts("accounts://here")
    frame = features(raw(requests()), accounts)
    return LinearRegression().fit(numbers(frame), np.sqrt(frame["amount"]) / 4)
