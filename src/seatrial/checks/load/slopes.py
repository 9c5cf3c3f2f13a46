"""Whether the service uses more and more of something with every request: memory, sockets, threads, files."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep, thread_time

import numpy as np
from numpy.typing import NDArray

from seatrial.checks.load.diagnosis import tree_of
from seatrial.events import Event, Finding, Measurement, Severity
from seatrial.formatting import number, seconds
from seatrial.pipeline import SERVICE

PAGE = os.sysconf("SC_PAGE_SIZE")
RESOURCES = ("memory", "sockets", "threads", "files")
UNITS = ("MB", "sockets", "threads", "files")
SAMPLE_SECONDS = 0.25
TREE_SECONDS = 3.0  # between two looks for the processes: that reads those of the whole machine
MAX_SHARE = 0.02  # of the time, for taking samples: a generator in the same process would be late
FEWEST = 10  # samples
QUARTERS = 4
# Growth in the second half that counts, at least: by itself, and for each thousand requests.
LEAST, LEAST_SLOPE = (8.0, 10.0, 10.0, 10.0), (1.0, 5.0, 5.0, 5.0)
FEW, MORE = 500, (16.0, 4.0, 4.0, 4.0)  # in fewer requests, a worker that is seldom asked may still warm up
STEADY = 0.5  # of the growth of the quarter before, in the last one: what only warms up grows less and less
REST_SECONDS, KEPT = 3.0, 0.5  # after the load; the share of the growth that a leak keeps


@dataclass
class Usage:
    """Samples of all processes of a service while load runs.

    Attributes:
        moments: when each sample was taken, as ``time.monotonic()``.
        values: memory in MB, sockets, threads and other files of each sample.
        spans: begin, end and number of requests of each run.
        rest: a sample after the load, each value the lowest within three seconds; None without one.
    """

    moments: list[float] = field(default_factory=list)
    values: list[tuple[float, ...]] = field(default_factory=list)
    spans: list[tuple[float, float, int]] = field(default_factory=list)
    rest: tuple[float, ...] | None = None

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return, for each sample under load, the requests sent so far, shape (n,), and the values, shape (n, 4)."""
        at, sent, done = [], [], 0
        for begin, end, requests in self.spans:
            at += [begin, end]
            sent += [done, done + requests]
            done += requests
        moments, values = np.asarray(self.moments), np.asarray(self.values).reshape(-1, len(RESOURCES))
        under = np.zeros(len(moments), dtype=bool)
        for begin, end, _ in self.spans:
            under |= (moments >= begin) & (moments <= end)
        requests_sent = np.interp(moments[under], at, sent) if at else np.zeros(0)
        return requests_sent, values[under]


