"""Parts as tasks of a Dask cluster: an existing one by its address, or worker processes of this machine."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

from seatrial.errors import TargetError
from seatrial.process.dask.addresses import LOCAL
from seatrial.process.dask.connection import connected, no_dask, require_same_seatrial

SETTING = "[tool.seatrial.scale] cluster in pyproject.toml"
ALONE_SECONDS = 30.0  # for a worker to come, where the cluster has none
UNDER_WAY = 3  # parts for each thread of the cluster that are worked on, waiting, or done and not yet merged
_POLL_SECONDS = 0.5

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class DaskRunner:
    """Runs each part as a task of a Dask cluster.

    A part whose worker is lost is run again on another, as often as the cluster's ``allowed-failures`` says: three
    times by default. Parts are sent as results come back, so that neither the scheduler nor this process holds many.

    Attributes:
        client: a ``distributed.Client``.
        address: of the scheduler.
        submit: sends work and a part, and returns a ``distributed.Future``; by default as a plain task.
    """

    client: Any
    address: str
    submit: Callable[[Callable[[Any], Any], Any], Any] | None = None

    def map(self, work: Callable[[T], S], parts: Sequence[T]) -> Iterator[S]:
        """Yield what ``work`` returns for each part, in the order of the parts.

        Raises:
            TargetError: the scheduler is away, there has been no worker for 30 seconds, a part ended every worker that
                it was run on, or a worker cannot read the files of this process.
        """
        todo, sent = iter(parts), deque[Any]()
        try:
            while True:
                with self._reached():
                    room = UNDER_WAY * max(1, sum(self.client.nthreads().values())) - len(sent)
                    sent.extend((self.submit or self._plain)(work, part) for part in islice(todo, max(0, room)))
                if not sent:
                    return
                yield self._result(sent[0])
                sent.popleft()
        finally:
            with suppress(Exception):  # whatever ended this says more
                self.client.cancel([*sent], force=True)

    def _plain(self, work: Callable[[T], S], part: T) -> Any:
        name = getattr(work, "__name__", type(work).__name__).strip("_")  # whose text has the paths of files
        return self.client.submit(work, part, pure=False, retries=0, key=f"{name}-{uuid4().hex}")

    def _result(self, future: Any) -> Any:
        """Wait for a result as long as there is a worker to give it."""
        alone_since = None
        while True:
            with self._told(), suppress(TimeoutError):
                return future.result(timeout=_POLL_SECONDS)
            if future.done():  # meanwhile, or with an error of that kind
                with self._told():
                    return future.result()
            with self._reached():
                alone_since = None if self.client.nthreads() else alone_since or monotonic()
            if alone_since is not None and monotonic() - alone_since > ALONE_SECONDS:
                raise TargetError(
                    f"The Dask cluster at {self.address} has had no worker for {ALONE_SECONDS:.0f} s, so that parts "
                    "were not compared. See the logs of its workers; start one by 'dask worker ADDRESS'."
                )

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Say of an error of talking to the scheduler that it is one."""
        try:
            yield
        except (CancelledError, OSError) as error:
            raise self._gone(error) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell errors of the cluster from those of the work."""
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        try:
            yield
        except KilledWorker as error:
            raise TargetError(
                f"A part ended each Dask worker that it was run on, {error.allowed_failures + 1} in turn, so that it "
                f"was not compared. Most often their memory is too small: see the log of {error.last_worker.address}."
            ) from error
        except FileNotFoundError as error:
            raise TargetError(
                f"A Dask worker does not find a file: {error}. The tables, and the folder of temporary files (TMPDIR), "
                "must be where all workers find them under the same path."
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise self._gone(error) from error

    def _gone(self, error: BaseException) -> TargetError:
        return TargetError(
            f"The Dask scheduler at {self.address} is gone ({str(error).strip() or type(error).__name__}), so that "
            "parts were not compared. Nothing was decided: run it again."
        )


@contextmanager
def runner(cluster: str, *, workers: int | None = None, setting: str = SETTING) -> Iterator[DaskRunner]:
    """Return a runner on a Dask cluster, until the block ends.

    Args:
        cluster: the address of a scheduler, such as ``tcp://10.0.0.5:8786``; or ``local`` for worker processes of this
            machine, which end with the block.
        workers: how many worker processes of this machine; by default one for each CPU core.
        setting: what names the cluster, for messages.

    Raises:
        UsageError: Dask is not installed.
        TargetError: no scheduler answers, or a worker has another seatrial.

    Example:
        Two processes compare two tables::

            with runner("local", workers=2) as two:
                compare_datasets(dataset(expected), dataset(actual), key="id", runner=two)
    """
    if cluster == LOCAL:
        with local(workers, setting) as here, connected(here.scheduler_address, setting, here.security) as client:
            yield DaskRunner(client, here.scheduler_address)
        return
    with connected(cluster, setting) as client:
        require_same_seatrial(client, cluster)
        yield DaskRunner(client, cluster)


@contextmanager
def local(workers: int | None, setting: str = SETTING) -> Iterator[Any]:
    """Start a Dask cluster of processes of this machine, until the block ends.

    It listens on 127.0.0.1 alone, and by TLS with a key of its own: who can send tasks runs code as this user.

    Yields:
        A ``distributed.LocalCluster``.

    Raises:
        UsageError: Dask is not installed.
        TargetError: it does not start.
    """
    try:
        from distributed import LocalCluster
    except ImportError as error:
        raise no_dask(setting, error) from error
    try:
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", security=True, silence_logs=logging.ERROR,
            dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}, worker_dashboard_address=None,
        )  # fmt: skip
    except (OSError, RuntimeError, TimeoutError) as error:
        raise TargetError(f"No local Dask cluster could be started: {str(error).strip() or error!r}.") from error
    with cluster:
        yield cluster
