"""The open-loop client against Locust's FastHttpUser, on one core each, and against the truth through a stall.

    python tests/bench/bench_load.py [--locust PATH/TO/locust] [--seconds 4] [--reserve]

1. Throughput: requests a second and a CPU-second of each generator flat out against the same stub server.
2. Punctuality: p99 of the lag when offering half of Locust's best rate.
3. Truth: a service of known latencies that stalls for 2 s; p50, p99, p99.9 against what follows from the schedule,
   and what a closed loop of the same mean rate reports.
4. Workers: the same schedule sent by one process and shared by two, and by two Dask workers, histograms merged.

The server and each generator run on a core of their own where there are two. Where the machine is shared, and
permits it, ``--reserve`` gives both a share of core time that no neighbour takes (SCHED_DEADLINE) from 2. on; what
is compared with Locust runs as Locust does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from seatrial.loadgen.client import offer
from seatrial.loadgen.estimates import quantile
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.schedule import Schedule, constant, poisson
from seatrial.loadgen.validity import invalid_reasons
from seatrial.loadgen.workers import offer_by
from tests.support.dask_cluster import two_workers
from tests.support.load_shapes import percentile_seconds

STUB = Path(__file__).resolve().parents[1] / "support" / "stub.py"

LOCUSTFILE = """
from locust import FastHttpUser, constant, task
class User(FastHttpUser):
    wait_time = constant(0)
    @task
    def ask(self):
        self.client.post("/", data=b"x")
"""


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def reserve(pid: int, share: float) -> None:
    """Reserve a share of a core for a process, in slices of 10 ms; what it starts is not included."""
    os.sched_setaffinity(pid, set(range(os.cpu_count() or 1)))  # reserved time is not bound to a core
    slices = [f"--sched-runtime={share * 1e7:.0f}", "--sched-deadline=10000000", "--sched-period=10000000"]
    subprocess.run(["chrt", "--reset-on-fork", "--deadline", *slices, "--pid", "0", str(pid)], check=True)


def flat_out(url: str, seconds: float) -> tuple[float, float]:
    """Requests a second, and a CPU-second, with every request due at once: the client's own ceiling."""
    count = int(8_000 * seconds)
    burst = Schedule(np.linspace(0, 0.01, count), 0.01)
    used, begun = cpu_seconds(), time.perf_counter()
    run = offer(url, burst, [b"x"], connections=32, timeout_seconds=60)
    assert run.good.all()
    return count / (time.perf_counter() - begun), count / (cpu_seconds() - used)


