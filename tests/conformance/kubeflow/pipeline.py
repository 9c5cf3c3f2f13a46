"""Baskets and their lines: the smallest project with a version that passes and one that fails."""

import pandas as pd

from seatrial import Pipeline, Stage


def lines(frame: pd.DataFrame) -> pd.DataFrame:
    each = frame.loc[frame.index.repeat(frame["items"])].reset_index(drop=True)
    return each[["id"]].assign(line=each.groupby("id").cumcount(), price=each["items"] * 2.0)


pipeline = Pipeline("baskets", key="id", raw=lambda frame: frame, lines=Stage(lines, key=("id", "line")))
