"""What 'seatrial reconcile' prints, and from when on it validates."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from seatrial.project import Project
from seatrial.sinks.base import Sink
from seatrial.sinks.text import neutral


def catch_up(project: Project, since: str) -> None:
    """Have versions validated that were registered at ``since`` or later.

    Raises:
        UsageError: ``since`` is no date.
    """
    from seatrial.ledger import Ledger
    from seatrial.promotion.reconcile import start

    with Ledger.of(project.state) as ledger:
        start(ledger, since)


class LinePerVersion(Sink):
    """Prints a line a version as its validation ends."""

    def __init__(self, out: Console) -> None:
        self._out, self._printed = out, list[str]()

    def note(self, text: str) -> None:
        """Print how the validation of a version ended."""
        self._printed.append(text)
        self._out.print(neutral(text, 400), markup=False, highlight=False, soft_wrap=True)

    def rest(self, lines: Sequence[str]) -> None:
        """Print those of the lines that were not printed yet, and forget all."""
        known, self._printed = self._printed, []
        for line in lines:
            if line not in known:
                self.note(line)
        self._printed = []
