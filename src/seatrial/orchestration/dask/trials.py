"""Where the work of a trial is done: beside its worker, or on a Dask cluster that the project or a policy names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial

from seatrial.errors import Interrupted, TargetError, UsageError
from seatrial.isolation.opening import elsewhere  # noqa: F401  so that replayers can be sent
from seatrial.orchestration.dask.load import connected
from seatrial.orchestration.dask.partitions import runner
from seatrial.parity.streaming.runner import Runner, Threads
from seatrial.policy.tool import ScaleSettings
from seatrial.trial import Trial

AT_ONCE = 3  # partitions: one is compared and one is read while the worker runs the stages of another


def spread(trial: Trial, scale: ScaleSettings) -> None:
    """Have a trial, whose stages run in a worker, do its work side by side, and reach clusters through Prefect.

    Args:
        trial: not begun.
        scale: what works on the partitions of its reference.
    """
    trial.connect = connected
    trial.runner = lambda: nullcontext(Threads(AT_ONCE))
    if scale.cluster:
        trial.runner = partial(_cluster, trial, scale.cluster, scale.workers)


@contextmanager
def _cluster(trial: Trial, cluster: str, workers: int | None) -> Iterator[Runner]:
    """Open the runner; raise Interrupted where the cluster is away, which says nothing of the version."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(runner(cluster, workers=workers))
        except (TargetError, UsageError) as error:
            raise _away(trial, error) from error
        try:
            yield found
        except TargetError as error:
            raise _away(trial, error) from error


def _away(trial: Trial, error: Exception) -> Interrupted:
    trial.away = str(error)
    return Interrupted(trial.away)
