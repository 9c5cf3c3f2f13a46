"""A trial in a process of its own, as whoever runs it sees it."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import IsolationError, ProjectError, SeatrialError
from seatrial.events import Case, Event, NotEvaluated, Subject, Verdict, total
from seatrial.isolation import codec
from seatrial.isolation.process import start
from seatrial.isolation.rpc import Calls
from seatrial.pipeline import SERVICE
from seatrial.project import Project
from seatrial.reference.snapshot import Reference
from seatrial.trial import ChampionContract

LEAVE_SECONDS = 30.0  # for services to end before they are ended

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Read:
    """What pipeline and policy say, read before any code of the model ran.

    Attributes:
        name: of the pipeline.
        path: its places in order.
        dependencies: the places that are asked, not run.
        policy_digest: of all that must hold.
        promote: the alias that a pass moves, besides ``validated``.
        compares: the promoted version's model is needed, for the quality or the load check.
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
        planned: the questions, once loaded.
        unasked: which heavy weather has no question, and why.
    """

    def __init__(self, project: Project, calls: Calls) -> None:
        self.planned: tuple[Case, ...] = ()
        self.unasked: tuple[str, ...] = ()
        self._limits, self._calls = project.limits, calls
        self._reading = calls.begin({"do": "read", "root": str(project.root)})
        self._read: Read | SeatrialError | None = None
        self._one_reads = threading.Lock()
        self._seed, self._reference_digest = 0, ""

    @property
    def broken(self) -> str | None:
        """Why nothing can be asked any more, in words; None while it can."""
        return self._calls.broken

    @property
    def read(self) -> Read:
        """What pipeline and policy say; waits for it.

        Raises:
            ProjectError, PolicyError, PipelineError: they cannot be used.
            IsolationError: the process ended over it, or took too long.
        """
        with self._one_reads:
            if self._read is None:
                try:
                    self._read = self._told()
                except SeatrialError as error:  # whoever asks again is told the same
                    self._read = error
        if isinstance(self._read, SeatrialError):
            raise self._read
        return self._read

    def _told(self) -> Read:
        what = "reading pipeline and policy, load_seconds"
        try:
            told = self._calls.answer(self._reading, self._limits.load_seconds, what)
        except ProjectError as error:
            raise ProjectError(f"{error}{_unseen(str(error))}") from error
        with self._calls.understood():
            return _read(told)

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
            reference: its reference, as it was verified here.
            champion: the directory of the promoted version's model.
            promised: what the promoted version's users rely on.
            live: dependencies to ask again; those the policy names by default.
            only: checks to ask; all by default.
            skip: checks to leave out.
            seed: of every random choice.

        Raises:
            ReferenceInvalid: it does not match the pipeline.
            UsageError: an unknown check or dependency.
        """
        self._seed, self._reference_digest = seed, reference.digest
        request = {
            "do": "load", "model": str(model), "reference": str(reference.root), "live": list(live), "skip": list(skip),
            "champion": str(champion) if champion else None, "champion_contract": _promised(champion_contract),
            "only": None if only is None else list(only), "seed": seed,
        }  # fmt: skip
        try:
            number = self._calls.begin(request)
            told = self._calls.answer(number, self._limits.load_seconds, "loading the model, load_seconds")
            with self._calls.understood():
                self.planned = tuple(codec.question_in(q) for q in codec.sequence(told.get("planned")))
                self.unasked = tuple(codec.text(reason) for reason in codec.sequence(told.get("unasked")))
        except IsolationError as error:
            self._calls.give_up(str(error))
        return self.broken

    def run(self, case: Case, progress: Progress | None = None) -> list[Event]:
        """Ask one question and return its events; one that cannot be answered ends as Unjudged, and is no exception.

        Args:
            question: one of those planned.
            progress: called with how much is done, of how much, and of what.
        """
        events: list[Event] = []
        try:
            number = self._calls.begin({"do": "ask", "question": codec.question_out(case)})
            for message in self._calls.messages(number, self._limits.question_seconds, f"{case}, question_seconds"):
                with self._calls.understood():
                    if "event" in message:
                        events.append(codec.event_in(message["event"]))
                    elif "done" not in message:
                        done, of, what = codec.sequence(message.get("progress"))
                        told = codec.whole(done), codec.whole(of), codec.text(what)
                        if progress is not None:
                            progress(*told)
        except SeatrialError as error:
            return [NotEvaluated(case.check, case.stage, self.broken or str(error), crashed=True)]
        return events

    def verdict(
        self, events: Iterable[Event], planned: Sequence[Case], *, subject: Subject, seconds: float = 0.0
    ) -> Verdict:
        """Sum the events up, here. A version that could not be loaded, or not be asked, makes it an error."""
        seen, read = list(events), self.read
        if self.broken and not any(isinstance(e, NotEvaluated) and e.crashed for e in seen):
            seen.append(NotEvaluated("run", None, self.broken, crashed=True))
        return total(
            seen,
            subject=subject,
            path=(*read.path, *([SERVICE] if any(q.stage == SERVICE for q in planned) else [])),
            planned=planned,
            seed=self._seed,
            seconds=seconds,
            reference_digest=self._reference_digest,
            policy_digest=read.policy_digest,
            dependencies=read.dependencies,
        )


@contextlib.contextmanager
def isolated(project: Project) -> Iterator[IsolatedTrial]:
    """Start the process, which reads pipeline and policy at once, and end it with the block."""
    calls = Calls(start(project))
    within_seconds = 0.0  # where the block raises nobody waits for services to end as they like
    try:
        yield IsolatedTrial(project, calls)
        within_seconds = LEAVE_SECONDS
    finally:
        calls.leave(within_seconds)


def _unseen(words: str) -> str:
    """Return what to type where the pipeline wants a variable that is set here and kept from its process."""
    wanted = re.search(r"KeyError: '(\w+)'", words)
    if wanted is None or wanted[1] not in os.environ:
        return ""
    return f" A model's process does not see {wanted[1]}: name it in 'environment' of [tool.seatrial]."


def _promised(champion_contract: ChampionContract | None) -> dict[str, Any] | None:
    if champion_contract is None:
        return None
    return asdict(champion_contract) | {
        "reference": str(champion_contract.reference) if champion_contract.reference else None
    }


def _read(told: dict[str, Any]) -> Read:
    return Read(
        name=codec.text(told.get("name")),
        path=tuple(codec.text(place) for place in codec.sequence(told.get("path"))),
        dependencies=tuple(codec.text(name) for name in codec.sequence(told.get("dependencies"))),
        policy_digest=codec.text(told.get("policy_digest")),
        promote=codec.optional_text(told.get("promote")),
        compares=codec.truth(told.get("compares")),
        serves=codec.truth(told.get("serves")),
    )
