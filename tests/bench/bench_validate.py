"""Whole commands against the imports they cannot do without, in turn: ``python tests/bench/bench_validate.py``.

The yardstick is ``python -c "import prefect, great_expectations, mlflow, sklearn, pandas"`` in the same run. Each
command and the yardstick run one right after the other; a ratio is the median of the pairs' ratios. The second table
has the processor seconds of each process of the last run, sampled, so that a process of less than 20 ms may be missed.
The floor is what no validation here can be faster than, before anything is compared: the processor seconds that its
processes need for their imports alone, spread evenly over all processors, in units of the yardstick.
With ``--check`` a missed limit ends with exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from seatrial.process.running import free_port

YARDSTICK = [sys.executable, "-c", "import prefect, great_expectations, mlflow, sklearn, pandas"]
SEATRIAL = [sys.executable, "-m", "seatrial"]
VALIDATE = [*SEATRIAL, "validate", "models:/payments/1", "--quiet"]
JUDGE = [sys.executable, "-c", "import prefect, great_expectations, mlflow"]
WORKER = [sys.executable, "-c", "import pandas, pyarrow, sqlalchemy, skops.io"]  # of the example; and a fresh one
SAMPLE_SECONDS = 0.02
KINDS = {  # of processes, by what is in their command
    "seatrial.worker.main": "worker", "prefect.server": "Prefect server", "uvicorn": "service", "guard.py": "guards",
    "namespaces.py": "guards", "bwrap": "guards", "-m seatrial": "judge",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One run of a command: wall-clock seconds, and processor seconds by kind of process."""

    seconds: float
    cpu: Mapping[str, float]


def run(command: list[str], cwd: Path, **more: str) -> Run:
    """Run a command and sample all that it starts."""
    own = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | more
    begin = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as started, sampled(started.pid) as spent:  # fmt: skip
        code = started.wait()
    seconds = time.perf_counter() - begin
    assert code == 0, f"{command} ended with {code}"
    by_kind: dict[str, float] = {}
    for kind, cpu in spent.values():
        by_kind[kind] = by_kind.get(kind, 0.0) + cpu
    return Run(seconds, by_kind)


@contextlib.contextmanager
def sampled(pid: int) -> Iterator[dict[int, tuple[str, float]]]:
    """Sample the processor seconds of a process and its family until the block ends."""
    spent: dict[int, tuple[str, float]] = {}
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            with contextlib.suppress(psutil.Error):
                parent = psutil.Process(pid)
                for one in (parent, *parent.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        times = one.cpu_times()
                        spent[one.pid] = (kind_of(one), times.user + times.system)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield spent
    finally:
        stop.set()
        thread.join()


def kind_of(process: psutil.Process) -> str:
    """Return the kind of a process, by its command."""
    words = " ".join(process.cmdline())
    return next((kind for part, kind in KINDS.items() if part in words), "other")


def measure(command: list[str], cwd: Path, rounds: int, **more: str) -> tuple[float, float, Run]:
    """Return the median of the ratios to the yardstick, the median of the seconds, and the last run."""
    runs = []
    for _ in range(rounds + 1):  # the first does not count: it compiles and fills caches
        bare = run(YARDSTICK, cwd)
        runs.append((bare, run(command, cwd, **more)))
    ratios = [r.seconds / bare.seconds for bare, r in runs[1:]]
    return statistics.median(ratios), statistics.median(r.seconds for _, r in runs[1:]), runs[-1][1]


@contextlib.contextmanager
def prefect_server(home: Path) -> Iterator[tuple[str, float]]:
    """Start a Prefect server and give the address of its API, and the processor seconds that it took to start."""
    import urllib.request

    port = free_port()
    env = {**os.environ, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "prefect.server.api.server:create_app",
        "--port",
        str(port),
    ]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            url = f"http://127.0.0.1:{port}/api"
            until = time.monotonic() + 120
            while time.monotonic() < until:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{url}/health", timeout=5).close()
                    break
                time.sleep(0.1)
            times = psutil.Process(started.pid).cpu_times()
            yield url, times.user + times.system
        finally:
            started.terminate()


def floor(server: float) -> tuple[float, float]:
    """Return the floor with a Prefect server of its own, and with one that runs; ``server`` seconds start it."""
    bare = run(YARDSTICK, Path.cwd()).seconds
    imports = sum(sum(run(command, Path.cwd()).cpu.values()) for command in (JUDGE, WORKER, WORKER))
    processors = len(os.sched_getaffinity(0))
    return (imports + server) / processors / bare, imports / processors / bare


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "payments"
        run([*SEATRIAL, "init", str(project), "--example", "payments"], Path(place))
        run([sys.executable, "payments/train.py"], project)
        with prefect_server(Path(place) / "prefect") as (url, starting):
            measured = {
                "validate, no service": (1.5, measure([*VALIDATE, "--in-process"], project, chosen.rounds)),
                "the same, a Prefect server runs": (
                    1.2, measure([*VALIDATE, "--in-process"], project, chosen.rounds, PREFECT_API_URL=url)
                ),
                "validate, with its service": (3.0, measure(VALIDATE, project, chosen.rounds)),
                "demo": (5.0, measure([*SEATRIAL, "demo", f"{place}/demo", "--quiet"], Path(place), chosen.rounds)),
            }  # fmt: skip
            own, running = floor(starting)
        help_ = run([*SEATRIAL, "--help"], project).seconds - run([sys.executable, "-c", "pass"], project).seconds
    print(f"{'':34}{'ratio':>7}{'limit':>7}{'seconds':>9}")
    for what, (limit, (ratio, seconds, _)) in measured.items():
        print(f"{what:34}{ratio:7.2f}{limit:7.1f}{seconds:9.2f}")
    print(f"{'--help, seconds beyond python':34}{help_:7.2f}{0.5:7.1f}")
    what = f"floor on {len(os.sched_getaffinity(0))} processors"
    print(f"{what:34}{own:7.2f}; with a Prefect server that runs {running:.2f}")
    kinds = sorted({kind for _, (_, _, last) in measured.values() for kind in last.cpu})
    print(f"\n{'CPU seconds':34}" + "".join(f"{kind:>16}" for kind in kinds))
    for what, (_, (_, _, last)) in measured.items():
        print(f"{what:34}" + "".join(f"{last.cpu.get(kind, 0.0):16.2f}" for kind in kinds))
    missed = help_ > 0.5 or any(ratio > limit for limit, (ratio, _, _) in measured.values())
    return int(chosen.check and missed)


if __name__ == "__main__":
    sys.exit(main())
