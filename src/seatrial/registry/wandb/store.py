"""Runs of verdicts beside a registry of Weights & Biases: their files are read back from the reports' artifacts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.registry.protocol import Version
from seatrial.registry.wandb.artifacts import download, existing
from seatrial.registry.wandb.client import api, registry_errors
from seatrial.registry.wandb.content import ENTITY, REPORT, project_of, report_name, run_id_of
from seatrial.registry.wandb.tracker import WandbTracker


class WandbRunStore(WandbTracker):
    """The tracker of a registry: always online, since what it logs is read back."""

    def __init__(self) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="seatrial-wandb-")
        super().__init__(Path(self._own.name))

    def mode(self) -> str:
        """Return ``online``."""
        return "online"

    def artifacts(self, version: Version, name: str, *, most_bytes: int, passed: bool = False) -> Iterator[bytes]:
        """Yield the files of that name of the version's reports, the newest first; a longer file is left out.

        Raises:
            RegistryError: W&B does not answer.
        """
        for report in self._reports(version.name):
            about = report.metadata
            if about.get("version") != version.number or (passed and about.get("verdict") != "pass"):
                continue
            with registry_errors("downloaded", name), tempfile.TemporaryDirectory() as folder:
                entry = report.manifest.entries.get(name)
                if entry is not None and (entry.size or 0) <= most_bytes:
                    report.download(root=folder, skip_cache=True, path_prefix=name)
                    yield (Path(folder) / name).read_bytes()

    def files(self, version: Version, key: str, into: Path) -> Path | None:
        """Download every file of the verdict's report with this key to ``into``, and return it; None without one.

        Raises:
            RegistryError: W&B does not answer.
        """
        report = existing(f"{_project(version.name)}/{report_name(version.name)}:{run_id_of(key)}")
        return None if report is None else download(report, into, f"The report of {version.uri}")

    def _reports(self, model: str) -> list[Any]:
        path = f"{_project(model)}/{report_name(model)}"
        if existing(f"{path}:latest") is None:
            return []
        client = api()
        with registry_errors("listed", path):
            found = list(client.artifacts(REPORT, path))
        return sorted(found, key=lambda report: int(report.version.removeprefix("v")), reverse=True)


def _project(model: str) -> str:
    return f"{os.environ.get(ENTITY) or api().default_entity}/{project_of(model)}"
