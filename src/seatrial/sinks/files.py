"""The files of a verdict, in one folder a validation: report.html, junit.xml, verdict.json, attachments of checks."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from seatrial.errors import SeatrialError
from seatrial.events import Attachment, Event, Subject, Verdict
from seatrial.formatting import slug
from seatrial.io.files import atomic_write
from seatrial.sinks.base import make_sink

REPORT = "report.html"
LATEST = "latest"  # a link to the folder of the latest validation
FILES = {"html": REPORT, "junit": "junit.xml", "json": "verdict.json"}  # of every verdict, by the sink that writes it


def directory_for(state: Path, subject: Subject, kind: str = "") -> Path:
    """Return the folder of all results of a subject and a kind; it is below ``state``, whatever the model's name."""
    name = slug(f"{subject.model}-{subject.version}" if subject.version else subject.model)
    return state / "reports" / (f"{name}-{kind}" if kind else name)


def new_directory(state: Path, subject: Subject, kind: str = "") -> Path:
    """Make the folder of one validation's results, which no other one uses, and return it.

    The link ``latest`` beside it leads to the folder that was made last.
    """
    parent = directory_for(state, subject, kind)
    made = parent / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    made.mkdir(parents=True)
    beside = parent / f".{made.name}"
    beside.symlink_to(made.name)
    beside.replace(parent / LATEST)
    return made


def write_results(verdict: Verdict, events: Iterable[Event], directory: Path) -> Path:
    """Write every file of the verdict into the folder, which is emptied first.

    Raises:
        SeatrialError: the name of an attachment leads out of the folder.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    sinks = [make_sink(name, directory / file) for name, file in FILES.items()]
    for event in events:
        for sink in sinks:
            sink.event(event)
        if isinstance(event, Attachment):
            path = (directory / event.name).resolve()
            if not path.is_relative_to(directory.resolve()):
                raise SeatrialError(f"Check '{event.check}' attached '{event.name}', which leads out of the results.")
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, event.content)
    for sink in sinks:
        sink.verdict(verdict)
    return directory
