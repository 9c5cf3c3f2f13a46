"""The linear model as a path in process."""

import pandas as pd

from seatrial.pipeline import Pipeline


def points(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the points as they arrive."""
    return frame


def linear(frame: pd.DataFrame) -> pd.DataFrame:
    """Return y = 2a + 3b − 1 beside the key."""
    return pd.DataFrame({"id": frame["id"], "y": 2 * frame["a"] + 3 * frame["b"] - 1})


def pipeline(service=None) -> Pipeline:
    """Return the path, served or not."""
    return Pipeline("linear", key="id", points=points, prediction=linear, service=service)
