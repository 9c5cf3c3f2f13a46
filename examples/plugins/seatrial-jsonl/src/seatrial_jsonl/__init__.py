"""Every event of a run as one JSON object a line, and the verdict last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial import Sink, Verdict
from seatrial.events import Attachment, Case, Event


class JsonLines(Sink):
    """Appends to its file as events come: whoever follows it sees the run while it lasts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def planned(self, cases: Sequence[Case]) -> None:
        """Begin the file anew, with the number of cases."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self._write("planned", {"cases": len(cases)})

    def event(self, event: Event) -> None:
        """Write one event; of an attachment its name alone."""
        said = {"name": event.name} if isinstance(event, Attachment) else vars(event)
        self._write(type(event).__name__, said)

    def verdict(self, verdict: Verdict) -> None:
        """Write the outcome and the reason for it."""
        self._write("Verdict", {"outcome": verdict.outcome, "summary": verdict.summary})

    def _write(self, kind: str, said: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="ascii") as file:
            file.write(json.dumps({"event": kind, **said}, default=str) + "\n")
