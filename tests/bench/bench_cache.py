"""An unchanged version, validated from earlier results, against the imports that needs: ``python bench_cache.py``.

The imports are those of the modules that such a validation itself imports: a run with the modules listed says which.
Both run one right after the other; a ratio is the median of the pairs' ratios: ``wall`` of the seconds on the clock,
``cpu`` of the processor seconds of all processes, which another load does not change much. A Prefect server runs
beside, as it does for a team; a server of the command's own is measured too, with its processor seconds. With
``--check`` a missed limit ends with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench_validate import Run, prefect_server, run  # of this folder

TINY = Path(__file__).parents[1] / "e2e" / "flows" / "tiny"
VALIDATE = ["-m", "seatrial", "validate", "models:/tiny/1", "--quiet"]
LIMIT = 1.2
LISTING = """
import atexit, runpy, sys
atexit.register(lambda: open({file!r}, "w").write("\\n".join(sys.modules)))
sys.argv = ["seatrial", *{words!r}]
runpy.run_module("seatrial", run_name="__main__", alter_sys=True)
"""


def yardstick(project: Path, folder: Path, **more: str) -> list[str]:
    """Return the command that imports what a cached validation of the project imports, in the same order."""
    listed = folder / "modules.txt"
    words = VALIDATE[2:]
    run([sys.executable, "-c", LISTING.format(file=str(listed), words=words)], project, **more)
    names = [name for name in listed.read_text().split() if "__main__" not in name and "seatrial_file" not in name]
    script = folder / "imports.py"
    script.write_text(
        "import gc, importlib\ngc.set_threshold(50_000)\n"
        + "".join(f"try: importlib.import_module({name!r})\nexcept Exception: pass\n" for name in names)
    )
    return [sys.executable, str(script)]


def pairs(imports: list[str], project: Path, rounds: int, **more: str) -> list[tuple[Run, Run]]:
    """Run the imports and the validation in turn."""
    command = [sys.executable, *VALIDATE]
    run(command, project, **more)
    return [(run(imports, project, **more), run(command, project, **more)) for _ in range(rounds)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "tiny"
        shutil.copytree(TINY, project, ignore=shutil.ignore_patterns("__pycache__"))
        run([sys.executable, "train.py"], project, MLFLOW_TRACKING_URI=f"sqlite:///{project / 'mlflow.db'}")
        with prefect_server(Path(place) / "prefect") as (url, _):
            server = {"PREFECT_API_URL": url}
            command = [sys.executable, *VALIDATE]
            whole = [run([*command, "--no-cache"], project, **server) for _ in range(2)][-1]
            imports = yardstick(project, Path(place), **server)
            measured = {
                "a Prefect server runs": pairs(imports, project, chosen.rounds, **server),
                "with a server of its own": pairs(imports, project, chosen.rounds),
            }
    print(f"load {load:.1f} at the begin, {os.getloadavg()[0]:.1f} at the end; not cached: {whole.seconds:.1f} s")
    print(f"{'':28}{'wall':>7}{'limit':>7}{'seconds':>9}{'imports':>9}{'cpu':>7}{'cpu s':>8}")
    walls = []
    for what, found in measured.items():
        walls.append(statistics.median(cached.seconds / bare.seconds for bare, cached in found))
        seconds = statistics.median(cached.seconds for _, cached in found)
        bare = statistics.median(bare.seconds for bare, _ in found)
        cpu = statistics.median(cached.spent / bare.spent for bare, cached in found)
        spent = statistics.median(cached.spent for _, cached in found)
        print(f"{what:28}{walls[-1]:7.2f}{LIMIT:7.1f}{seconds:9.2f}{bare:9.2f}{cpu:7.2f}{spent:8.2f}")
    return int(chosen.check and walls[0] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
