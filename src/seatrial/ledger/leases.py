"""A lease that is renewed while its holder works, so that it only ends with the holder."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from seatrial.ledger.migrate import LedgerError


@contextlib.contextmanager
def renewed(renew: Callable[[], bool], seconds: float, name: str) -> Iterator[None]:
    """Renew a lease from another thread, every third of it, until the block ends or another worker has it.

    Args:
        renew: renews it; False where another worker has it. A ledger that cannot be used is asked again.
        seconds: of the lease.
        name: of the thread, for people who look at a process that hangs.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(seconds / 3):
            with contextlib.suppress(LedgerError):
                if not renew():
                    return

    heart = threading.Thread(target=beat, daemon=True, name=name)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
