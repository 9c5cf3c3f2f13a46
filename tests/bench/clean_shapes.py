"""Clean runs and bugs of the twelve pipelines of other shapes: ``python tests/bench/clean_shapes.py [RUNS [NAME...]]``.

Each clean run has data of its own seed and is asked every check that needs no service, and so is each bug. They run in
an environment with torch, LightGBM, XGBoost and ONNX Runtime, which is made where it is missing. Exit code 1 when one
clean run did not pass, or one bug was not found where it is born.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "conformance"))

import environments  # noqa: E402

ALL = 100  # bugs, more than any has


def main() -> int:
    runs, names = int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2:]
    python = environments.environment(*environments.SHAPES)
    sites = [p for p in sys.path if p.endswith("site-packages")]
    ours = [str(ROOT), str(ROOT / "src"), sysconfig.get_paths()["purelib"], *sites]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(ours)), "OMP_NUM_THREADS": "1"}
    command = [str(python), "-m", "tests.conformance.shapes.running", str(runs), str(ALL), *names]
    wrong = 0
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            told = json.loads(line)
            passed, bugs = told["clean"].count("pass"), told["bugs"]
            placed = sum(b["found"] and b["stage"] == b["born"] for b in bugs.values())
            print(
                f"{told['name']:12} clean: {passed} of {runs} passed; bugs: {placed} of {len(bugs)} found and placed; "
                f"{told.get('seconds', 0)} s"
            )
            odd = [told["broke"]] if "broke" in told else [text for text in told["clean"] if text != "pass"]
            odd += [f"{w}: {b}" for w, b in bugs.items() if not b["found"] or b["stage"] != b["born"]]
            print(*(f"  {text}" for text in odd), sep="\n", end="\n" if odd else "", flush=True)
            wrong += len(odd)
    return int(bool(wrong or running.returncode))


if __name__ == "__main__":
    sys.exit(main())
