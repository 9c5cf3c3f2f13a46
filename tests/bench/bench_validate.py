"""Whole commands against the imports they cannot do without, in turn: ``python tests/bench/bench_validate.py``.

The yardstick is ``python -c "import prefect, great_expectations, mlflow, sklearn, pandas"`` in the same run. Each
command and the yardstick run one right after the other; a ratio is the median of the pairs' ratios. ``wall`` is that of
the seconds on the clock, which is what a limit is about, and means little on a machine that does something else too:
the load that is printed says so. ``cpu`` is that of the processor seconds of all processes. Divided by the number of
processors it is what the wall ratio cannot fall below on an idle machine.
The second table has the processor seconds of each process of the last run, sampled, so that a process of less than
50 ms may be missed. The floor is what no validation here can be faster than, before anything is compared: the processor
seconds that its processes need for their imports alone, spread evenly over all processors, in units of the yardstick.
``--only WORD`` measures the commands with that word in their name. With ``--check`` a missed limit ends with exit
code 1.
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

from seatrial.orchestration.runner import SERVER
from seatrial.orchestration.temporary.database import Database
from seatrial.orchestration.temporary.settings import settings
from seatrial.process.running import free_port

YARDSTICK = [sys.executable, "-c", "import prefect, great_expectations, mlflow, sklearn, pandas"]
SEATRIAL = [sys.executable, "-m", "seatrial"]
VALIDATE = [*SEATRIAL, "validate", "models:/payments/1", "--quiet", "--no-cache"]
JUDGE = [sys.executable, "-c", "import prefect, great_expectations, mlflow"]
WORKER = [sys.executable, "-c", "import pandas, pyarrow, sqlalchemy, skops.io"]  # of the example; and a fresh one
SAMPLE_SECONDS = 0.05
TICKS = os.sysconf("SC_CLK_TCK")
KINDS = {  # of processes, by what is in their command
    "seatrial.worker.main": "worker", "prefect.server": "Prefect server", "uvicorn": "service", "guard.py": "guards",
    "namespaces.py": "guards", "bwrap": "guards", "-m seatrial": "judge",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One run of a command: seconds on the clock, processor seconds of all its processes, and those sampled by kind."""

    seconds: float
    spent: float
    cpu: Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """The medians of a command's ratios to the yardstick and of its seconds, and its last run."""

    wall: float
    cpu: float
    seconds: float
    last: Run


def run(command: list[str], cwd: Path, **more: str) -> Run:
    """Run a command and sample all that it starts."""
    own = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | more
    begin = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as started:  # fmt: skip
        with sampled(started.pid) as by_process:
            _, status, usage = os.wait4(started.pid, 0)  # with what its children used, and theirs
        code = started.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    assert code == 0, f"{command} ended with {code}"
    by_kind: dict[str, float] = {}
    for kind, cpu in by_process.values():
        by_kind[kind] = by_kind.get(kind, 0.0) + cpu
    return Run(seconds, usage.ru_utime + usage.ru_stime, by_kind)


@contextlib.contextmanager
def sampled(pid: int) -> Iterator[dict[int, tuple[str, float]]]:
    """Sample the processor seconds of a process and its family until the block ends."""
    spent: dict[int, tuple[str, float]] = {}
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            waiting = [pid]
            while waiting:
                with contextlib.suppress(OSError, IndexError, ValueError):  # it ended meanwhile
                    one = waiting.pop()
                    place = Path(f"/proc/{one}")
                    fields = (place / "stat").read_text().rpartition(")")[2].split()
                    known = spent.get(one, ("other", 0.0))[0]  # of one that has just ended no command is left
                    spent[one] = (kind_of(place, known), (int(fields[11]) + int(fields[12])) / TICKS)
                    for thread in os.listdir(place / "task"):
                        waiting += map(int, (place / "task" / thread / "children").read_text().split())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield spent
    finally:
        stop.set()
        thread.join()