def locust(path: str, url: str, seconds: float) -> tuple[float, float]:
    """The same two figures for 32 FastHttpUsers without think time."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "locustfile.py").write_text(LOCUSTFILE)
        used = cpu_seconds(resource.RUSAGE_CHILDREN)
        options = ["--headless", "-u", "32", "-r", "32", "-t", f"{seconds:g}s", "--json", "--loglevel", "ERROR"]
        done = subprocess.run(
            [path, "-f", "locustfile.py", "--host", url.rstrip("/"), *options],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        cpu = cpu_seconds(resource.RUSAGE_CHILDREN) - used
    figures = json.loads(done.stdout[done.stdout.index("[") :])[0]
    return figures["num_requests"] / seconds, figures["num_requests"] / cpu


def through_a_stall(url: str, rate: float, seconds: float, stall: float) -> list[tuple[str, float, float, float]]:
    """Rows of (percentile, truth, open loop, closed loop), in seconds."""
    schedule = poisson(constant(rate, seconds), 5)
    delays = np.random.default_rng(5).integers(30, 60, len(schedule)) / 1000
    index = len(schedule) // 2
    delays[index] = 0
    payloads = [b"d%.3f" % each for each in delays]
    payloads[index] = b"s%g" % stall
    begin, done = schedule.at[index], schedule.at + delays
    truth = np.where((done >= begin) & (done < begin + stall), begin + stall, done) - schedule.at
    run = offer(url, schedule, payloads, connections=4096, timeout_seconds=30)
    for reason in invalid_reasons(run, 0.1):
        print(f"   VOID: {reason}")
    closed = closed_loop(url, payloads)
    return [
        (f"p{p * 100:g}", quantile(truth, p), quantile(run.latencies, p), quantile(closed, p))
        for p in (0.5, 0.99, 0.999)
    ]


def closed_loop(url: str, payloads: list[bytes], users: int = 23) -> np.ndarray:
    """What users who each wait for their answer before asking again see of the same requests, in seconds.

    Twenty-three of them make 500 requests a second of a service that takes 45 ms.
    """
    todo, seen = iter(payloads), []
    lock = threading.Lock()

    def user() -> None:
        connection = http.client.HTTPConnection(url.split("/")[2])
        while True:
            with lock:
                payload = next(todo, None)
            if payload is None:
                break
            begun = time.perf_counter()
            connection.request("POST", "/", payload)
            connection.getresponse().read()
            seen.append(time.perf_counter() - begun)
        connection.close()

    threads = [threading.Thread(target=user) for _ in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.array(seen)


def shared(url: str, rate: float, seconds: float) -> list[tuple[str, float, float, float, float]]:
    """Percentile, truth, by one process, by two and by two Dask workers, whose histograms are merged, in seconds."""
    schedule = poisson(constant(rate, seconds), 4)
    delays = np.random.default_rng(4).gamma(4, 0.01, len(schedule)).round(3)
    payloads = [b"d%.3f" % each for each in delays]
    one, two = (offer_by(workers, url, schedule, payloads, connections=256) for workers in (1, 2))
    with two_workers() as cluster:
        dask = offer_by(2, url, schedule, payloads, connections=256, cluster=cluster)
    print(f"Dask workers started apart by at most {dask.apart_seconds * 1e3:.1f} ms")
    for run in (one, two, dask):
        if reasons := invalid_reasons(run, 0.25):
            print("   VOID:", "; ".join(reasons))
    owners = schedule.owners(2)
    merged = [merge(histogram(run.latencies[owners == n]) for n in range(2)) for run in (two, dask)]
    every = [histogram(one.latencies), *merged]
    wanted = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
    return [(name, quantile(delays, p), *(percentile_seconds(each, p) for each in every)) for name, p in wanted]


def main() -> None:
    """Run all four, print ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--locust", default=shutil.which("locust"))
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--reserve", action="store_true")
    options = parser.parse_args()
    stub = subprocess.Popen(
        [sys.executable, STUB],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{int(stub.stdout.readline())}/"
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(stub.pid, {cores[-1]})
    os.sched_setaffinity(0, {cores[0]})
    try:
        best, a_cpu = max(flat_out(url, options.seconds) for _ in range(3))
        print(f"seatrial   {best:8.0f} requests/s  {a_cpu:8.0f} a CPU-second")
        half = best / 2
        if options.locust:
            theirs, their_cpu = max(locust(options.locust, url, options.seconds) for _ in range(2))
            print(f"Locust     {theirs:8.0f} requests/s  {their_cpu:8.0f} a CPU-second (with its start-up)")
            print(f"ratio      {best / theirs:8.2f} x requests/s (at least 1 wanted)")
            rates = (theirs / 2, half)
        else:
            print("Locust is not installed: no yardstick. Install locust>=2.47 and pass --locust PATH.")
            rates = (half,)
        if options.reserve:
            reserve(stub.pid, 0.85)
            reserve(os.getpid(), 0.9)
        for rate in rates:
            runs = [offer(url, poisson(constant(rate, options.seconds), seed), [b"x"]) for seed in range(3)]
            lags = np.array([np.quantile(run.lags, [0.5, 0.99, 1.0]) for run in runs]) * 1e3
            p50, p99, worst = lags[lags[:, 1].argmin()]
            print(f"lag at {rate:6.0f}/s  p50 {p50:.3f} ms  p99 {p99:.3f} ms  max {worst:.2f} ms (p99 below 1 wanted)")
        print("a stall of 2 s at 500 requests/s, latencies 30 to 60 ms")
        for name, truth, opened, closed in through_a_stall(url, 500, 20, 2.0):
            print(
                f"{name:>6}  truth {truth:.4f} s  open {opened:.4f} s ({opened / truth - 1:+.2%})  "
                f"closed {closed:.4f} s (wrong by a factor of {truth / closed:.1f})"
            )
        print("the same schedule by one process and by two, 1 000 requests/s for 10 s")
        for name, truth, one, two, dask in shared(url, 1_000, 10):
            print(
                f"{name:>6}  truth {truth:.4f} s  one {one:.4f} s  two {two:.4f} s ({two / one:.3f} of one)  "
                f"Dask {dask:.4f} s ({dask / one:.3f} of one)"
            )
    finally:
        stub.stdin.close()
        stub.wait()


if __name__ == "__main__":
    main()
