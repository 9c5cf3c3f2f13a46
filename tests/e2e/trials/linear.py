"""A payments-like path written by hand: scaler, imputer, category index, an array model, top reasons, a numeric id.

The payments example keeps its encoder inside the model and sorts nothing; the faults of such code are injected here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from seatrial import Dependency, Pipeline

INPUTS = ["log_amount", "account_age", "device", "hour", "fortnight", "abroad", "chargebacks"]
DEVICES = {"android": 0, "ios": 1, "web": 2, "other": 3}
REASONS = 2
FIRST_CASE = 9_007_199_254_740_993  # 2^53 + 1


def half_up(x):
    return np.floor(x + 0.5)


def in_order(frame: pd.DataFrame) -> np.ndarray:
    return frame[INPUTS].to_numpy("float64")


@dataclass(frozen=True)
class Preparation:
    """What training learnt, and the operators that a release can get wrong."""

    amount: tuple[float, float]  # mean and standard deviation of log_amount
    age: float  # median account age, days
    unknown_device: int = -1
    rounded: Callable[[np.ndarray], np.ndarray] = half_up
    array: Callable[[pd.DataFrame], np.ndarray] = in_order
    scales: bool = True

    @classmethod
    def fitted(cls, features: pd.DataFrame) -> Preparation:
        return cls(
            (float(features["log_amount"].mean()), float(features["log_amount"].std())),
            float(features["account_age_days"].median()),
        )

    def __call__(self, features: pd.DataFrame) -> pd.DataFrame:
        mean, deviation = self.amount if self.scales else (0.0, 1.0)
        values = pd.DataFrame(
            {
                "log_amount": (features["log_amount"] - mean) / deviation,
                "account_age": features["account_age_days"].fillna(self.age) / 365,
                "device": [DEVICES.get(d, self.unknown_device) for d in features["device"]],
                "hour": features["hour"],
                "fortnight": self.rounded(features["payments_30d"].to_numpy("float64") / 2),
                "abroad": features["abroad"],
                "chargebacks": features["chargebacks"],
            }
        )
        out = pd.DataFrame(self.array(values), columns=INPUTS)
        out.insert(0, "transaction_id", features["transaction_id"].to_numpy())
        out["transaction_id"] = out["transaction_id"].astype("string")
        return out.assign(amount_ratio=features["amount_ratio"].to_numpy())


def score(frame: pd.DataFrame, model) -> pd.DataFrame:
    rows = frame[INPUTS].to_numpy()
    return frame.assign(score=model.predict_proba(rows)[:, 1] if len(rows) else np.empty(0))


def explain(frame: pd.DataFrame, *, ascending: bool = False) -> pd.DataFrame:
    """Postprocess: the score, and the names of the features that are largest, the largest first."""
    values = in_order(frame)
    order = np.argsort(values if ascending else -values, axis=1, kind="stable")[:, :REASONS]
    reasons = [[INPUTS[i] for i in row] for row in order]
    kept = frame[["transaction_id", "amount_ratio", "score"]]
    return kept.assign(reasons=pd.Series(reasons, index=frame.index, dtype="object"))


def answer(frame: pd.DataFrame) -> pd.DataFrame:
    """Response: no number is missing, and the case is text, as JavaScript reads integers as float64."""
    return numeric_case(frame).assign(case=lambda f: f["case"].astype("string"))


def numeric_case(frame: pd.DataFrame) -> pd.DataFrame:
    case = frame["transaction_id"].str[-6:].astype("int64") + FIRST_CASE
    return frame.assign(case=case, score=frame["score"].round(4), amount_ratio=frame["amount_ratio"].fillna(0.0))


def stages(serving, preparation: Preparation, **operators) -> dict[str, Callable]:
    """The stages in order, the preparation changed by ``operators``."""
    prepare = replace(preparation, **operators)

    def features(frame: pd.DataFrame, store) -> pd.DataFrame:
        return prepare(serving.build_features(frame, store))

    return {
        "raw": serving.parse,
        "features": features,
        "prediction": score,
        "postprocess": explain,
        "response": answer,
    }


def make(functions: dict[str, Callable], store: Dependency) -> Pipeline:
    return Pipeline("payments-linear", key="transaction_id", model=lambda path: path, dependencies=[store], **functions)
