"""Whole commands against the imports they cannot do without, in turn: ``python tests/bench/bench_validate.py``.

Limits: ``seatrial validate`` on the demo's version 1 takes at most 2 × the time of importing prefect,
great_expectations, mlflow, sklearn and pandas in a bare process; ``seatrial --help`` at most 0.5 s more than
``python -c pass``. With ``--check`` a missed limit ends with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMPORTS = [sys.executable, "-c", "import prefect, great_expectations, mlflow, sklearn, pandas"]
NOTHING = [sys.executable, "-c", "pass"]
SEATRIAL = [sys.executable, "-m", "seatrial"]


def seconds(command: list[str], cwd: Path) -> float:
    own = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=own, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def in_turn(first: list[str], second: list[str], cwd: Path, rounds: int) -> tuple[float, float]:
    """Return the medians of two commands run A B A B, after one round that does not count."""
    pairs = [(seconds(first, cwd), seconds(second, cwd)) for _ in range(rounds + 1)][1:]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "payments"
        subprocess.run([*SEATRIAL, "init", str(project)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            [sys.executable, "payments/train.py"], cwd=project, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        validate = [*SEATRIAL, "validate", "models:/payments/1", "--quiet", "--in-process"]
        ours, bare = in_turn(validate, IMPORTS, project, chosen.rounds)
        help_, nothing = in_turn([*SEATRIAL, "--help"], NOTHING, project, chosen.rounds)
    print(f"seatrial validate  {ours:6.2f} s   bare imports   {bare:6.2f} s   ratio {ours / bare:5.2f}   limit 2")
    more = help_ - nothing
    print(f"seatrial --help    {help_:6.2f} s   python -c pass {nothing:6.2f} s   more {more:6.2f} s limit 0.5 s")
    return int(chosen.check and (ours > 2 * bare or more > 0.5))


if __name__ == "__main__":
    sys.exit(main())
