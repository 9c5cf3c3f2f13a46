"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from seatrial.events import Case, Event
from seatrial.trial import Trial

LAST = 1_000  # the order of a check that does not state one: after the built-in ones


@dataclass(frozen=True)
class Check:
    """One property that is verified, on some stages or on the whole path.

    An extension registers it as an entry point of the group ``seatrial.checks``, under its name.

    Attributes:
        name: as users select it with ``--only`` and ``--skip``.
        run: yields the events of one case. It ends with one ``Evaluated`` that counts what was compared, or with one
            ``NotEvaluated`` that gives the reason, each with this check's name and the case's stage.
        stages: the stages it runs on in this trial; ``(None,)`` for the path as a whole, ``()`` where it does not
            apply.
        order: its place in a run, lowest first. Built-in checks have 10 to 80, those that cost least first.
        prepare: starts what takes long and needs no answer of the trial, before the models are loaded; it returns at
            once.
        explains: whether its errors at a stage explain those of other checks there, and are told before them.
        alone: whether it measures time under load: of such checks, one validation at a time runs on a machine.
        reusable: whether its result on a stage, or on the path, follows from the version, its reference, code, policy
            and environments alone: then that of an earlier, identical run may be used. On a service it never does.
        compares: whether it compares with the champion's model.

    Example:
        >>> def run(trial, stage):
        ...     rows = len(trial.isolated(stage))
        ...     if not rows:
        ...         yield Finding("not_empty", stage, "The stage returned no row.", cause="empty")
        ...     yield Evaluated("not_empty", stage, compared=1)
        >>> check = Check("not_empty", run, every_stage)
    """

    name: str
    run: Callable[[Trial, str | None], Iterator[Event]]
    stages: Callable[[Trial], Sequence[str | None]]
    order: int = LAST
    prepare: Callable[[Trial], None] = lambda _: None
    explains: bool = False
    alone: bool = False
    reusable: bool = False
    compares: bool = False

    def cases(self, trial: Trial) -> tuple[Case, ...]:
        """Return the cases of this check in the trial."""
        return tuple(Case(self.name, stage) for stage in self.stages(trial))


def every_stage(trial: Trial) -> Sequence[str]:
    """Return every stage of the pipeline: the ``stages`` of a check that runs on each of them."""
    return trial.pipeline.stages
