"""Write the local evidence of a validation below the state, readable by its owner alone, and delete what is old.

It is in no folder of results: those are uploaded, signed and archived.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seatrial.events.local import Exchange, LocalEvidence, Record
from seatrial.events.redaction import redacted
from seatrial.io.files import write_once
from seatrial.pipeline.access import Access
from seatrial.sinks.local.places import FILE, FOLDER, FORMAT, private_folder
from seatrial.sinks.retention import Retention, delete, too_many
from seatrial.sinks.secrets import secrets_of

INLINE = 4_000  # bytes of a body in FILE; a longer one, or one that is no text, is a file beside it


def write_local(
    state: Path, results: Path, local: LocalEvidence, retention: Retention, now: float | None = None
) -> None:
    """Write the records of one validation, without the secrets that are known here, and delete those that are old.

    Args:
        state: of the project.
        results: the folder of the validation's results.
        local: what was kept.
        retention: how long it is kept. Of no validations, nothing is written and all that is there is deleted.
        now: seconds since 1970; by this machine's clock by default.

    Raises:
        UsageError: it cannot be written.
    """
    folder = private_folder(state, results)
    if retention.validations and (records := local.records):
        hidden = Access(secrets=(*secrets_of(os.environ), *local.secrets)).forms()
        written = [_plain(redacted(record, hidden), folder, n) for n, record in enumerate(records)]
        text = json.dumps({"format": FORMAT, "records": written}, ensure_ascii=False, indent=1)
        _write(folder / FILE, text.encode("utf-8", "backslashreplace"))
    delete_old(state / FOLDER, retention, time.time() if now is None else now)


def delete_old(private: Path, retention: Retention, now: float) -> None:
    """Delete the local evidence of validations that are too many, too old, or too much, the oldest first."""
    delete(too_many(_folders(private), retention, now))


def _folders(private: Path) -> Iterable[Path]:
    return [f for f in private.glob("*/*") if f.is_dir() and not f.is_symlink()]


def _plain(record: Record, folder: Path, number: int) -> dict[str, Any]:
    """Return a record as JSON types; bodies that are long or no text are written beside the others."""
    plain = {"kind": type(record).__name__, **asdict(record)}
    plain.pop("body_file", None)
    if isinstance(record, Exchange):
        plain["answer"] = _text(record.answer)
        if len(record.body) > INLINE or not _is_text(record.body):
            name = f"body-{number}.bin"
            _write(folder / name, record.body)
            plain |= {"body": "", "body_file": name}
        else:
            plain["body"] = record.body.decode()
    return plain


def _is_text(body: bytes) -> bool:
    """Return whether a terminal shows a body as it is, so that it can be copied from there."""
    try:
        return body.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _text(body: bytes) -> str:
    return body.decode("utf-8", "backslashreplace")


def _write(path: Path, content: bytes) -> None:
    for folder in (path.parents[1].parent, path.parents[1], path.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)  # also where the state was copied from elsewhere
    write_once(path, content)
