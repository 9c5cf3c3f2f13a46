"""Progress where there is no terminal, such as in the log of a CI job: a line at least every ten seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from seatrial.events import Case, Evaluated, Event, NotEvaluated, Verdict
from seatrial.sinks.base import Sink
from seatrial.sinks.github import harmless
from seatrial.sinks.text import neutral

EVERY_SECONDS = 10.0
SHOWN = 3  # of what runs side by side
STARTING = "starting the servers and the worker"
FINISHING, STOPPING = "writing the verdict", "stopping the servers"


class ProgressLog(Sink):
    """Says what runs, and how much of how much is done, whenever nothing was said for ten seconds.

    Args:
        write: prints one line.
        phase: what happens before the first case.
        beside: another sink prints each case as it ends, so that only the time before the first one is logged.
        clock: returns seconds.

    Example:
        >>> log = ProgressLog(print, clock=iter([0.0, 4.0, 12.0, 12.0]).__next__)
        >>> log.planned([Case("golden", "features"), Case("contract")])
        >>> log.started("features · golden")
        >>> log.tick()
        >>> log.tick()
        [12 s] 0 of 2 cases done, now features · golden
    """

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        phase: str = STARTING,
        beside: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._phase, self._beside, self._clock = write, phase, beside, clock
        self._cases = self._done = 0
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()
        self._start = self._last = clock()

    def planned(self, cases: Sequence[Case]) -> None:
        """Begin to count the cases."""
        with self._lock:
            self._cases, self._done = len(cases), 0

    def started(self, what: str) -> None:
        """Store what runs now."""
        with self._lock:
            self._running[what] = ""

    def progress(self, done: int, of: int, what: str) -> None:
        """Store how far the case is that was started last."""
        with self._lock:
            if self._running:
                self._running[next(reversed(self._running))] = f" ({done:,} of {of:,}: {what})"

    def event(self, event: Event) -> None:
        """Count a case that ended."""
        if isinstance(event, Evaluated | NotEvaluated):
            with self._lock:
                self._running.pop(str(Case(event.check, event.stage)), None)
                self._done += 1
                if self._done >= self._cases:
                    self._phase = FINISHING

    def verdict(self, verdict: Verdict) -> None:  # noqa: ARG002  it is shown elsewhere
        """Count no more cases."""
        with self._lock:
            self._phase, self._last = STOPPING, self._clock()
            self._running.clear()
            self._cases = self._done = 0

    def note(self, text: str) -> None:  # noqa: ARG002
        """Forget what ran: the text, which says how it ended, is printed elsewhere."""
        with self._lock:
            self._running.clear()
            self._cases = self._done = 0
            self._last = self._clock()

    def tick(self) -> None:
        """Print a line if none was printed for ten seconds."""
        with self._lock:
            now = self._clock()
            if now - self._last < EVERY_SECONDS or (self._beside and self._cases):
                return
            self._last = now
            self._write(f"[{now - self._start:.0f} s] {self._line()}")

    def _line(self) -> str:
        running = [neutral(name + how, 160) for name, how in self._running.items()]
        if len(running) > SHOWN:
            running = [*running[:SHOWN], f"{len(running) - SHOWN} more"]
        now = ", ".join(running) or self._phase
        return f"{self._done:,} of {self._cases:,} cases done, now {now}" if self._cases else now


@contextlib.contextmanager
def progress_shown(*, quiet: bool = False, phase: str = STARTING) -> Iterator[list[Sink]]:
    """Yield the sinks that show progress on standard error while the block runs; none where ``quiet``."""
    if quiet:
        yield []
        return
    from rich.console import Console

    from seatrial.sinks.console import Progress

    console = Console(stderr=True)
    shown: list[Sink] = [Progress(console)] if console.is_terminal else []
    log, over = ProgressLog(_print, phase=phase, beside=bool(shown)), threading.Event()

    def beat() -> None:
        while not over.wait(1.0):
            log.tick()

    thread = threading.Thread(target=beat, name="seatrial progress", daemon=True)
    thread.start()
    try:
        yield [*shown, log]
    finally:
        over.set()
        thread.join()


def _print(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # whoever read it has gone
        print(harmless(line), file=sys.stderr, flush=True)  # noqa: T201
