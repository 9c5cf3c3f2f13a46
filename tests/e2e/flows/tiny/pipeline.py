"""A path of three stages round a straight line: the smallest project that validates."""

from __future__ import annotations

import pandas as pd

from seatrial import Pipeline


def features(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"id": frame["id"], "x": frame["x"] * 2.0})


def prediction(frame: pd.DataFrame, model: object) -> pd.DataFrame:
    return pd.DataFrame({"id": frame["id"], "y": model.predict(frame[["x"]])})  # type: ignore[attr-defined]


def load_model(path: str) -> object:
    import mlflow

    return mlflow.sklearn.load_model(path)


pipeline = Pipeline(
    "tiny", key="id", raw=lambda frame: frame, features=features, prediction=prediction, model=load_model
)