def kind_of(process: Path, known: str) -> str:
    """Return the kind of a process, by its command; ``known`` where that tells nothing."""
    words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return next((kind for part, kind in KINDS.items() if part in words), known)


def measure(command: list[str], cwd: Path, rounds: int, **more: str) -> Measured:
    """Run a command and the yardstick in turn."""
    pairs = []
    for number in range(rounds + 1):  # the first does not count: it compiles and fills caches
        if number or rounds > 1:
            pairs.append((run(YARDSTICK, cwd), run(command, cwd, **more)))
        else:
            run(command, cwd, **more)
    counted = pairs[-rounds:]
    return Measured(
        statistics.median(r.seconds / bare.seconds for bare, r in counted),
        statistics.median(r.spent / bare.spent for bare, r in counted),
        statistics.median(r.seconds for _, r in counted),
        counted[-1][1],
    )


@contextlib.contextmanager
def prefect_server(home: Path) -> Iterator[tuple[str, float]]:
    """Start a Prefect server and give the address of its API, and the processor seconds that it took to start."""
    import urllib.request

    port = free_port()
    given = {**os.environ, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    env, command = settings(given, migrated=Database(given).prepare()), [*SERVER, str(port)]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            url = f"http://127.0.0.1:{port}/api"
            until = time.monotonic() + 600  # on a busy machine
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
    bare = run(YARDSTICK, Path.cwd()).spent
    imports = sum(run(command, Path.cwd()).spent for command in (JUDGE, WORKER, WORKER))
    processors = len(os.sched_getaffinity(0))
    return (imports + server) / processors / bare, imports / processors / bare


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    processors, begin_load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "payments"
        run([*SEATRIAL, "init", str(project), "--example", "payments"], Path(place))
        run([sys.executable, "payments/train.py"], project)
        with prefect_server(Path(place) / "prefect") as (url, _):
            in_process = [*VALIDATE, "--in-process"]
            commands: dict[str, tuple[float, list[str], Path, dict[str, str]]] = {
                "validate, no service": (1.5, in_process, project, {}),
                "the same, a Prefect server runs": (1.2, in_process, project, {"PREFECT_API_URL": url}),
                "validate, with its service": (3.0, VALIDATE, project, {}),
                "demo": (5.0, [*SEATRIAL, "demo", f"{place}/demo", "--quiet"], Path(place), {}),
            }
            measured = {
                what: (limit, measure(command, where, chosen.rounds, **more))
                for what, (limit, command, where, more) in commands.items() if chosen.only in what
            }  # fmt: skip
        with prefect_server(Path(place) / "floor") as (_, starting):
            own, running = floor(starting)
        help_ = run([*SEATRIAL, "--help"], project).seconds - run([sys.executable, "-c", "pass"], project).seconds
    print(f"{processors} processors; load {begin_load:.1f} at the begin, {os.getloadavg()[0]:.1f} at the end")
    print(f"{'':34}{'wall':>7}{'limit':>7}{'seconds':>9}{'cpu':>7}{'cpu s':>8}")
    for what, (limit, found) in measured.items():
        print(f"{what:34}{found.wall:7.2f}{limit:7.1f}{found.seconds:9.2f}{found.cpu:7.2f}{found.last.spent:8.2f}")
    print(f"{'--help, seconds beyond python':34}{help_:7.2f}{0.5:7.1f}")
    what = f"floor on {processors} processors"
    print(f"{what:34}{own:7.2f}; with a Prefect server that runs {running:.2f}")
    kinds = sorted({kind for _, found in measured.values() for kind in found.last.cpu})
    print(f"\n{'CPU seconds':34}" + "".join(f"{kind:>16}" for kind in kinds))
    for what, (_, found) in measured.items():
        print(f"{what:34}" + "".join(f"{found.last.cpu.get(kind, 0.0):16.2f}" for kind in kinds))
    missed = help_ > 0.5 or any(found.wall > limit for limit, found in measured.values())
    return int(chosen.check and missed)


if __name__ == "__main__":
    sys.exit(main())
