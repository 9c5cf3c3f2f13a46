"""The judge of one version: its trial and checks in this process, its stages and service in a worker."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from seatrial import checks
from seatrial.checks.base import Check
from seatrial.checks.engine import plan, run_case
from seatrial.checks.serving.matrix import not_run
from seatrial.errors import EnvironmentUnavailable, IsolationError, ProjectError, SeatrialError
from seatrial.events import Case, Event, NotEvaluated, Subject, Verdict, total
from seatrial.events.local import LocalEvidence, Log, Raised
from seatrial.isolation.environment import hidden_variable
from seatrial.isolation.evidence import printed
from seatrial.isolation.opening.project import open_replayer
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.orchestration.dask.trials import spread
from seatrial.pipeline import SERVICE, Model, Pipeline
from seatrial.policy.digest import policy_digest
from seatrial.policy.policy import Policy
from seatrial.project import Project
from seatrial.reference.champion import ChampionContract
from seatrial.reference.snapshot import Reference
from seatrial.targets.elsewhere import served_at
from seatrial.trial import Trial

OnProgress = Callable[[int, int, str], None]


class Judge:
    """Judges one version; made by :func:`judging`. Its methods may be called from several threads.

    Attributes:
        planned, trial: the cases and the trial, once loaded.
        not_run: which chosen load and resilience tests have no case, and why.
        local: the values behind its findings.
    """

    def __init__(self, project: Project) -> None:
        self.planned: tuple[Case, ...] = ()
        self.not_run: tuple[str, ...] = ()
        self.local = LocalEvidence() if project.local_evidence.validations else LocalEvidence(0)
        self._project = project
        self._model: Path | None = None
        self._unavailable, self._seed, self._reference_digest = "", 0, ""
        self._replayer: RemoteReplayer | None = None
        self.trial: Trial | None = None
        self._cases: dict[Case, Check] = {}
        self._policy: Policy | SeatrialError | None = None
        self._opening, self._current = threading.RLock(), threading.local()

    @property
    def replayer(self) -> RemoteReplayer:
        """The replayer of its worker, which is started at the first use."""
        with self._opening:
            if self._replayer is None:
                self._replayer = open_replayer(self._project, self._model)
            return self._replayer

    @property
    def broken(self) -> str | None:
        """Why no case can run any more, as a sentence; None while they can."""
        return self._unavailable or (self._replayer.broken if self._replayer else None)

    def open(self, model: Path) -> str | None:
        """Start the worker, and return None, or why the environment of the version cannot be had.

        Args:
            model: the directory of the version's model.

        Raises:
            ProjectError, PolicyError, PipelineError: pipeline or policy cannot be used.
            IsolationError: the worker ended over the pipeline, or took too long.
        """
        self._model = model
        try:
            self.policy  # noqa: B018  it is read before any code of the model runs
        except EnvironmentUnavailable as error:
            self._unavailable = str(error)
        return self.broken

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline as the worker describes it."""
        return self.replayer.pipeline()

    @property
    def policy(self) -> Policy:
        """What must hold; the first use waits for the worker to read the pipeline, before any code of the model runs.

        Raises:
            ProjectError, PolicyError, PipelineError: pipeline or policy cannot be used.
            IsolationError: the worker ended over the pipeline, or took too long.
        """
        with self._opening:
            if self._policy is None:
                try:
                    self._policy = self._project.policy(self.replayer.pipeline())
                except ProjectError as error:
                    error.args = (f"{error}{hidden_variable(str(error))}",)
                    self._policy = error
                except SeatrialError as error:  # every later use raises it again
                    self._policy = error
        if isinstance(self._policy, SeatrialError):
            raise self._policy
        return self._policy

    @property
    def compares_quality(self) -> bool:
        """Whether the model itself is compared with the champion's."""
        return any(stage.qualities for stage in self.policy.stages.values())

    @property
    def compares(self) -> bool:
        """Whether the champion's model is needed, for the quality or the load check."""
        return bool(self.policy.promote) and (self.compares_quality or self.policy.offered.margin is not None)

    def load(
        self,
        model: Path,
        reference: Reference,
        *,
        champion: Path | None = None,
        champion_contract: ChampionContract | None = None,
        live: Sequence[str] = (),
        only: Sequence[str] | None = None, skip: Sequence[str] = (), target: str | None = None, seed: int = 0,
        known: Collection[str] = (),
    ) -> str | None:  # fmt: skip
        """Load the version, and return None, or why it could not be: it raised, ended, or broke a limit.

        Args:
            model: the directory of the version's model.
            reference: its reference.
            champion: the directory of the champion's model.
            champion_contract: what the champion's users rely on.
            live: dependencies to compare with their recorded answers; those the policy names by default.
            only: checks to run; all by default.
            skip: checks to leave out.
            target: the address of a service that runs already, in the place of the pipeline's.
            seed: of every random choice.
            known: checks of which no case will run: nothing is started for them.

        Raises:
            ReferenceInvalid: it does not match the pipeline.
            UsageError: an unknown check or dependency.
        """
        chosen, self._seed, self._reference_digest = checks.named(only, skip=skip), seed, reference.digest
        if reason := self.open(model):
            return reason
        policy, replayer = self.policy, self.replayer
        compared = champion if self.compares_quality else None
        models: dict[Model, Path] = {"version": model, **({} if compared is None else {"champion": compared})}
        trial = self.trial = Trial(
            served_at(replayer.pipeline(), target) if target else replayer.pipeline(),
            reference,
            policy=policy, model_path=str(replayer.placed(model)), live=live or policy.live,
            champion_contract=champion_contract,
            champion_path=None if champion is None else str(replayer.placed(champion, "champion")),
            seed=seed,
            replayer=replayer,
            sandbox=replayer.process.sandbox,
        )  # fmt: skip
        for check in (check for check in chosen if check.name not in known):
            check.prepare(trial)
        try:
            replayer.load(reference, models)
        except IsolationError as error:
            self.local.keep(Raised(None, str(error), error.details or printed(replayer)))
            replayer.give_up(str(error))
            return self.broken
        trial.local = self.local
        spread(trial, self._project.scale)
        trial.on_progress, self._cases = self._on_progress, {case: check for check, case in plan(chosen, trial)}
        self.planned, self.not_run = tuple(self._cases), tuple(not_run(trial, {check.name for check in chosen}))
        return None

    def run(self, case: Case, on_progress: OnProgress | None = None) -> list[Event]:
        """Run one case and return its events; one that cannot run ends as NotEvaluated, and raises nothing.

        Args:
            case: one of those planned.
            on_progress: called with how much is done, of how much, and what comes next.
        """
        if before := self.broken:
            return [NotEvaluated(case.check, case.stage, before, crashed=True)]
        assert self.trial is not None
        self._current.on_progress = on_progress
        events = run_case(self._cases[case], self.trial, case)
        if reason := self.replayer.broken:
            self.local.keep(Log("run", None, printed(self.replayer)))
        if reason and not any(isinstance(e, NotEvaluated) and e.crashed for e in events):
            return [NotEvaluated(case.check, case.stage, reason, crashed=True)]  # taken for something else
        return events

    def _on_progress(self, done: int, of: int, what: str) -> None:
        if (on_progress := getattr(self._current, "on_progress", None)) is not None:
            on_progress(done, of, what)

    def verdict(
        self, events: Iterable[Event], planned: Sequence[Case], *, subject: Subject, seconds: float = 0.0
    ) -> Verdict:
        """Sum the events up. What could not run makes an error; an environment that cannot be had, inconclusive."""
        found = list(events)
        if self.broken and not any(isinstance(e, NotEvaluated) and e.crashed for e in found):
            found.append(NotEvaluated("run", None, self.broken, crashed=not self._unavailable))
        pipeline = None if self._unavailable else self.replayer.pipeline()
        service, applied = any(case.stage == SERVICE for case in planned), self._policy
        return total(
            found,
            subject=subject,
            path=() if pipeline is None else (*pipeline.path, *([SERVICE] if service else [])),
            planned=planned,
            seed=self._seed,
            seconds=seconds,
            reference_digest=self._reference_digest,
            policy_digest=applied.digest if isinstance(applied, Policy) else policy_digest(self._project.expectations),
            dependencies=() if pipeline is None else tuple(pipeline.dependencies),
            optional=applied.service.verdict.optional if isinstance(applied, Policy) else (),
        )

    def close(self, *, at_once: bool = False) -> None:
        """End the services that checks started, and the worker."""
        try:
            if self.trial is not None:
                self.trial.close()
        finally:
            if self._replayer is not None:
                self._replayer.close(*([0.0] if at_once else []))


@contextlib.contextmanager
def judging(project: Project) -> Iterator[Judge]:
    """Give the judge of one version of a project, and end its worker with the block.

    Example:
        >>> with judging(Project.find()) as judge:  # doctest: +SKIP
        ...     judge.load(model, reference)
        ...     events = [event for case in judge.planned for event in judge.run(case)]
    """
    judge = Judge(project)
    try:
        yield judge
    except BaseException:
        judge.close(at_once=True)
        raise
    judge.close()
