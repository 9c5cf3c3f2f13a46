"""The verdict as a JSON file: the only complete form."""

from __future__ import annotations

from pathlib import Path

from seatrial.events import Verdict
from seatrial.io.files import atomic_write
from seatrial.sinks.base import Sink


class JsonReport(Sink):
    """Writes ``Verdict.to_json()`` as UTF-8 to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def verdict(self, verdict: Verdict) -> None:
        """Write the file, whole or not at all."""
        atomic_write(self.path, verdict.to_json().encode("utf-8", "replace") + b"\n")
