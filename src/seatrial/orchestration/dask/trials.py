"""Where the work of a trial is done: beside its worker, or on a Dask cluster that the project or a policy names."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

from seatrial.isolation.opening import elsewhere  # noqa: F401  so that replayers can be sent
from seatrial.orchestration.dask.load import connected
from seatrial.orchestration.dask.partitions import runner
from seatrial.parity.streaming.runner import Threads
from seatrial.policy.tool import ScaleSettings
from seatrial.trial import Trial

AT_ONCE = 2  # partitions: one is compared while the worker runs the stages of the next


def spread(trial: Trial, scale: ScaleSettings) -> None:
    """Have a trial, whose stages run in a worker, do its work side by side, and reach clusters through Prefect.

    Args:
        trial: not begun.
        scale: what works on the partitions of its reference.
    """
    trial.connect = connected
    trial.runner = lambda: nullcontext(Threads(AT_ONCE))
    if scale.cluster:
        trial.runner = partial(runner, scale.cluster, workers=scale.workers)
