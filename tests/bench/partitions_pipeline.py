"""The path whose validation by partition is measured; whoever runs it imports nothing of the judge."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

from seatrial import Pipeline

COLUMNS = 20
NAMES = [f"f{n}" for n in range(COLUMNS)]


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of the requests without nulls."""
    return frame.fillna(0.0)


def features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return as many features, each computed from a number."""
    return pd.DataFrame({"id": frame["id"], **{name: np.log1p(np.abs(frame[name])) for name in NAMES}})


def linear(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the prediction of a linear model with a link."""
    score = frame[NAMES].to_numpy() @ np.linspace(-1, 1, COLUMNS)
    return pd.DataFrame({"id": frame["id"], "score": 1 / (1 + np.exp(-score)), "label": score > 0})


@functools.cache
def _trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    known = np.abs(rng.normal(size=(5_000, COLUMNS)))
    return HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(known, known.sum(axis=1) > COLUMNS * 0.8)


def trees(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the prediction of boosted trees."""
    score = _trees().predict_proba(frame[NAMES].to_numpy())[:, 1]
    return pd.DataFrame({"id": frame["id"], "score": score, "label": score > 0.5})


MODELS = {"linear": linear, "trees": trees}


def pipeline(model: str) -> Pipeline:
    """Return the path with a model."""
    return Pipeline("bench", key="id", raw=parse, features=features, prediction=MODELS[model])
