"""Runs: the verdict of each validation with its files."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seatrial.registry import Version

RUN = "run.json"


class FolderTracker:
    """Runs below ``root``, one folder each."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def log_run(self, body: Mapping[str, Any], artifacts: Path, key: str = "") -> str:
        """Copy the files in and write ``run.json``; a run that has the key already is left as it is."""
        home = self.root / quote(body["model"], safe="") / str(body["params"]["version"])
        home.mkdir(parents=True, exist_ok=True)
        if key and (same := sorted(home.glob(f"*-{quote(key, safe='')}"))):
            return same[0].name
        beside = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
        shutil.copytree(artifacts, beside, dirs_exist_ok=True)
        (beside / RUN).write_text(json.dumps(body), encoding="utf-8")
        run = home / f"{time.time_ns()}-{quote(key, safe='')}"
        beside.rename(run)
        return run.name

    def artifacts(self, version: Version, name: str, *, most_bytes: int, passed: bool = False) -> Iterator[bytes]:
        """Yield the files of that name, the newest run first."""
        home = self.root / quote(version.name, safe="") / version.number
        for run in sorted(home.glob("[0-9]*"), reverse=True):
            tags = json.loads((run / RUN).read_text(encoding="utf-8"))["tags"]
            file = run / name
            if passed and tags.get("seatrial.verdict") != "pass":
                continue
            if file.is_file() and file.stat().st_size <= most_bytes:
                yield file.read_bytes()

    def files(self, version: Version, key: str, into: Path) -> Path | None:
        """Copy the files of the run with this key to ``into``."""
        home = self.root / quote(version.name, safe="") / version.number
        runs = sorted(home.glob(f"*-{quote(key, safe='')}"))
        if not runs:
            return None
        return Path(shutil.copytree(runs[0], into, dirs_exist_ok=True, ignore=shutil.ignore_patterns(RUN)))
