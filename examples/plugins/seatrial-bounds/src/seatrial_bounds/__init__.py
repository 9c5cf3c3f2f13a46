"""Numbers of a stage lie within declared bounds: ``[checks.bounds.<stage>]`` of service.toml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seatrial import Check, Finding, Trial
from seatrial.errors import PolicyError, unknown
from seatrial.events import Evaluated, Event

NAME = "bounds"


def stages(trial: Trial) -> Sequence[str]:
    """Return the stages that declare bounds."""
    declared = trial.policy.settings_of(NAME)
    for stage in declared:
        if stage not in trial.pipeline.stages:
            raise PolicyError(f"service.toml, [checks.{NAME}]: {unknown('Stage', stage, trial.pipeline.stages)}")
    return [stage for stage in trial.pipeline.stages if stage in declared]


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Replay the whole path up to the stage and yield the columns that leave their bounds."""
    assert stage is not None
    frame, compared = trial.chained(stage), 0
    for column, bounds in trial.policy.settings_of(NAME)[stage].items():
        low, high = _pair(stage, column, bounds)
        if column not in frame.columns:
            raise PolicyError(f"service.toml, [checks.{NAME}.{stage}]: {unknown('Column', column, frame.columns)}")
        values = frame[column].dropna()
        outside = int((~values.between(low, high)).sum())
        compared += len(values)
        if outside:
            yield Finding(
                NAME, stage, f"{outside:,} of {len(values):,} values lie outside [{low:g}, {high:g}].", column=column,
                cause="out-of-bounds", advice="Restore the range, or declare the new one.",
                evidence={"rows": len(values), "outside": outside},
            )  # fmt: skip
    yield Evaluated(NAME, stage, compared=compared)


def _pair(stage: str, column: str, bounds: Any) -> tuple[float, float]:
    numbers = isinstance(bounds, list) and all(isinstance(b, int | float) and not isinstance(b, bool) for b in bounds)
    if not numbers or len(bounds) != 2 or not bounds[0] <= bounds[1]:
        raise PolicyError(
            f"service.toml, [checks.{NAME}.{stage}]: '{column}' is {bounds!r}; it is a pair of numbers, such as [0, 1]."
        )
    return float(bounds[0]), float(bounds[1])


check = Check(NAME, run, stages)
