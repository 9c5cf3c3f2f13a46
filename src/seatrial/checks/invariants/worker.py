"""Replay every stage in a fresh process with another hash seed: what leaks from set order or a warm process shows.

The parent asks on standard input (JSON), the child answers in a directory: one Parquet file a stage, and
``answers.json`` with the stages that broke. Nothing is pickled, and no text of an exception leaves the child.
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
from seatrial.io import bundle, strict_json
from seatrial.io.loading import import_sooner, load_file
from seatrial.pipeline import describe
from seatrial.reference.snapshot import Reference

LIMIT_SECONDS = 300.0  # for loading the pipeline and its model and replaying every stage once


@dataclass(frozen=True)
class FreshProcess:
    """What another process made of the reference's inputs.

    ``frames`` holds a stage's answer, ``broken`` what a stage that raised said, ``unseen`` why an answer could not be
    brought back, all by stage; ``failed`` is the reason when there is no answer of any.
    """

    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
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
    """Replay ``stages`` on the reference's own inputs in a new process and return what they gave.

    Args:
        source: the file and the name in it that hold the pipeline.
        reference: whose inputs and recorded answers are used.
        stages: the stages, in any order.
        model_path: where the pipeline loads its model from, for stages that ask for it.
        hash_seed: the child's ``PYTHONHASHSEED``; string hashes, and with them the order of sets, depend on it.
        limit_seconds: the child is ended after this time.
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
            return FreshProcess(failed=f"a fresh process gave no answer within {limit_seconds:g} s")
        answers = Path(out) / "answers.json"
        if done.returncode or not answers.is_file():
            return FreshProcess(failed=f"a fresh process ended with exit code {done.returncode} before it answered")
        told: dict[str, Any] = strict_json.loads(answers.read_bytes(), any_text=True)
        frames = {s: bundle.read_frame(Path(out) / f"{s}.parquet") for s in told["answered"]}
        return FreshProcess(frames, told["broken"], told["unseen"], told["failed"])


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Replay what is asked, write the frames, and return which stages answered and what the others said."""
    told: dict[str, Any] = {"answered": [], "broken": {}, "unseen": {}, "failed": ""}
    try:
        pipeline = getattr(load_file(Path(request["file"])), request["name"])
        reference = Reference.load(request["reference"])
        path = request["model"]
        model = pipeline.model(path) if pipeline.model and path is not None else None
        clients = reference.clients()
    except Exception as error:  # noqa: BLE001  whatever the user's file or model raises is the answer
        told["failed"] = f"a fresh process could not load the pipeline, its model or the reference: {describe(error)}"
        return told
    for stage in request["stages"]:
        try:
            step = pipeline.step(stage, model=model, clients=clients, columns=reference.columns)
            frame = step(reference.input_of(stage).copy())
            bundle.write_frame(frame, Path(request["out"]) / f"{stage}.parquet", f"stage '{stage}'")
            told["answered"].append(stage)
        except StageError as error:
            told["broken"][stage] = str(error)
        except SeatrialError as error:
            told["unseen"][stage] = str(error)
    return told


def main() -> None:
    """Answer the one request on standard input."""
    import_sooner()
    request = json.load(sys.stdin)
    answers = Path(request["out"]) / "answers.json"
    answers.write_text(json.dumps(answer(request)), encoding="utf-8")


if __name__ == "__main__":
    main()
