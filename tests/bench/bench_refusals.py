"""How long wrong inputs take to be refused: each as a real command, in a real project, one after the other.

    python tests/bench/bench_refusals.py [NAME ...]

The yardstick is Python itself, and Python with pandas, on the same machine: a busy machine slows both. Prints the
seconds of the wall and of the processor, the exit code and the first line of each.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.refusals import REFUSALS, environment, made_wrong, make_project

GOAL_SECONDS = 1.5  # on an idle machine
WIDTH = 150


def timed(words: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> tuple[float, float, int, str]:
    """Return the seconds of the wall, those of the processor, the exit code and what was printed on standard error."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(words, cwd=cwd, env=dict(environ), capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, ran.returncode, (ran.stderr or ran.stdout).strip()


def main(names: Sequence[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="refusals-") as folder:
        root, environ = Path(folder) / "project", environment()
        root.mkdir()
        make_project(root)
        print(f"load of the machine: {', '.join(f'{n:.1f}' for n in os.getloadavg())} on {os.cpu_count()} processors")
        for code in ("pass", "import pandas"):
            timed([sys.executable, "-c", code], root, environ)  # from the disk once
            wall, used, *_ = timed([sys.executable, "-c", code], root, environ)
            print(f"{wall:6.2f} s {used:6.2f} s of the processor  python -c '{code}'")
        walls, processor = [], []
        for case in REFUSALS:
            if names and case.name not in names:
                continue
            with made_wrong(case, root) as (words, more):
                command = [sys.executable, "-m", "seatrial", *words]
                wall, used, code, said = timed(command, root, environ | more)
            walls.append(wall)
            processor.append(used)
            first = said.partition("\n")[0]
            wrong = "" if code == 2 and all(part in said for part in case.says) else "  WRONG"
            print(f"{wall:6.2f} s {used:6.2f} s  {code}{wrong}  {case.name}: {first[:WIDTH]}")
        slow = sum(wall > GOAL_SECONDS for wall in walls)
        worst, middle = f"{max(walls):.2f} s ({max(processor):.2f} s of the processor)", sorted(walls)[len(walls) // 2]
        print(f"{len(walls)} refusals: slowest {worst}, median {middle:.2f} s; {slow} above {GOAL_SECONDS:g} s.")


if __name__ == "__main__":
    main(sys.argv[1:])
