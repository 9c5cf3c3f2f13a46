"""One pass over registry and ledger: in this process, or shared out to the workers of a pool."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

from prefect import get_run_logger, tags
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.runtime import deployment
from prefect.states import Completed, Failed

from seatrial.errors import Interrupted
from seatrial.ledger import DueJob, Job, Ledger
from seatrial.orchestration.deployments import names
from seatrial.orchestration.deployments.dispatch import dispatch
from seatrial.orchestration.flow_files import is_own, load_flow
from seatrial.orchestration.tasks import counted
from seatrial.project import Project
from seatrial.promotion import aliases
from seatrial.promotion import reconcile as reconciling
from seatrial.sinks.base import LISTENERS


def tagged(project: Project) -> contextlib.AbstractContextManager[object]:
    """Give the runs of a block the project's tag, by which the project's automations know them."""
    return tags(names.tag(project))


class Reconciliation:
    """One pass over registry and ledger, and what came of it; made by :func:`open_reconciliation`."""

    def __init__(self, project: Project, ledger: Ledger) -> None:
        self.project, self.ledger = project, ledger
        self.new, self.results, self.waiting = 0, list[str](), list[str]()
        self.unauthorised: list[aliases.UnauthorisedAlias] = []

    def jobs(self, limit: int = 0) -> Iterator[Job]:
        """Claim the versions that are due, one after the other; at most ``limit`` of them where it is not 0."""
        return reconciling.jobs(self.ledger, limit, patterns=self.project.models)

    def validate(self, job: Job) -> None:
        """Run the project's flow ``validate`` for a claimed version, and see that the job ends somehow."""
        for listener in LISTENERS.get():
            listener.started(job.uri)
        self.results.append(reconciling.attempt(self.ledger, self.project, job, self._run_flow))
        get_run_logger().info(self.results[-1])
        for listener in LISTENERS.get():
            listener.note(self.results[-1])

    def dispatch(self, limit: int = 0) -> bool:
        """Offer the versions that are due to the pool's workers; False where this run has to validate them itself.

        It has to in a terminal, and where the server has no deployment for it.
        """
        found = dispatch(self.project, self.ledger, limit) if deployment.id else None
        if found is None:
            return False
        told = (
            f"{counted(found.created, 'validation')} started",
            f"{counted(found.waiting, 'flow run')} wait for a worker",
        )
        self.results += [text for number, text in zip((found.created, found.waiting), told, strict=True) if number]
        self.results += found.lost
        self.waiting += [found.hint] if found.hint else []
        return True

    def validate_due(self, job: str, uri: str) -> State[Any]:
        """Claim a job and validate its version in this flow run; return the state that the run ends in."""
        claimed = reconciling.claim(self.ledger, DueJob.read(job, uri))
        if claimed is None:
            return Completed(message=f"{uri}: nothing to do. It was claimed by another run, or cancelled.")
        ended, begun = list[State[Any]](), list[Job]()

        def run(job: Job) -> None:
            begun.append(job)
            ended.append(self._run_here(job))

        told = reconciling.attempt(self.ledger, self.project, claimed, run)
        get_run_logger().info(told)
        if ended:
            return ended[0]
        return Failed(message=told) if begun else Completed(message=told)

    def _run_here(self, job: Job) -> State[Any]:
        """Validate a version as this flow run; one of the project's own runs below it, with its hooks and retries."""
        if is_own(self.project, "validate"):
            return self._run_flow(job)
        state: State[Any] = load_flow(self.project, "validate").fn(model_uri=job.uri, project=str(self.project.root))
        return state

    def _run_flow(self, job: Job) -> State[Any]:
        flow = load_flow(self.project, "validate")
        with tagged(self.project):
            state = flow(model_uri=job.uri, project=str(self.project.root), return_state=True)
        result = state.result(raise_on_failure=False)
        if state.is_crashed() and isinstance(result, Exception):  # outside of our code: it is Prefect's own
            raise Interrupted(f"The flow run crashed. {state.message}") from result
        if isinstance(result, BaseException) and not isinstance(result, FailedRun):
            raise result
        return cast(State[Any], state)

    def state(self) -> State[Any]:
        """Return Completed, or Failed where an alias is on a version that did not pass and could not be put back."""
        warnings = [*self.waiting, *map(str, self.unauthorised)]
        for warning in warnings:
            get_run_logger().warning(warning)
        message = "; ".join([counted(self.new, "new version"), *self.results, *warnings])
        restored = all(alias.restored_to for alias in self.unauthorised)
        return Completed(message=message) if restored else Failed(message=message)


@contextlib.contextmanager
def open_reconciliation(project: Project) -> Iterator[Reconciliation]:
    """Open the project's ledger for one reconciliation.

    Raises:
        LedgerError: the database does not answer.
    """
    with Ledger.of(project.state) as ledger:
        yield Reconciliation(project, ledger)
