"""Pipelines of other shapes than one row in, one row out, each with bugs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from seatrial import Pipeline, Stage

Frames = Callable[[pd.DataFrame], pd.DataFrame]


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@dataclass(frozen=True)
class Shape:
    """A pipeline by its stages, its requests, and bugs: the stage, the function in its place, and the cause."""

    key: str | tuple[str, ...]
    stages: dict[str, Frames | Stage]
    requests: pd.DataFrame
    bugs: dict[str, tuple[str, Frames, str | None]] = field(default_factory=dict)

    def pipeline(self, **changed: Any) -> Pipeline:
        stages = {
            name: Stage(changed[name], key=stage.key, ordered=stage.ordered)
            if name in changed and isinstance(stage, Stage)
            else changed.get(name, stage)
            for name, stage in self.stages.items()
        }
        return Pipeline("shape", key=self.key, **stages)


RNG = np.random.default_rng(7)
AMOUNTS = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "amount": RNG.normal(10, 20, 40)})


def paid(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["amount"] > 0].reset_index(drop=True)


def doubled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(double=frame["amount"] * 2)


FILTER = Shape(
    "id", {"raw": same, "paid": paid, "response": doubled}, AMOUNTS,
    {
        "too few": ("paid", lambda f: f[f["amount"] > 5].reset_index(drop=True), "missing-keys"),
        "too many": ("paid", lambda f: f[f["amount"] > -5].reset_index(drop=True), "extra-keys"),
        "wrong value": ("response", lambda f: f.assign(double=f["amount"] * 3), None),
    },
)  # fmt: skip

BASKETS = pd.DataFrame({"user": [f"u{n % 9}" for n in range(30)], "asked_at": range(30), "basket": range(2, 32)})


def candidates(frame: pd.DataFrame) -> pd.DataFrame:
    wide = frame.loc[frame.index.repeat(3)].reset_index(drop=True)
    item = np.tile(np.arange(3), len(frame))
    return wide.assign(item=item, price=wide["basket"] * (1.0 + item))


def offers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(offer=frame["price"] * 0.9)


FAN_OUT = Shape(
    ("user", "asked_at"),
    {
        "raw": same,
        "candidates": Stage(candidates, key=("user", "asked_at", "item")),
        "offers": Stage(offers, key=("user", "asked_at", "item")),
    },
    BASKETS,
    {
        "an item lost": ("candidates", lambda f: candidates(f).query("item != 2"), "missing-keys"),
        "items twice": ("candidates", lambda f: pd.concat([candidates(f)] * 2, ignore_index=True), "stage-broke"),
        "prices of other items": (
            "offers", lambda f: f.assign(offer=f.groupby("asked_at")["price"].shift(1, fill_value=1.0) * 0.9), None,
        ),
    },
)  # fmt: skip

LINES = pd.DataFrame({
    "order": [f"o{n // 4}" for n in range(80)], "line": [n % 4 for n in range(80)],
    "price": RNG.uniform(1, 9, 80), "count": RNG.integers(1, 5, 80),
})  # fmt: skip


def totals(frame: pd.DataFrame) -> pd.DataFrame:
    paid = frame.assign(total=frame["price"] * frame["count"])
    return paid.groupby("order", as_index=False, sort=False).agg(total=("total", "sum"), lines=("line", "count"))


FAN_IN = Shape(
    "order",
    {
        "raw": Stage(same, key=("order", "line")),
        "totals": totals,
        "response": lambda f: f.assign(discount=f["total"] * 0.1),
    },
    LINES,
    {
        "lines not counted": ("totals", lambda f: totals(f.drop_duplicates("order")), None),
        "no aggregation": ("totals", lambda f: f.assign(total=f["price"], lines=1), "stage-broke"),
        "an order lost": ("totals", lambda f: totals(f[f["order"] != "o3"]), "missing-keys"),
    },
)  # fmt: skip

READINGS = pd.DataFrame({
    "sensor": [f"s{n // 12}" for n in range(96)], "minute": [n % 12 for n in range(96)], "value": RNG.normal(size=96),
})  # fmt: skip


def lagged(frame: pd.DataFrame, rows: int = 3) -> pd.DataFrame:
    by = frame.groupby("sensor")["value"]
    return frame.assign(before=by.shift(1), mean3=by.transform(lambda v: v.rolling(rows, min_periods=1).mean()))


WINDOW = Shape(
    "sensor",
    {
        "raw": Stage(same, key=("sensor", "minute")),
        "features": Stage(lagged, key=("sensor", "minute")),
        "response": Stage(lambda f: f.assign(jump=f["value"] - f["before"]), key=("sensor", "minute")),
    },
    READINGS,
    {
        "shift over sensors": ("features", lambda f: lagged(f).assign(before=f["value"].shift(1)), None),
        "a look ahead": (
            "features", lambda f: lagged(f).assign(before=f.groupby("sensor")["value"].shift(-1)), None,
        ),
        "a longer window": ("features", lambda f: lagged(f, 4), None),
    },
)  # fmt: skip

SCORES = pd.DataFrame({
    "request": [f"q{n // 6}" for n in range(120)], "item": [n % 6 for n in range(120)], "score": RNG.uniform(size=120),
})  # fmt: skip


def ranked(frame: pd.DataFrame, *, ascending: bool = False) -> pd.DataFrame:
    order = frame.sort_values(["request", "score"], ascending=[True, ascending], ignore_index=True)
    return order[["request", "item", "score"]]


RANKING = Shape(
    "request",
    {
        "raw": Stage(same, key=("request", "item")),
        "ranking": Stage(ranked, key=("request", "item"), ordered=True),
        "page": Stage(lambda f: f.groupby("request").head(4), key=("request", "item"), ordered=True),
    },
    SCORES,
    {
        "worst first": ("ranking", lambda f: ranked(f, ascending=True), "row-order"),
        "not sorted": ("ranking", lambda f: f[["request", "item", "score"]], "row-order"),
        "one request": ("ranking", lambda f: pd.concat([ranked(f).iloc[[1, 0]], ranked(f).iloc[2:]]), "row-order"),
        "the last four": ("page", lambda f: f.groupby("request").tail(4).reset_index(drop=True), "missing-keys"),
    },
)  # fmt: skip

SHAPES = {"filter": FILTER, "fan-out": FAN_OUT, "fan-in": FAN_IN, "window": WINDOW, "ranking": RANKING}
