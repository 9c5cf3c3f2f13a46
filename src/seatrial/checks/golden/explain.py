"""Explain why the live service differs: change the path in process, and find the change that gives its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import SeatrialError, StageError
from seatrial.io.frame_json import projected
from seatrial.parity.compare import compare
from seatrial.pipeline import Model, Source, request_numbers, row_index
from seatrial.trial import Trial

ALONE = 50  # of them run one at a time
ROWS = 400  # requests that one hypothesis is tested on


@dataclass(frozen=True)
class Explanation:
    """A change of the path that gives the service's answers.

    Attributes:
        cause: its slug, as in ``Finding.cause``.
        message: the sentence for the finding.
        place: the origin of the difference: the service or a dependency.
        columns: the columns that it explains.
        advice: what to do next.
    """

    cause: str
    message: str
    place: str
    columns: frozenset[str]
    advice: str


def explain(trial: Trial, live: pd.DataFrame, wrong: Sequence[str], place: str) -> Explanation | None:
    """Return the first change of the path in process that gives every live answer in the columns that are wrong.

    Args:
        trial: the path and its reference.
        live: the live answers, keyed, as :func:`seatrial.io.frame_json.read` gives them.
        wrong: the columns that differ from the record.
        place: the origin of a cause within the service.
    """
    key, own = trial.pipeline.key_of(), list(trial.pipeline.key_of(trial.pipeline.stages[-1]))
    requests = trial.reference.requests
    known = requests if set(key) <= set(requests.columns) else trial.reference.frame(trial.pipeline.stages[0])
    if len(known) != len(requests):
        return None
    rows = np.flatnonzero(row_index(known, key).isin(row_index(live, key)))
    rows = rows[request_numbers(known.iloc[rows], key) < ROWS]
    if not len(rows):
        return None
    for cause, message, origin, advice, run in _hypotheses(trial, rows, place):
        try:
            replayed = projected(run())
        except Exception:  # noqa: BLE001, S112  a change that makes the path raise explains nothing
            continue
        part = live[row_index(live, own).isin(row_index(replayed, own))]
        if not set(wrong) <= set(replayed.columns):
            continue
        parity = compare(replayed[[*own, *wrong]], part[[*own, *wrong]], key=own, distributions=False)
        if parity.ok:
            return Explanation(cause, message, origin, frozenset(wrong), advice)
    return None


Hypothesis = tuple[str, str, str, str, Callable[[], pd.DataFrame]]


def _reconnected(trial: Trial, rows: Any, name: str) -> Any:
    return _run(trial, rows, sources={name: "live"})


def _one_at_a_time(trial: Trial, rows: Any) -> pd.DataFrame:
    """Run the path on each of a few requests by itself."""
    requests, key = trial.reference.requests.iloc[rows], trial.pipeline.key_of()
    named = (
        requests if set(key) <= set(requests.columns) else trial.reference.frame(trial.pipeline.stages[0]).iloc[rows]
    )
    numbers = request_numbers(named, key)
    batches = [requests[numbers == n].reset_index(drop=True) for n in range(min(ALONE, int(numbers.max()) + 1))]
    answers = [results[-1] for results in trial.replayer.replay(trial.pipeline.stages, batches)]
    if failed := next((a for a in answers if isinstance(a, StageError)), None):
        raise failed
    return pd.concat([a for a in answers if isinstance(a, pd.DataFrame)], ignore_index=True)


def _hypotheses(trial: Trial, rows: Any, place: str) -> Iterator[Hypothesis]:
    yield (
        "batch-effect", "The path in process gives the same values when it gets these requests one at a time.", place,
        "Look for a statistic, rank or encoding of the batch in a stage: the invariants check names the stage.",
        partial(_one_at_a_time, trial, rows),
    )  # fmt: skip
    for name in trial.pipeline.dependencies:
        yield (
            "stale-values", f"The path in process gives the same values with the current answers of '{name}'.", name,
            f"Compare the current values of '{name}' with those at training: check when it was last loaded, and from "
            "where.",
            partial(_reconnected, trial, rows, name),
        )  # fmt: skip
    if trial.has_champion:
        yield (
            "other-model", "The path in process gives the same values with the champion's model.", place,
            "Check how the service locates its model: it has loaded the champion's, not the one on trial.",
            lambda: _run(trial, rows, model="champion"),
        )  # fmt: skip
    for stage in trial.pipeline.stages[:-1]:
        for cause, condition, change in CHANGES:
            yield (
                cause, f"The path in process gives the same values {condition.format(stage=stage)}.", place,
                f"Check how the service passes on the result of '{stage}'.",
                partial(_run, trial, rows, after=stage, change=change),
            )  # fmt: skip


def _run(
    trial: Trial,
    rows: Any,
    *,
    model: Model = "version",
    sources: Mapping[str, Source] | None = None,
    after: str | None = None,
    change: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Run the path on some requests with one change: a model, a dependency's source, or a frame after a stage."""
    requests, stages = trial.reference.requests.iloc[rows].reset_index(drop=True), trial.pipeline.stages
    until = 0 if after is None else stages.index(after) + 1
    frame = trial.through(stages[:until], requests, model=model, sources=sources)
    if change is not None:
        altered = change(frame)
        if altered.equals(frame) and list(altered.columns) == list(frame.columns):
            raise SeatrialError("the change leaves the frame as it is")
        frame = altered
    return trial.through(stages[until:], frame, model=model, sources=sources)


def _narrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Cast every float64 to float32 and back."""
    floats = {c: frame[c].astype("float32").astype("float64") for c, t in frame.dtypes.items() if t == "float64"}
    return frame.assign(**floats)


def _zero(frame: pd.DataFrame) -> pd.DataFrame:
    """Replace every null number by zero."""
    return frame.assign(**{c: frame[c].fillna(0) for c, t in frame.dtypes.items() if pd.api.types.is_numeric_dtype(t)})


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort the values of like-typed columns by name under the old names, as access by position would read them."""
    kinds: dict[str, list[str]] = {}
    for name, dtype in frame.dtypes.items():
        kinds.setdefault(str(dtype), []).append(str(name))
    out = frame.copy()
    for names in kinds.values():
        for name, other in zip(names, sorted(names), strict=True):
            out[name] = frame[other]
    return out


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    """Truncate every float to a whole number."""
    return frame.assign(**{c: np.trunc(frame[c]) for c, t in frame.dtypes.items() if t == "float64"})


def _two_places(frame: pd.DataFrame) -> pd.DataFrame:
    """Round every float to two decimals."""
    return frame.assign(**{c: frame[c].round(2) for c, t in frame.dtypes.items() if t == "float64"})


CHANGES: tuple[tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame]], ...] = (
    ("float32-round-trip", "when the numbers of '{stage}' are cast to float32", _narrow),
    ("null-handling", "when the nulls of '{stage}' are replaced by zero", _zero),
    ("rounding", "when the numbers of '{stage}' are rounded to two decimals", _two_places),
    ("dtype-coercion", "when the numbers of '{stage}' are truncated to whole numbers", _whole),
    ("column-order", "when the columns of '{stage}' are read in the order of their names", _sorted),
)
