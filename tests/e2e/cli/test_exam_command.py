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
    settings = ["--sample=12", "--rows=150", "--seed=4", "--minimum=0.85", f"--json={told}", f"--killers={killers}"]
    done = subprocess.run(
        [sys.executable, "-m", "seatrial", "mutate", "models:/payments/1", "--project", payments.root, *settings],
        capture_output=True, text=True, timeout=1_200, env=os.environ | {"COLUMNS": "120"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    exam = json.loads(told.read_text())
    assert exam["kill_share"] >= 0.85
    assert exam["right_stage_share"] >= 0.95
    assert exam["killed"] + exam["survived"] + exam["equivalent"] + exam["stillborn"] == 12
    assert exam["candidates"] > 150
    assert exam["stages"] == ["raw", "features", "prediction", "postprocess", "response"]
    assert "exam passed" in done.stdout.splitlines()[-1]
    survivors = [a for a in exam["answers"] if a["outcome"] == "survived"]
    assert killers.is_file() == any(a["rows"] for a in survivors)
    assert not killers.is_file() or list(pd.read_parquet(killers).columns) == ["payload"]
