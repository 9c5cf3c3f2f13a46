"""The record: what the dependencies of a reference answered, apart from the frames that the stages returned.

A process that runs stages gets the record alone. It needs no answer of a stage, and shall not find one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import ReferenceInvalid, nearest
from seatrial.io import parquet
from seatrial.reference.lookup import Lookup
from seatrial.reference.recording import Answers, RecordedClient

FOLDER = "answers"  # of a reference, with the frames of its lookups
FILE = "record.json"


def answers_of(name: str, recorded: Mapping[str, Any], read: Callable[[str], pd.DataFrame]) -> Answers:
    """Return what a dependency answered at capture.

    Args:
        name: of the dependency.
        recorded: of every dependency, as the manifest of a reference holds it.
        read: returns the frame of a file, named relative to the reference.

    Raises:
        ReferenceInvalid: none of its answers are recorded.
    """
    if name not in recorded:
        raise ReferenceInvalid(
            f"The reference has no answers of dependency '{name}'. Recorded: {', '.join(recorded) or 'none'}."
            f"{nearest(name, recorded)}"
        )
    lookups = [
        Lookup(
            **{**part, "on": tuple(part["on"])},
            asked=read(f"{FOLDER}/{name}-{n}-asked.parquet"),
            rows=read(f"{FOLDER}/{name}-{n}-rows.parquet"),
        )
        for n, part in enumerate(recorded[name]["lookups"])
    ]
    return Answers({lookup.call: lookup for lookup in lookups}, recorded[name]["calls"])


def write_record(root: Path, manifest: Mapping[str, Any], columns: frozenset[str], to: Path) -> None:
    """Write the record of the reference at ``root``, with the names of its columns, into the folder ``to``."""
    if (root / FOLDER).is_dir():
        shutil.copytree(root / FOLDER, to / FOLDER)
    record = {"dependencies": manifest["dependencies"], "columns": sorted(columns)}
    (to / FILE).write_text(json.dumps(record), encoding="utf-8")


class Record:
    """A record that :func:`write_record` wrote.

    Attributes:
        columns: the names of the columns of all stages.
    """

    def __init__(self, folder: Path) -> None:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        self.columns = frozenset(record["columns"])
        self._folder, self._recorded = folder, record["dependencies"]

    def answers(self, name: str) -> Answers:
        """Return what a dependency answered at capture."""
        return answers_of(name, self._recorded, lambda file: parquet.read_frame(self._folder / file))

    def clients(self) -> dict[str, RecordedClient]:
        """Return a stand-in for every dependency that answers as it did at capture."""
        return {name: RecordedClient(name, self.answers(name)) for name in self._recorded}
