"""A project's pipeline, reference and model for the pytest plugin, each loaded when it is first needed."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seatrial import checks as _checks
from seatrial import registry
from seatrial.checks.base import Check
from seatrial.checks.engine import in_order_of_causes, loaded, plan, run_case, verdict_of
from seatrial.checks.serving.service import uses_service
from seatrial.errors import ProjectError, UsageError, unknown
from seatrial.events import Case, Event, Verdict
from seatrial.isolation.opening.project import open_replayer
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.pipeline import SERVICE, Pipeline, describe
from seatrial.policy.policy import Policy
from seatrial.project import MODEL_PYTHON, Project
from seatrial.reference.snapshot import Reference
from seatrial.trial import Trial


@dataclass(frozen=True)
class Source:
    """What is validated, as the options of pytest name it; an empty text is the default."""

    directory: Path
    reference: str = ""
    model: str = ""
    service: bool = False
    worker: bool = False
    seed: int = 0


class LoadedProject:
    """A project whose cases tests run, each once; close it at the end.

    Stages run in this process, by plain calls, or in a worker: where the source says so, or where ``[tool.seatrial]``
    names another interpreter than this one.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._held = ExitStack()
        self._events: dict[Case, list[Event]] = {}

    @cached_property
    def project(self) -> Project:
        """The project."""
        return Project.find(self._source.directory)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The pipeline, as its file defines it, or as the worker describes it."""
        return self._replayer.pipeline() if self._replayer is not None else self.project.pipeline()

    @cached_property
    def policy(self) -> Policy:
        """What ``expectations/`` declares."""
        return self.project.policy(self.pipeline)

    @property
    def reference(self) -> Reference:
        """What the stages returned at training time."""
        return self._files[0]

    @property
    def model(self) -> Path | None:
        """The directory of the model; None where the pipeline has none."""
        return self._files[1]

    def cases(self, chosen: Sequence[str], stages: Sequence[str]) -> list[tuple[Check, Case]]:
        """Return the cases of these checks on these stages; all where none are named.

        Raises:
            UsageError: no such check, or no such stage.
        """
        served = self._source.service
        for stage in stages:
            if stage == SERVICE and not served:
                raise UsageError("Stage 'service' is validated where the service is started: add --seatrial-service.")
            if stage not in (*self.pipeline.stages, SERVICE):
                raise UsageError(unknown("Stage", stage, (*self.pipeline.stages, *[SERVICE] * served)))
        planned = plan(_checks.named(chosen or None), self._planning)
        return [
            (check, case)
            for check, case in planned
            if (served or not uses_service(case)) and (not stages or case.stage in stages)
        ]

    def verdict(self, cases: Sequence[tuple[Check, Case]]) -> Verdict:
        """Run the cases that no test has run yet, and return the verdict of all of them."""
        for check in dict.fromkeys(check for check, case in cases if case not in self._events):
            check.prepare(self._trial)
        for check, case in cases:
            if case not in self._events:
                self._events[case] = run_case(check, self._trial, case)
        events = in_order_of_causes([e for _, case in cases for e in self._events[case]], [check for check, _ in cases])
        return verdict_of(events, self._trial, [case for _, case in cases])

    def close(self) -> None:
        """End what was started, and remove what was downloaded."""
        self._held.close()

    @cached_property
    def _replayer(self) -> RemoteReplayer | None:
        if not (self._source.worker or _elsewhere(self.project)):
            return None
        replayer = open_replayer(self.project, self.model if self.project.python == MODEL_PYTHON else None)
        self._held.callback(replayer.close)
        return replayer

    @cached_property
    def _files(self) -> tuple[Reference, Path | None]:
        named, model = self._source.reference, self._source.model
        if not named and ":" in model:
            named = model
        if ":" in named:
            fetched = self._fetched(named)
            return fetched.reference, fetched.model if model in ("", named) else self._placed(model)
        root = self.project.root / (named or "reference")
        if not root.is_dir():
            raise ProjectError(
                f'There is no reference at {root}. Save one with capture(…).save("reference"), or name one: '
                f"--seatrial-reference DIR, or models:/NAME/VERSION."
            )
        return Reference.load(root), self._placed(model)

    def _placed(self, model: str) -> Path | None:
        if ":" in model:
            return self._fetched(model).model
        path = self.project.root / (model or "model")
        if path.exists():
            return path
        if model:
            raise ProjectError(f"There is no model at {path}. Name one: --seatrial-model DIR, or models:/NAME/VERSION.")
        return None

    def _fetched(self, uri: str) -> registry.Fetched:
        into = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="seatrial-pytest-")))
        with _registry_of(self.project):
            return registry.fetch(registry.resolve(uri), into)

    @cached_property
    def _planning(self) -> Trial:
        """The trial without its model: which cases there are is known before that is loaded."""
        if self._replayer is not None:
            return self._remote(self._replayer)
        path = None if self.model is None else str(self.model)
        return Trial(self.pipeline, self.reference, policy=self.policy, model_path=path, seed=self._source.seed)

    @cached_property
    def _trial(self) -> Trial:
        planning, pipeline = self._planning, self.pipeline
        if pipeline.model is not None and self.model is None:
            raise ProjectError(
                f"Pipeline '{pipeline.name}' loads a model, and there is none at {self.project.root / 'model'}. Name "
                "one: --seatrial-model DIR, or models:/NAME/VERSION."
            )
        if self._replayer is not None:
            self._replayer.load(self.reference, {"version": self.model} if self.model is not None else {})
            trial = planning
        else:
            try:
                model = loaded(pipeline, self.model)
            except Exception as error:
                raise ProjectError(f"The model at {self.model} could not be loaded: {describe(error)}.") from error
            trial = Trial(
                pipeline, self.reference, policy=self.policy, model=model, model_path=planning.model_path,
                seed=planning.seed,
            )  # fmt: skip
        self._held.callback(trial.close)
        return trial

    def _remote(self, replayer: RemoteReplayer) -> Trial:
        path = None if self.model is None else str(replayer.placed(self.model))
        return Trial(
            self.pipeline, self.reference, policy=self.policy, model_path=path, seed=self._source.seed,
            replayer=replayer, sandbox=replayer.process.sandbox,
        )  # fmt: skip


def _elsewhere(project: Project) -> bool:
    """Whether the project's code runs in another interpreter than this one."""
    if project.command or project.python == MODEL_PYTHON:
        return True
    return (
        bool(project.python) and (project.root / project.python).parent.parent.resolve() != Path(sys.prefix).resolve()
    )


@contextmanager
def _registry_of(project: Project) -> Iterator[None]:
    """Reach the registry as the project's commands do; the variables of the other tests stay as they are."""
    before = dict(os.environ)
    project.activate()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
