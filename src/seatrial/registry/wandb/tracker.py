"""Verdicts as runs of Weights & Biases, online or offline."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
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
SYNCED = ".synced"  # ends the name of the marker that the package writes beside an uploaded run


class WandbTracker:
    """The tracker ``wandb`` of ``[tool.seatrial] trackers``.

    Args:
        state: the project's state directory. Offline runs, and what is yet to be done for them, are in ``state/wandb``.

    Raises:
        UsageError: the wandb package is not installed.
    """

    def __init__(self, state: Path) -> None:
        process.require_wandb()
        self.state = state
        self._pending = state / "wandb" / "pending"

    def log_run(self, body: Mapping[str, Any], artifacts: Path, key: str = "") -> str:
        """Log the run of a verdict with its findings, its report and the reference's digest; return the run's id.

        Args:
            body: as :func:`seatrial.registry.runs.run_payload` returned it.
            artifacts: the directory with the verdict's files.
            key: of the verdict. Its run is completed, or left as it is where it is complete.

        Raises:
            UsageError: ``WANDB_MODE`` is none of its modes that log.
            RegistryError: W&B refused the run, or does not answer.
        """
        content = run_content(body, artifacts, key)
        record = self._pending / f"{content.id}.json"
        if record.exists():
            return content.id
        for left in (self.state / "wandb").glob(f"offline-run-*-{content.id}"):
            shutil.rmtree(left)  # of an attempt that died
        reply = process.ask(
            "log",
            self.state / "wandb",
            content=asdict(content),
            artifacts=str(artifacts),
            root=str(self.state),
            mode=mode(),
        )
        if reply["offline"]:
            self._remember(record, content, Path(reply["folder"]))
        return content.id

    def _remember(self, record: Path, content: RunContent, folder: Path) -> None:
        report, verdict = content.report, content.summary["verdict"]
        path = f"{content.project}/{report.name}:{content.id}"
        kept = {"folder": folder.name, "report": path, "link": content.link, "verdict": verdict}
        record.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(record, json.dumps(kept).encode())

    def sync(self) -> HandedOver:
        """Upload every offline run, and link its report where that is wanted.

        A run that was uploaded by ``wandb sync`` is not uploaded again.
        """
        done, waiting = list[str](), list[str]()
        for record in sorted(self._pending.glob("*.json")):
            if record.with_suffix(SYNCED).exists():
                continue
            try:
                if mode() == "offline":
                    raise UsageError(f"It is to stay offline. Set WANDB_API_KEY, unset {MODE}, then: seatrial sync")
                done.append(self._sync(record))
            except SeatrialError as error:
                waiting.append(f"{record.stem}: {error}")
        return HandedOver(done, waiting)

    def _sync(self, record: Path) -> str:
        kept = strict_json.loads(record.read_bytes())
        folder = self.state / "wandb" / kept["folder"]
        if not folder.is_dir():
            record.with_suffix(SYNCED).touch()
            return f"{folder.name} is gone; there is nothing to upload."
        if not list(folder.glob(f"*{SYNCED}")):
            into = ["--entity", os.environ[ENTITY]] if os.environ.get(ENTITY) else []
            done = process.run([sys.executable, "-m", "wandb", "sync", *into, str(folder)], self.state / "wandb")
            if not list(folder.glob(f"*{SYNCED}")):
                raise process.refused(done.stderr.strip() or done.stdout.strip())
        if kept["link"]:
            entity = f"{os.environ[ENTITY]}/" if os.environ.get(ENTITY) else ""
            path = f"{entity}{kept['report']}"
            process.ask("link", self.state / "wandb", path=path, target=kept["link"], alias=kept["verdict"])
        record.with_suffix(SYNCED).touch()
        return f"Uploaded {folder.name} to Weights & Biases."


def mode() -> str:
    """Return ``online`` or ``offline`` as ``WANDB_MODE`` says; empty for online where there is an API key.

    Raises:
        UsageError: the mode logs nothing, or is none.
    """
    given = os.environ.get(MODE, "").lower()
    if given not in MODES:
        raise UsageError(unknown(MODE, given, ("online", "offline")) + " To log nothing, take wandb out of 'trackers'.")
    return MODES[given]
