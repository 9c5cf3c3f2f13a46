"""The exam of the payments example, as its users hold it: by the command, on a version with its reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd

from seatrial.project import Project


def test_the_exam_of_payments(payments: Project, tmp_path) -> None:
    """A seeded part of its faults: most are killed, nearly all in the right stage, and survivors are told.

    The shares of the whole exam are printed by tests/bench/bench_exam.py.
    """
    told, killers = tmp_path / "exam.json", tmp_path / "killers.parquet"
    settings = [
        "--sample",
        "24",
        "--rows",
        "300",
        "--seed",
        "4",
        "--minimum",
        "0.85",
        "--json",
        told,
        "--killers",
        killers,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "seatrial", "exam", "models:/payments/1", "--project", payments.root, *settings],
        capture_output=True, text=True, timeout=1_200, env=os.environ | {"COLUMNS": "120"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    exam = json.loads(told.read_text())
    assert exam["kill_share"] >= 0.85
    assert exam["right_stage_share"] >= 0.95
    assert exam["killed"] + exam["survived"] + exam["equivalent"] + exam["stillborn"] == 24
    assert exam["candidates"] > 300
    assert exam["stages"] == ["raw", "features", "prediction", "postprocess", "response"]
    assert "exam passed" in done.stdout.splitlines()[-1]
    survivors = [a for a in exam["answers"] if a["outcome"] == "survived"]
    assert killers.is_file() == any(a["rows"] for a in survivors)
    assert not killers.is_file() or list(pd.read_parquet(killers).columns) == ["payload"]


def test_a_version_that_does_not_hold_cannot_be_examined(payments: Project) -> None:
    """Version 2 fails without any fault: exit code 2, and the reason."""
    done = subprocess.run(
        [sys.executable, "-m", "seatrial", "exam", "models:/payments/2", "--project", payments.root, "--sample", "1"],
        capture_output=True, text=True, timeout=1_200, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Without any fault the pipeline does not pass" in done.stderr
    assert "hour" in done.stderr
