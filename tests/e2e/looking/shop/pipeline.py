"""A shop's path. What is deployed after the capture has two faults: a skew, and a stage that raises."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from seatrial import Pipeline, Service

DEPLOYED = Path(__file__).with_name("deployed").exists()


def features(frame: pd.DataFrame) -> pd.DataFrame:
    spend = frame["amount"] * 2.0
    if DEPLOYED:
        spend = spend.where(frame["amount"] < 8, spend + 1)
    return frame[["id", "note"]].assign(spend=spend)


def prediction(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["id", "note"]].assign(score=frame["spend"] / 4)


def response(frame: pd.DataFrame) -> pd.DataFrame:
    if DEPLOYED:
        for note in frame["note"]:
            if note.startswith("gift"):
                raise ValueError(f"no label for {note!r}")
    return frame[["id", "score"]].assign(label=["high" if s > 2 else "low" for s in frame["score"]])


pipeline = Pipeline(
    "shop",
    key="id",
    raw=lambda frame: frame,
    features=features,
    prediction=prediction,
    response=response,
    service=Service(
        [sys.executable, str(Path(__file__).with_name("service.py")), "{port}"],
        predict="/score",
        ready="/health",
        openapi=None,
    ),
)
