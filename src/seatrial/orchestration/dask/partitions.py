"""Parts that a Dask cluster works on: task runs of the flow that validates, as long as they are few."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from seatrial.orchestration.dask.sending import Sealed, carried, send, task_client
from seatrial.parity.streaming.runner import Runner
from seatrial.process.dask.runner import SETTING
from seatrial.process.dask.runner import runner as plain_runner

MOST_TASKS = 300  # of one piece of work; of more, the task that is running sends plain tasks of Dask

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class TaskRunner:
    """Runs few parts as task runs of Prefect, many as plain tasks of Dask.

    Attributes:
        few: sends each part through Prefect.
        many: sends it without.
    """

    few: Runner
    many: Runner

    def map(self, work: Callable[[T], S], parts: Sequence[T]) -> Iterator[S]:
        """Yield what ``work`` returns for each part, in the order of the parts."""
        return (self.few if len(parts) <= MOST_TASKS else self.many).map(work, parts)


@contextlib.contextmanager
def runner(cluster: str, *, workers: int | None = None) -> Iterator[Runner]:
    """Return a runner on a Dask cluster; in a flow run whose server its workers reach, its parts are task runs of it.

    Args:
        cluster: the address of a scheduler, or ``local`` for worker processes of this machine.
        workers: how many worker processes of this machine; by default one for each CPU core.

    Raises:
        UsageError: Dask or prefect-dask is not installed.
        TargetError: no scheduler answers, or a worker has another seatrial.
    """
    with plain_runner(cluster, workers=workers) as plain:
        if not carried(plain.client):
            yield plain
            return
        with task_client(plain.address, SETTING, plain.client.security) as client:
            yield TaskRunner(replace(plain, client=client, submit=_sending(client)), plain)


@dataclass(frozen=True, repr=False)
class _Todo:
    """Work on a part; its text, which Prefect keeps, shows nothing of them."""

    work: Callable[[Any], Any]
    part: Any


def _sending(client: Any) -> Callable[[Callable[[Any], Any], Any], Any]:
    def submit(work: Callable[[Any], Any], part: Any) -> Any:
        return send(client, "compare a part", run_sealed, {"sealed": Sealed(_Todo(work, part))})

    return submit


def run_sealed(sealed: Sealed) -> Any:
    """Run as a task of Prefect on a Dask worker: do the work on the part."""
    return sealed.value.work(sealed.value.part)
