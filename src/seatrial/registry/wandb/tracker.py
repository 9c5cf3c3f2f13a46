"""Verdicts as runs of Weights & Biases, online or offline."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import SeatrialError, UsageError, unknown
from seatrial.io import strict_json
from seatrial.io.files import atomic_write
from seatrial.registry.capabilities import HandedOver
from seatrial.registry.wandb import process
from seatrial.registry.wandb.content import ENTITY, RunContent, run_content

MODE = "WANDB_MODE"
MODES = {"": "", "online": "online", "run": "online", "offline": "offline", "dryrun": "offline"}


@dataclass(frozen=True)
class Record:
    """What is remembered of a run that is complete.

    Attributes:
        run: its id.
        folder: its files, by the name in ``state/wandb``; empty where it is at the server.
        report: the report's artifact, as ``project/name:alias``.
        link: the collection of the Registry that the report is to be linked to; empty for none.
        verdict: the alias of the report there.
    """

    run: str
    folder: str
    report: str
    link: str
    verdict: str


class WandbTracker:
    """The tracker ``wandb`` of ``[tool.seatrial] trackers``.

    Args:
        state: the project's state directory. Offline runs, and what is remembered of all, are in ``state/wandb``.

    Raises:
        UsageError: the wandb package is not installed.
    """

    def __init__(self, state: Path) -> None:
        process.require_wandb()
        self._state, self._folder = state, state / "wandb"
        self._records = self._folder / "logged"

    def log_run(self, body: Mapping[str, Any], artifacts: Path, key: str = "") -> str:
        """Log the run of a verdict with its findings, its report and the reference's digest; return the run's id.

        Args:
            body: as :func:`seatrial.registry.runs.run_payload` returns it.
            artifacts: the directory with the verdict's files.
            key: of the verdict. Its run is completed, or left as it is where it is complete.

        Raises:
            UsageError: ``WANDB_MODE`` is none of its modes that log.
            RegistryError: W&B refused the run, or does not answer.
        """
        content = run_content(body, artifacts, key)
        if self._record(content.id).exists():
            return content.id
        for left in self._folder.glob(f"offline-run-*-{content.id}"):
            shutil.rmtree(left)  # of an attempt that died
        reply = process.ask(
            "log",
            self._folder,
            content=asdict(content),
            artifacts=str(artifacts),
            root=str(self._state),
            mode=self.mode(),
        )
        self._remember(content, Path(reply["folder"]).name if reply["offline"] else "")
        return content.id

    def mode(self) -> str:
        """Return ``online``, ``offline``, or empty for online where there is an API key, as the environment says."""
        return mode()

    def _record(self, run_id: str) -> Path:
        return self._records / f"{run_id}.json"

    def _remember(self, content: RunContent, folder: str) -> None:
        report = f"{content.project}/{content.report.name}:{content.id}"
        kept = Record(content.id, folder, report, content.link, content.summary["verdict"])
        self._records.mkdir(parents=True, exist_ok=True)
        atomic_write(self._record(content.id), json.dumps(asdict(kept)).encode())

    def _offline(self) -> Iterator[Record]:
        for path in sorted(self._records.glob("*.json")):
            kept = Record(**strict_json.loads(path.read_bytes()))
            if kept.folder:
                yield kept

    def sync(self) -> HandedOver:
        """Upload every offline run, and link its report where that is wanted.

        The package takes a run for uploaded whose artifacts were refused. So a run waits until its report is looked up
        at the server; until then it is uploaded again, which changes nothing of what is there.
        """
        waiting = list(self._offline())
        if not waiting:
            return HandedOver()
        try:
            if self.mode() == "offline":
                raise UsageError(f"It is to stay offline. Set WANDB_API_KEY, unset {MODE}, then: seatrial sync")
            failed = self._upload(waiting)
        except SeatrialError as error:
            failed = dict.fromkeys((kept.run for kept in waiting), str(error))
        done = []
        for kept in waiting:
            if kept.run not in failed:
                atomic_write(self._record(kept.run), json.dumps(asdict(kept) | {"folder": ""}).encode())
                done.append(f"Run {kept.run} was uploaded from {kept.folder}.")
        return HandedOver(done, [f"Run {run} waits: {why}" for run, why in failed.items()])

    def _upload(self, runs: list[Record]) -> dict[str, str]:
        """Upload runs and return those that are not at the server then, with the reason."""
        entity = os.environ.get(ENTITY, "")
        folders = [str(self._folder / kept.folder) for kept in runs]
        options = ["--include-synced", *(["--entity", entity] if entity else [])]
        done = process.run([sys.executable, "-m", "wandb", "sync", *options, *folders], self._folder)
        if done.returncode:
            raise process.refused(done.stderr.strip())
        paths = {kept.run: f"{entity}/{kept.report}" if entity else kept.report for kept in runs}
        reports = [(paths[kept.run], kept.link, kept.verdict) for kept in runs]
        failed = process.ask("confirm", self._folder, reports=reports)["failed"]
        return {run: str(process.refused(failed[path])) for run, path in paths.items() if path in failed}


def mode() -> str:
    """Return ``online`` or ``offline`` as ``WANDB_MODE`` says; empty for online where there is an API key.

    Raises:
        UsageError: the mode logs nothing, or is none.
    """
    given = os.environ.get(MODE, "").lower()
    if given not in MODES:
        raise UsageError(unknown(MODE, given, ("online", "offline")) + " To log nothing, take wandb out of 'trackers'.")
    return MODES[given]
