"""The verdict as a JSON file: the only complete form."""

from __future__ import annotations

from pathlib import Path

from seatrial.events import Verdict
from seatrial.io.files import atomic_write


def write(verdict: Verdict, path: Path) -> None:
    """Write ``Verdict.to_json()`` as UTF-8."""
    atomic_write(path, verdict.to_json().encode("utf-8", "replace") + b"\n")
