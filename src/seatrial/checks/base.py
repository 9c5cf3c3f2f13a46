"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from seatrial.events import Case, Event
from seatrial.trial import Trial


@dataclass(frozen=True)
class Check:
    """One question, asked of some stages or of the whole path.

    Attributes:
        name: as users select it with ``--only`` and ``--skip``.
        run: yields the events of one question; ends with Judged, or with Unjudged where it cannot be answered.
        stages: the stages it is asked of in this trial; ``(None,)`` for the path as a whole, ``()`` where it does not
            apply.
    """

    name: str
    run: Callable[[Trial, str | None], Iterator[Event]]
    stages: Callable[[Trial], Sequence[str | None]]

    def cases(self, trial: Trial) -> tuple[Case, ...]:
        """Return what this check asks of the trial."""
        return tuple(Case(self.name, stage) for stage in self.stages(trial))


def every_stage(trial: Trial) -> Sequence[str]:
    """Ask of every stage of the pipeline."""
    return trial.pipeline.stages