@contextmanager
def watch(pid: int | None, usage: Usage) -> Iterator[None]:
    """Sample a service's processes until the block ends, the process ``pid`` and all that it started."""
    if pid is None:
        yield
        return
    stop = threading.Event()

    def sample() -> None:
        processes, look, pause = [pid], 0.0, SAMPLE_SECONDS
        while not stop.wait(pause):
            if (begin := monotonic()) > look:
                processes, look = tree_of(pid), begin + TREE_SECONDS
            used = thread_time()
            usage.values.append(resources(processes))
            usage.moments.append(begin)
            pause = max(SAMPLE_SECONDS, (thread_time() - used) / MAX_SHARE)

    thread = threading.Thread(target=sample, name="resource slopes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def at_rest(pid: int) -> tuple[float, ...]:
    """Return what the service still uses after the load, the least of three seconds."""
    until, found = monotonic() + REST_SECONDS, list[tuple[float, ...]]()
    while not found or monotonic() < until:
        found.append(resources(tree_of(pid)))
        sleep(SAMPLE_SECONDS)
    return tuple(float(least) for least in np.asarray(found).min(axis=0))


def resources(processes: Sequence[int]) -> tuple[float, ...]:
    """Return the resident memory in MB, the sockets, the threads and the other open files of processes together.

    They are read from ``/proc``; where a platform has none, all are 0 and nothing is told.
    """
    memory = sockets = threads = files = 0
    for pid in processes:
        own = Path(f"/proc/{pid}")
        with contextlib.suppress(OSError):
            memory += int((own / "statm").read_text().split()[1]) * PAGE
            threads += len(os.listdir(own / "task"))
            for link in os.listdir(own / "fd"):
                with contextlib.suppress(OSError):
                    of_socket = os.readlink(own / "fd" / link).startswith("socket:")
                    sockets, files = sockets + of_socket, files + (not of_socket)
    return memory / 1e6, float(sockets), float(threads), float(files)


@dataclass(frozen=True)
class Slope:
    """How one resource grew.

    Attributes:
        name: of the resource.
        per_thousand: its growth for each thousand requests, in the second half of the load.
        first: at the beginning of the load.
        last: at its end.
        leak: whether it grew steadily to the end, by more than what counts, and was kept after the load.
    """

    name: str
    per_thousand: float
    first: float
    last: float
    leak: bool


def slopes(usage: Usage) -> list[Slope]:
    """Return the slope of each resource; none where there are too few samples.

    A service that warms up grows at first: its pools, caches and compiled code are finite. So the first half of the
    load counts for nothing, and in the second half a leak grows in each quarter, the last no less than half of the one
    before it. What is given back after the load was in use, and is no leak.
    """
    sent, values = usage.curve()
    if len(sent) < FEWEST or sent[-1] <= sent[0] or not values[:, 0].any():
        return []
    found = []
    at, levels = _levels(sent, values)
    for n, name in enumerate(RESOURCES):
        growth = np.diff(levels[:, n])
        half = float(growth[QUARTERS // 2 :].sum())
        slope = 1e3 * half / (at[-1] - at[QUARTERS // 2])
        steady = growth[-1] > 0 and growth[-2] > 0 and growth[-1] >= STEADY * growth[-2]
        kept = usage.rest is None or usage.rest[n] - levels[QUARTERS // 2, n] >= KEPT * half
        least = LEAST[n] * (MORE[n] if at[-1] - at[QUARTERS // 2] < FEW else 1.0)
        leak = bool(steady and kept and half >= least and slope >= LEAST_SLOPE[n])
        found.append(Slope(name, float(slope), float(levels[0, n]), float(levels[-1, n]), leak))
    return found


def _levels(sent: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the requests at the five ends of the quarters, and the values there, shape (5, 4).

    A value is the lower quartile of the samples nearby: what a collector is about to free is no growth.
    """
    width = max(3, len(sent) // (3 * QUARTERS))
    begins = np.linspace(0, len(sent) - width, QUARTERS + 1).round().astype(int)
    parts = [slice(begin, begin + width) for begin in begins.tolist()]
    at = np.array([sent[part].mean() for part in parts])
    return at, np.array([np.quantile(values[part], 0.25, axis=0) for part in parts])


def not_seen(name: str) -> Finding:
    """Return the remark that the processes of the service could not be looked at."""
    return Finding(
        name, SERVICE,
        "Memory, sockets, threads and files of the service were not looked at, nor whether it is blocked: its "
        "processes are not below one that was started here.",
        severity=Severity.INFO, cause="not-seen",
        advice="Look at the memory of the container or of the machine before and after. To keep a container off the "
        "generator's cores, start it with --cpuset-cpus.",
    )  # fmt: skip


def judged(name: str, usage: Usage, *, settled: bool) -> Iterator[Event]:
    """Yield the slope of each resource, and a finding for each that leaks.

    Args:
        name: of the check that reports.
        usage: the samples.
        settled: whether the latency was; where a queue grows, so does what waits in it.
    """
    for slope, unit in zip(slopes(usage), UNITS, strict=False):
        yield Measurement(name, SERVICE, f"{slope.name} per thousand requests", slope.per_thousand, unit)
        if slope.leak and settled:
            requests = sum(count for _, _, count in usage.spans)
            took = usage.spans[-1][1] - usage.spans[0][0]
            what = "MB of memory" if slope.name == "memory" else slope.name
            more, first, last = (number(round(each, 1)) for each in (slope.per_thousand, slope.first, slope.last))
            yield Finding(
                name, SERVICE,
                f"Under load, the service's processes took {more} {what} more with every thousand requests, "
                f"to the end: from {first} to {last} in {requests:,} requests over {seconds(took)}.",
                column=slope.name, cause="leak",
                advice="Look for what each request adds to and nothing removes: a list, a cache without a limit, a "
                "connection or file that is not closed, a thread that does not end.",
                evidence={"rows": requests},
            )  # fmt: skip
