"""Replay every stage in a fresh process with another hash seed; dependence on set order or process state shows.

The parent writes the request to standard input (JSON), the child writes to a directory: one Parquet file a stage, and
``answers.json`` with the stages that failed. Nothing is pickled, and no text of an exception leaves the child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import SeatrialError, StageError
from seatrial.io import parquet, strict_json
from seatrial.io.loading import import_sooner, load_file
from seatrial.pipeline import describe
from seatrial.reference.snapshot import Reference

LIMIT_SECONDS = 300.0  # for loading the pipeline and its model and replaying every stage once


@dataclass(frozen=True)
class FreshProcess:
    """The answers of another process to the recorded inputs.

    Attributes:
        frames: the answer of each stage that returned one.
        errors: the error of each stage that raised.
        unreadable: for each stage whose answer could not be transferred, the reason.
        failed: the reason where the process gave no answer at all, else empty.
    """

    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    failed: str = ""


def replay(
    source: tuple[Path, str],
    reference: Reference,
    stages: Sequence[str],
    *,
    model_path: str | None = None,
    hash_seed: int = 0,
    limit_seconds: float = LIMIT_SECONDS,
) -> FreshProcess:
    """Replay ``stages`` on the reference's own inputs in a new process and return their answers.

    Args:
        source: the file and the name in it that hold the pipeline.
        reference: its inputs and recorded dependency answers are used.
        stages: the stages, in any order.
        model_path: where the pipeline loads its model from, for stages that need it.
        hash_seed: the child's ``PYTHONHASHSEED``; string hashes, and with them the order of sets, depend on it.
        limit_seconds: the child is terminated after this time.
    """
    with tempfile.TemporaryDirectory(prefix="seatrial-replay-") as out:
        request = {
            "file": str(source[0]),
            "name": source[1],
            "reference": str(reference.root),
            "stages": list(stages),
            "model": model_path,
            "out": out,
        }
        environment = os.environ | {
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "seatrial.checks.invariants.worker"],
                input=json.dumps(request).encode(),
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=limit_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return FreshProcess(failed=f"the fresh process gave no answer within {limit_seconds:g} s")
        answers = Path(out) / "answers.json"
        if done.returncode or not answers.is_file():
            return FreshProcess(failed=f"the fresh process ended with exit code {done.returncode} before it answered")
        response: dict[str, Any] = strict_json.loads(answers.read_bytes(), any_text=True)
        frames = {s: parquet.read_frame(Path(out) / f"{s}.parquet") for s in response["answered"]}
        return FreshProcess(frames, response["errors"], response["unreadable"], response["failed"])


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Replay the requested stages, write their frames, and return which succeeded and the errors of the others."""
    response: dict[str, Any] = {"answered": [], "errors": {}, "unreadable": {}, "failed": ""}
    try:
        pipeline = getattr(load_file(Path(request["file"])), request["name"])
        reference = Reference.load(request["reference"])
        path = request["model"]
        model = pipeline.model(path) if pipeline.model and path is not None else None
        clients = reference.clients()
    except Exception as error:  # noqa: BLE001  whatever the user's file or model raises is the answer
        response["failed"] = f"the fresh process could not load the pipeline, model or reference: {describe(error)}"
        return response
    for stage in request["stages"]:
        try:
            step = pipeline.step(stage, model=model, clients=clients, columns=reference.columns)
            frame = step(reference.input_of(stage).copy())
            parquet.write_frame(frame, Path(request["out"]) / f"{stage}.parquet", f"stage '{stage}'")
            response["answered"].append(stage)
        except StageError as error:
            response["errors"][stage] = str(error)
        except SeatrialError as error:
            response["unreadable"][stage] = str(error)
    return response


def main() -> None:
    """Answer the one request on standard input."""
    import_sooner()
    request = json.load(sys.stdin)
    answers = Path(request["out"]) / "answers.json"
    answers.write_text(json.dumps(answer(request)), encoding="utf-8")


if __name__ == "__main__":
    main()
