"""A small real path for tests: four stages, one dependency, every kind of column that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from seatrial import Dependency, Pipeline, Reference, Trial, capture
from seatrial.checks import named
from seatrial.checks.engine import run_case
from seatrial.events import Case, Event, Finding

COUNTRIES = ["NL", "BE", "DE", "XX"]  # XX never occurs, and the order is not that of the alphabet


class Store:
    """A feature store over a dict that tests may change between capture and trial."""

    def __init__(self, rows: dict[int, float], limits: dict[str, float]) -> None:
        self.rows = rows
        self._limits = limits

    def averages(self, customers: pd.Series) -> pd.DataFrame:
        known = [c for c in customers if c in self.rows]
        return pd.DataFrame({"customer": known, "average": [self.rows[c] for c in known]}).astype(
            {"customer": "int64", "average": "float64"}
        )

    def limits(self, country: str) -> float:
        return self._limits[country]


def requests(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"r-{i:04d}" for i in range(rows)],
            "customer": rng.integers(0, 50, rows),
            "amount": rng.lognormal(3, 1, rows).round(2),
            "country": rng.choice(COUNTRIES[:3], rows),
        }
    )


def raw(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        country=pd.Categorical(frame["country"], categories=COUNTRIES),
        tags=[["a", "b"] for _ in range(len(frame))],
    )


def features(frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    known = frame.merge(store.averages(frame["customer"].drop_duplicates()), on="customer", how="left")
    return pd.DataFrame(
        {
            "id": known["id"],
            "amount": known["amount"],
            "ratio": known["amount"] / known["average"],
            "abroad": known["country"] != "NL",
            "country": known["country"],
            "over": known["amount"] > store.limits("NL"),
        }
    )


def prediction(frame: pd.DataFrame) -> pd.DataFrame:
    score = 1 / (1 + np.exp(-frame["ratio"].fillna(1.0) + frame["abroad"]))
    return pd.DataFrame({"id": frame["id"], "score": score, "code": frame["country"].cat.codes.astype("int64")})


def response(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(score=frame["score"].round(6))


def shop(world: dict[str, Any] | None = None, **changed: Callable[..., pd.DataFrame]) -> Pipeline:
    """Return the path, some stages changed; ``world`` is what its store knows."""
    world = world if world is not None else known_world()

    def connect(_: str) -> Store:
        if world.get("down"):
            raise ConnectionError("no route to host")
        return Store(world["rows"], world["limits"])

    stages = {"raw": raw, "features": features, "prediction": prediction, "response": response} | changed
    return Pipeline("shop", key="id", dependencies=[Dependency("store", "memory://", connect)], **stages)


def known_world() -> dict[str, Any]:
    return {"rows": {c: 10.0 + c for c in range(45)}, "limits": {"NL": 50.0}}


def trained(rows: int = 200) -> Reference:
    return capture(shop(), requests(rows))


def asked(check: str, trial: Trial, stage: str) -> list[Event]:
    """Ask one question as the engine does."""
    (found,) = named([check])
    return run_case(found, trial, Case(check, stage))


def findings(events: list[Event]) -> list[Finding]:
    return [e for e in events if isinstance(e, Finding)]


def changed(function: Callable[..., pd.DataFrame], change: Callable[[pd.DataFrame], Any]) -> Any:
    """Return the stage with its answer changed."""
    if function is features:
        return lambda frame, store: change(features(frame, store))
    return lambda frame: change(function(frame))


def all_of(kind: type, events: list[Event]) -> Iterator[Any]:
    return (e for e in events if isinstance(e, kind))
