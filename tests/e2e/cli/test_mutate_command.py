"""The mutation test of the payments example by the command, on a version with its reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd

from seatrial.project import Project


def test_the_mutation_test_of_payments(payments: Project, tmp_path) -> None:
    """A sample of its mutants: most are killed, nearly all in the right stage, and survivors are listed.

    The scores of the whole mutation test are printed by tests/bench/bench_mutation.py.
    """
    written, killers = tmp_path / "mutation.json", tmp_path / "killers.parquet"
    settings = ["--sample=12", "--rows=150", "--seed=4", "--minimum=0.85", f"--json={written}", f"--killers={killers}"]
    done = subprocess.run(
        [sys.executable, "-m", "seatrial", "mutate", "models:/payments/1", "--project", payments.root, *settings],
        capture_output=True, text=True, timeout=1_200, env=os.environ | {"COLUMNS": "120"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(written.read_text())
    assert report["mutation_score"] >= 0.85
    assert report["right_stage_share"] >= 0.95
    assert report["killed"] + report["survived"] + report["equivalent"] + report["stillborn"] == 12
    assert report["candidates"] > 150
    assert report["stages"] == ["raw", "features", "prediction", "postprocess", "response"]
    assert "mutation test passed" in done.stdout.splitlines()[-1]
    survivors = [m for m in report["mutants"] if m["outcome"] == "survived"]
    assert killers.is_file() == any(m["rows"] for m in survivors)
    assert not killers.is_file() or list(pd.read_parquet(killers).columns) == ["payload"]
