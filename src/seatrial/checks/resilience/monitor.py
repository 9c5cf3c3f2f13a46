"""Count what the service uses while load runs: calls to the dependency, connections to it, and threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from seatrial.checks.resilience.together import Proxies
from seatrial.process.running import Running

SAMPLE_SECONDS = 0.05
MIN_REQUESTS = 5  # fewer in a window are no rate


@dataclass
class ResourceUsage:
    """Samples taken while load runs, one element of each list a sample.

    Attributes:
        begin: the ``time.monotonic()`` moment at which the schedule starts.
        moments: when each sample was taken, as ``time.monotonic()``.
        calls: calls to the dependency so far.
        connections: sockets of the service to the dependency.
        threads: threads of the service.
    """

    begin: float = field(default_factory=monotonic)
    moments: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    @property
    def peak_connections(self) -> int:
        """The most connections in any sample."""
        return max(self.connections, default=0)

    def amplification(self, scheduled: np.ndarray, window: float = 1.0, before: float = 0.0) -> float:
        """Return the most calls per request within any window.

        Args:
            scheduled: when each request was due, in seconds from the start of the schedule.
            window: length of the window in seconds.
            before: seconds before the window; requests due then count too, since their calls may come late.
        """
        moments, calls = np.asarray(self.moments) - self.begin, np.asarray(self.calls)
        worst = 0.0
        for n, moment in enumerate(moments):
            first = int(np.searchsorted(moments, moment - window))
            due = (scheduled > moments[first] - before - SAMPLE_SECONDS) & (scheduled <= moment)
            made = int(calls[n] - calls[max(first - 1, 0)])
            worst = max(worst, made / max(int(due.sum()), MIN_REQUESTS))
        return worst


@contextmanager
def monitor(proxy: Proxies, running: Running) -> Iterator[ResourceUsage]:
    """Take samples of a service until the block ends."""
    usage, stop = ResourceUsage(), threading.Event()

    def sample() -> None:
        while True:
            sockets, threads = used(running, proxy)
            usage.moments.append(monotonic())
            usage.calls.append(proxy.calls)
            usage.connections.append(sockets)
            usage.threads.append(threads)
            if stop.wait(SAMPLE_SECONDS):
                return

    thread = threading.Thread(target=sample, name="resource monitor", daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        stop.set()
        thread.join()


def used(running: Running, proxy: Proxies) -> tuple[int, int]:
    """Return the sockets that a service has to the proxies of its dependencies, and its threads.

    Where it runs elsewhere, as in a container, the sockets are those that are open at the proxies, and no thread is
    counted: what is below its command is the client of the engine.
    """
    return (proxy.held, 0) if running.elsewhere else open_resources(running.pid, proxy)


def open_resources(pid: int, proxy: Proxies) -> tuple[int, int]:
    """Return the sockets that a process and its children have to dependencies, in any state, and their threads."""
    import psutil

    sockets, threads, ports = proxy.open_files, 0, proxy.ports
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                threads += each.num_threads()
                sockets += sum(bool(s.raddr) and s.raddr.port in ports for s in each.net_connections("tcp"))
    return sockets, threads
