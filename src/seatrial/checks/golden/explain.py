"""Why a live service differs from the path in process: try what could be, and see which gives the service's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import SeatrialError
from seatrial.io.frame_json import projected
from seatrial.parity.compare import compare
from seatrial.trial import Trial

ROWS = 400  # of those that differ and those beside them, in one try


@dataclass(frozen=True)
class Why:
    """An explanation: ``place`` is where it is born, ``columns`` what it explains."""

    cause: str
    words: str
    place: str
    columns: frozenset[str]
    advice: str


def explain(trial: Trial, live: pd.DataFrame, wrong: Sequence[str], place: str) -> Why | None:
    """Return the first change of the path in process that gives every live answer in the columns that are wrong.

    Args:
        trial: the path and its reference.
        live: the live answers, keyed, as :func:`seatrial.io.frame_json.read` gives them.
        wrong: the columns that differ from the record.
        place: where a cause that is the service's own stands.
    """
    key = trial.pipeline.key
    first = trial.pipeline.stages[0]
    keys = trial.reference.frame(first)[key]
    if len(keys) != len(trial.reference.requests):
        return None
    rows = np.flatnonzero(keys.isin(live[key]))[:ROWS]
    if not len(rows):
        return None
    for cause, words, where, advice, run in _tries(trial, rows, place):
        try:
            made = projected(run())
        except Exception:  # noqa: BLE001, S112  a change that the path does not survive explains nothing
            continue
        some = live[live[key].isin(made[key])]
        if not set(wrong) <= set(made.columns):
            continue
        parity = compare(made[[key, *wrong]], some[[key, *wrong]], key=key, distributions=False)
        if parity.ok:
            return Why(cause, words, where, frozenset(wrong), advice)
    return None


Try = tuple[str, str, str, str, Callable[[], pd.DataFrame]]


def _reconnected(trial: Trial, rows: Any, name: str) -> Any:
    return _run(trial, rows, clients={**trial.clients, **trial.pipeline.connect(name)})


def _tries(trial: Trial, rows: Any, place: str) -> Iterator[Try]:
    for name in trial.pipeline.dependencies:
        yield (
            "stale-values", f"The path in process gives the same with what '{name}' answers now.", name,
            f"Compare '{name}' with what training was given: look at when it was last loaded, and from where.",
            partial(_reconnected, trial, rows, name),
        )  # fmt: skip
    if trial.champion is not None:
        yield (
            "other-model", "The path in process gives the same with the promoted version's model.", place,
            "The service has loaded another model than the version on trial: look at how it finds its model.",
            lambda: _run(trial, rows, model=trial.champion),
        )  # fmt: skip
    for stage in trial.pipeline.stages[:-1]:
        for cause, words, change in CHANGES:
            yield (
                cause, f"The path in process gives the same {words.format(stage=stage)}.", place,
                f"Look at how the service hands over what '{stage}' gives.",
                partial(_run, trial, rows, after=stage, change=change),
            )  # fmt: skip


def _run(
    trial: Trial,
    rows: Any,
    *,
    model: Any = None,
    clients: Any = None,
    after: str | None = None,
    change: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Run the path on some requests with one thing changed."""
    frame = trial.reference.requests.iloc[rows].reset_index(drop=True)
    changed = after is None
    for stage in trial.pipeline.stages:
        step = trial.pipeline.step(
            stage, model=trial.model if model is None else model, clients=clients or trial.clients
        )
        frame = step(frame)
        if stage == after and change is not None:
            altered = change(frame)
            if altered.equals(frame) and list(altered.columns) == list(frame.columns):
                raise SeatrialError("nothing to change here")
            frame, changed = altered, True
    if not changed:
        raise SeatrialError("nothing was changed")
    return frame


def _narrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Send every float64 through float32 and back."""
    floats = {c: frame[c].astype("float32").astype("float64") for c, t in frame.dtypes.items() if t == "float64"}
    return frame.assign(**floats)


def _zero(frame: pd.DataFrame) -> pd.DataFrame:
    """Put zero where a number is null."""
    return frame.assign(**{c: frame[c].fillna(0) for c, t in frame.dtypes.items() if pd.api.types.is_numeric_dtype(t)})


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the columns in the order of their names, under the names they had: what a position takes for them."""
    kinds: dict[str, list[str]] = {}
    for name, dtype in frame.dtypes.items():
        kinds.setdefault(str(dtype), []).append(str(name))
    out = frame.copy()
    for names in kinds.values():
        for name, other in zip(names, sorted(names), strict=True):
            out[name] = frame[other]
    return out


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    """Cut every float to a whole number."""
    return frame.assign(**{c: np.trunc(frame[c]) for c, t in frame.dtypes.items() if t == "float64"})


def _two_places(frame: pd.DataFrame) -> pd.DataFrame:
    """Round every float to two decimals."""
    return frame.assign(**{c: frame[c].round(2) for c, t in frame.dtypes.items() if t == "float64"})


CHANGES: tuple[tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame]], ...] = (
    ("float32-round-trip", "when the numbers of '{stage}' go through float32", _narrow),
    ("null-handling", "when the nulls of '{stage}' become zero", _zero),
    ("rounding", "when the numbers of '{stage}' are rounded to two decimals", _two_places),
    ("dtype-coercion", "when the numbers of '{stage}' are cut to whole ones", _whole),
    ("column-order", "when the columns of '{stage}' are taken in the order of their names", _sorted),
)
