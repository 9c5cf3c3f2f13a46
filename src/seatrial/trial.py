"""What a check works with: the pipeline under validation, its reference and policy, and the replays, each run once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pandas as pd

from seatrial.errors import StageError, UsageError, unknown
from seatrial.events.local import LocalEvidence, Raised
from seatrial.parity.noisy import Noise, compare_noisy
from seatrial.parity.result import Parity
from seatrial.parity.streaming.frames.compare import Compared
from seatrial.parity.streaming.runner import Runner
from seatrial.pipeline import LocalReplayer, Model, Pipeline, Replayer, Source, own_copy
from seatrial.pipeline.access import Access
from seatrial.policy.policy import Policy
from seatrial.process.held import Held
from seatrial.process.once import Once
from seatrial.process.sandbox import Sandbox
from seatrial.reference.allowance import noise_of
from seatrial.reference.champion import ChampionContract
from seatrial.reference.environment import environment
from seatrial.reference.layout.pieces import Replay
from seatrial.reference.recording import repeat
from seatrial.reference.replays import compared
from seatrial.reference.snapshot import Reference, shared
from seatrial.targets.protocol import Target

if TYPE_CHECKING:
    from seatrial.loadgen.workers.cluster import Connect

T = TypeVar("T")


class Trial:
    """One version under validation. Its methods may be called from several threads; each replay runs once.

    Args:
        pipeline: the path to validate.
        reference: what the stages returned at training time; it must match the pipeline.
        policy: tolerances, expectations and limits.
        model: the loaded model, for stages that need it.
        live: dependencies to call now, in addition to replaying their recorded responses.
        champion: the champion's model, for the quality check.
        seed: the seed of every random choice that a check makes.
        model_path: the local path that ``model`` was loaded from, so that another process can load it too.
        champion_contract: what users of the champion rely on, for the contract check.
        champion_path: the local path of the champion's model, so that its service can be started for comparison.
        service: a target that takes the place of the pipeline's service; opened when a check first needs it, closed
            with the trial. No process is started then.
        sandbox: where the pipeline's service runs.
        replayer: runs the stages; by default plain calls in this process, with ``model`` and ``champion``.

    Attributes:
        reference: of one in partitions the first, a sample of its requests: all but the comparison works with it.
        partitioned: the reference in partitions; None where it has none.
        access: what a request to a service that runs already carries, once it is known: no event may hold its secrets.
        local: what findings are about, with values; see :mod:`seatrial.events.local`. Nothing is kept by default.
        on_progress: called by what takes long, with the steps done, those in all, and the next one. It must return
            at once and must not raise. Set it to show progress.
        connect: how the Dask cluster is reached that sends the load, where the policy names one; by default directly.
        runner: opens what does the work on partitions; here, one after the other, by default.
        away: why what does that work is gone; empty while it is there.

    Raises:
        ReferenceInvalid: the reference does not match the pipeline.
        UsageError: ``live`` names a dependency that the pipeline does not have.

    Example:
        >>> from seatrial import Pipeline, capture
        >>> requests = pd.DataFrame({"id": ["t-1", "t-2"], "amount": [8.0, 2.0]})
        >>> trained = Pipeline("shop", key="id", raw=lambda f: f, score=lambda f: f.assign(score=f["amount"] / 2))
        >>> served = Pipeline("shop", key="id", raw=lambda f: f, score=lambda f: f.assign(score=f["amount"] / 3))
        >>> with Trial(served, capture(trained, requests)) as trial:
        ...     trial.parity("raw").ok, trial.parity("score").ok
        (True, False)
    """

    def __init__(
        self,
        pipeline: Pipeline,
        reference: Reference,
        *,
        policy: Policy | None = None,
        model: Any = None,
        live: Sequence[str] = (),
        champion: Any = None,
        seed: int = 0,
        model_path: str | None = None,
        champion_contract: ChampionContract | None = None,
        champion_path: str | None = None,
        service: Target | None = None,
        replayer: Replayer | None = None,
        sandbox: Sandbox | None = None,
    ) -> None:
        reference.matches(pipeline)
        self.partitioned = reference if reference.partitions > 1 else None
        self.reference_digest, reference = reference.digest, reference.part(0)
        if others := [name for name in live if name not in pipeline.dependencies]:
            raise UsageError(unknown("Dependency", others[0], pipeline.dependencies))
        self.pipeline = pipeline
        self.reference = reference
        self.policy = policy or Policy()
        self.policy.check_against(reference, pipeline)
        self.live, self.seed = tuple(live), seed
        self.champion_contract, self.champion_path = champion_contract, champion_path
        self.service, self.model_path = service, model_path
        self.sandbox, self.access = sandbox or Sandbox(), Access()
        self.local = LocalEvidence(0)
        self.on_progress: Callable[[int, int, str], object] = lambda *_: None
        self.connect: Connect | None = None
        self.runner: Callable[[], AbstractContextManager[Runner | None]] = nullcontext
        self.away = ""
        self._once = Once()
        self._held = Held()
        self.replayer = replayer or self.local_replayer({"version": model, "champion": champion})

    def local_replayer(self, models: Mapping[Model, Any]) -> LocalReplayer:
        """Return a replayer that calls the stages here, with dependencies that respond as recorded."""
        return LocalReplayer(
            self.pipeline, models=models, columns=self.reference.columns, environment=environment,
            recorded=lambda: self.once("clients", self.reference.clients),
            repeat=lambda name, client, calls: repeat(name, client, self.reference.answers(name), calls),
        )  # fmt: skip

    @property
    def has_champion(self) -> bool:
        """Whether stages can run with the champion's model."""
        return "champion" in self.replayer.models

    def replay(self, stage: str, batches: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
        """Return the frame of a stage for each batch.

        Raises:
            StageError: the stage raised or broke the rule on one of them; the first error is raised.
        """
        return [self._frame(results[-1]) for results in self.replayer.replay([stage], batches)]

    def through(
        self,
        stages: Sequence[str],
        frame: pd.DataFrame,
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> pd.DataFrame:
        """Return the frame of the last of consecutive stages, of which the first gets ``frame``.

        Args:
            stages: their names, in order; with none of them the frame is returned as it is.
            frame: of the stage before the first. It stays as it is, whatever the stages write into.
            model: whose model they get.
            sources: what answers for a dependency; those not named return their recorded responses.

        Raises:
            StageError: a stage raised or broke the rule.
        """
        if not stages:
            return frame
        [results] = self.replayer.replay(stages, [frame], model=model, sources=sources)
        return self._frame(results[-1])

    def input_of(self, stage: str) -> pd.DataFrame:
        """Return the recorded input of a stage, as a copy: a stage may write into the frame it receives."""
        return own_copy(self.reference.input_of(stage))

    def isolated(self, stage: str) -> pd.DataFrame:
        """Return the stage replay: the stage's frame for its recorded input. Any difference originates in this stage.

        Raises:
            StageError: the stage raised or broke the rule.
        """
        frame = self.once(("isolated", stage), lambda: self.through([stage], self.reference.input_of(stage)))
        return shared(frame)

    def chained(self, stage: str) -> pd.DataFrame:
        """Return the end-to-end replay up to ``stage``: its frame for the requests, as a user would get it.

        Raises:
            StageError: this stage or one before it raised or broke the rule.
        """
        stages = self.pipeline.stages
        [results] = self.once("chained", lambda: self.replayer.replay(stages, [self.reference.requests]))
        at = stages.index(self.pipeline.stage(stage).name)
        return shared(self._frame(results[min(at, len(results) - 1)]))

    def parity(self, stage: str, replay: Replay = "isolated") -> Parity:
        """Return how a replay of a stage compares with the reference; raises as :meth:`compared` does."""
        return self.compared(stage, replay).parity

    def compared(self, stage: str, replay: Replay = "isolated") -> Compared:
        """Return how a replay of a stage compares with the reference, and the rows of both that the findings name.

        Raises:
            StageError: a stage raised or broke the rule.
        """

        def work() -> Compared:
            actual = self.isolated(stage) if replay == "isolated" else self.chained(stage)
            noise, expected = self.noise(stage, replay), self.reference.frame(stage)
            again = [self.input_of(stage) for _ in range(noise.asked - 1)] if replay == "isolated" else []
            parity = compare_noisy(
                expected, actual, noise=noise, recorded=True, **self.pipeline.rows_of(stage),
                further=self.replay(stage, again) if again else (), tolerances=self.policy.of(stage).tolerances,
                given=lambda: self.reference.input_of(stage),
            )  # fmt: skip
            return Compared(parity, expected, actual, len(expected))

        if (parts := self.partitioned) is None:
            return self.once(("compared", replay, stage), work)
        found = self.once("partitions", lambda: self._by_partition(parts))[stage, replay]
        return found if isinstance(found, Compared) else self._raised(found)

    def noise(self, stage: str, replay: Replay = "isolated") -> Noise:
        """Return what comparisons with a replay of a stage allow for; see :func:`seatrial.reference.allowance`."""
        return self.once(("noise", replay, stage), lambda: noise_of(self.reference, self.pipeline, stage, replay))

    def once(self, name: Any, work: Callable[[], T]) -> T:
        """Return the result of ``work``, which runs in the first call with a ``name`` only; errors are raised again."""
        return self._once(name, work)

    def hold(self, manager: AbstractContextManager[T]) -> T:
        """Enter a context manager that ends with the trial, such as a started service, and return its value."""
        return self._held.enter(manager)

    def close(self) -> None:
        """Exit every context manager that is held. A ``with`` block around the trial does so too."""
        self._held.close()

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _by_partition(self, reference: Reference) -> Mapping[tuple[str, Replay], Compared | StageError]:
        allowed = {stage: self.policy.of(stage).tolerances for stage in self.pipeline.stages}
        with self.runner() as runner:
            return compared(self.pipeline, reference, self.replayer, allowed, runner, self.on_progress)

    def _frame(self, result: pd.DataFrame | StageError) -> pd.DataFrame:
        return self._raised(result) if isinstance(result, StageError) else result

    def _raised(self, error: StageError) -> NoReturn:
        if error.details:
            self.local.keep(Raised(error.stage, str(error), error.details))
        raise error
