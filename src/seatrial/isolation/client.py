"""A trial in a process of its own, from the side of the process that runs it."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.errors import IsolationError, ProjectError, SeatrialError
from seatrial.events import Case, Event, NotEvaluated, Subject, Verdict, total
from seatrial.isolation import messages
from seatrial.isolation.process import start
from seatrial.isolation.rpc import RpcClient
from seatrial.pipeline import SERVICE
from seatrial.project import Project
from seatrial.reference.snapshot import Reference
from seatrial.trial import ChampionContract

CLOSE_SECONDS = 30.0  # for services to end before they are ended

OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Description:
    """What pipeline and policy decide, read before any code of the model ran.

    Attributes:
        name: of the pipeline.
        path: its places in order, dependencies before the stage that uses them.
        dependencies: the places that are dependencies, not stages.
        policy_digest: of all that must hold.
        promote: the alias that a pass moves, besides ``validated``.
        compares: the champion's model is needed, for the quality or the load check.
        serves: the pipeline declares a service.
    """

    name: str
    path: tuple[str, ...]
    dependencies: tuple[str, ...]
    policy_digest: str
    promote: str | None
    compares: bool
    serves: bool


class IsolatedTrial:
    """A trial in a process of its own; made by :func:`isolated`. Its methods may be called from several threads.

    Attributes:
        planned: the cases, once loaded.
        not_run: which chosen load and resilience tests have no case, and why.
    """

    def __init__(self, project: Project, rpc: RpcClient) -> None:
        self.planned: tuple[Case, ...] = ()
        self.not_run: tuple[str, ...] = ()
        self._limits, self._rpc = project.limits, rpc
        self._opening = rpc.begin(messages.Open, root=str(project.root))
        self._description: Description | SeatrialError | None = None
        self._describing = threading.Lock()
        self._seed, self._reference_digest = 0, ""

    @property
    def broken(self) -> str | None:
        """Why no case can run any more, as a sentence; None while they can."""
        return self._rpc.broken

    @property
    def description(self) -> Description:
        """What pipeline and policy decide; the first use waits for the process to read them.

        Raises:
            ProjectError, PolicyError, PipelineError: they cannot be used.
            IsolationError: the process ended over it, or took too long.
        """
        with self._describing:
            if self._description is None:
                try:
                    self._description = self._opened()
                except SeatrialError as error:  # every later use raises it again
                    self._description = error
        if isinstance(self._description, SeatrialError):
            raise self._description
        return self._description

    def _opened(self) -> Description:
        what = "reading pipeline and policy, load_seconds"
        try:
            reply = self._rpc.reply(self._opening, self._limits.load_seconds, what, messages.Opened)
        except ProjectError as error:
            raise ProjectError(f"{error}{_hidden_variable(str(error))}") from error
        return Description(
            name=reply.name,
            path=tuple(reply.path),
            dependencies=tuple(reply.dependencies),
            policy_digest=reply.policy_digest,
            promote=reply.promote,
            compares=reply.compares,
            serves=reply.serves,
        )

    def load(
        self,
        model: Path,
        reference: Reference,
        *,
        champion: Path | None = None,
        champion_contract: ChampionContract | None = None,
        live: Sequence[str] = (),
        only: Sequence[str] | None = None,
        skip: Sequence[str] = (),
        seed: int = 0,
    ) -> str | None:
        """Load the version, and return None, or why it could not be: it raised, ended, or broke a limit.

        Args:
            model: the directory of the version's model.
            reference: its reference, as it was verified in this process.
            champion: the directory of the champion's model.
            champion_contract: what the champion's users rely on.
            live: dependencies to compare with their recorded answers; those the policy names by default.
            only: checks to run; all by default.
            skip: checks to leave out.
            seed: of every random choice.

        Raises:
            ReferenceInvalid: it does not match the pipeline.
            UsageError: an unknown check or dependency.
        """
        self._seed, self._reference_digest = seed, reference.digest
        try:
            number = self._rpc.begin(
                messages.LoadVersion,
                model=str(model),
                reference=str(reference.root),
                champion=None if champion is None else str(champion),
                champion_contract=messages.champion_record(champion_contract),
                live=list(live),
                only=None if only is None else list(only),
                skip=list(skip),
                seed=seed,
            )
            what = "loading the model, load_seconds"
            reply = self._rpc.reply(number, self._limits.load_seconds, what, messages.Loaded)
            self.planned = tuple(Case(c.check, c.stage) for c in reply.cases)
            self.not_run = tuple(reply.not_run)
        except IsolationError as error:
            self._rpc.give_up(str(error))
        return self.broken

    def run(self, case: Case, on_progress: OnProgress | None = None) -> list[Event]:
        """Run one case and return its events; one that cannot run ends as NotEvaluated, and raises nothing.

        Args:
            case: one of those planned.
            on_progress: called with how much is done, of how much, and what comes next.
        """
        events: list[Event] = []
        seconds = self._limits.case_seconds
        try:
            number = self._rpc.begin(messages.RunCase, case=messages.case_record(case))
            for reply in self._rpc.replies(number, seconds, f"{case}, case_seconds"):
                if isinstance(reply, messages.Emitted):
                    events.append(reply.event)
                elif isinstance(reply, messages.CaseProgress):
                    if on_progress is not None:
                        on_progress(reply.done, reply.of, reply.next)
                elif not isinstance(reply, messages.Done):
                    raise self._rpc.unreadable(f"the reply '{reply.reply}' to a case")
        except SeatrialError as error:
            return [NotEvaluated(case.check, case.stage, self.broken or str(error), crashed=True)]
        return events

    def verdict(
        self, events: Iterable[Event], planned: Sequence[Case], *, subject: Subject, seconds: float = 0.0
    ) -> Verdict:
        """Sum the events up in this process. A version that could not be loaded, or not run, makes it an error."""
        all_events, description = list(events), self.description
        if self.broken and not any(isinstance(e, NotEvaluated) and e.crashed for e in all_events):
            all_events.append(NotEvaluated("run", None, self.broken, crashed=True))
        return total(
            all_events,
            subject=subject,
            path=(*description.path, *([SERVICE] if any(case.stage == SERVICE for case in planned) else [])),
            planned=planned,
            seed=self._seed,
            seconds=seconds,
            reference_digest=self._reference_digest,
            policy_digest=description.policy_digest,
            dependencies=description.dependencies,
        )


@contextlib.contextmanager
def isolated(project: Project) -> Iterator[IsolatedTrial]:
    """Start the process, which reads pipeline and policy at once, and end it with the block.

    Example:
        >>> with isolated(Project.find()) as trial:  # doctest: +SKIP
        ...     trial.load(model, reference)
        ...     events = [event for case in trial.planned for event in trial.run(case)]
    """
    rpc = RpcClient(start(project))
    within_seconds = 0.0  # where the block raises, services are ended at once
    try:
        yield IsolatedTrial(project, rpc)
        within_seconds = CLOSE_SECONDS
    finally:
        rpc.close(within_seconds)


def _hidden_variable(message: str) -> str:
    """Return what to type where the pipeline needs a variable that is set here and hidden from its process."""
    missing = re.search(r"KeyError: '(\w+)'", message)
    if missing is None or missing[1] not in os.environ:
        return ""
    return f" A model's process does not see {missing[1]}: name it in 'environment' of [tool.seatrial]."
