"""``seatrial.run`` on a large reference against the path itself: ``python tests/bench/bench_run.py [--rows 1000000]``.

A path of four stages over 20 number columns and one text column, every stage vectorised. The yardstick, in the same
run: the stages called one after the other on the requests, and each of the reference's frames read once. The peak is
the memory that the process holds beyond what it held before, in units of the frames of the two largest stages. Each is
measured in a process of its own. With ``--check`` a missed limit ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from seatrial import Pipeline, Reference, capture, run

FEATURES = 20
LIMITS = {"seconds": 4.0, "peak": 2.0}


def raw(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{f"x{n}": frame[f"x{n}"].clip(-5, 5) for n in range(FEATURES)})


def features(frame: pd.DataFrame) -> pd.DataFrame:
    made = {f"f{n}": np.log1p(np.abs(frame[f"x{n}"])) * frame[f"x{(n + 1) % FEATURES}"] for n in range(FEATURES)}
    return pd.DataFrame({"id": frame["id"], "group": frame["group"].str.upper(), **made})


def prediction(frame: pd.DataFrame) -> pd.DataFrame:
    logits = frame[[f"f{n}" for n in range(FEATURES)]].to_numpy() @ np.linspace(-1, 1, FEATURES)
    return pd.DataFrame({"id": frame["id"], "score": 1 / (1 + np.exp(-logits))})


def response(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(accepted=frame["score"] < 0.5)


PIPELINE = Pipeline("large", key="id", raw=raw, features=features, prediction=prediction, response=response)


def requests(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {f"x{n}": rng.normal(size=rows) for n in range(FEATURES)}
    groups = np.array(["north", "south", "east", "west"])[rng.integers(0, 4, rows)]
    return pd.DataFrame({"id": np.arange(rows), "group": groups, **columns})


def the_path(reference: Reference) -> None:
    """Read every frame of the reference once, and run the path once."""
    frame = reference.requests
    for stage in PIPELINE.stages:
        reference.frame(stage)
        frame = PIPELINE.step(stage)(frame)


def the_run(reference: Reference) -> None:
    verdict = run(PIPELINE, reference)
    assert verdict.outcome.value == "pass", verdict.summary


def measured(work: Callable[[Reference], None], folder: Path) -> dict[str, Any]:
    """Return seconds and peak bytes of one piece of work, in this process."""
    reference, own, peak, stop = Reference.load(folder), psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            peak[0] = max(peak[0], own.memory_info().rss)

    before = own.memory_info().rss
    thread = threading.Thread(target=watch)
    thread.start()
    begin = time.perf_counter()
    work(reference)
    seconds = time.perf_counter() - begin
    stop.set()
    thread.join()
    return {"seconds": seconds, "peak": peak[0] - before}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--work", choices=["path", "run"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        print(json.dumps(measured({"path": the_path, "run": the_run}[chosen.work], chosen.folder)))
        return 0
    with tempfile.TemporaryDirectory() as place:
        reference = capture(PIPELINE, requests(chosen.rows))
        reference.save(Path(place) / "reference")
        sizes = sorted(int(reference.frame(s).memory_usage(deep=True).sum()) for s in PIPELINE.stages)
        found = {}
        for work in ("path", "run"):
            command = [sys.executable, __file__, "--work", work, "--folder", f"{place}/reference"]
            found[work] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    ratios = {
        "seconds": found["run"]["seconds"] / found["path"]["seconds"],
        "peak": found["run"]["peak"] / sum(sizes[-2:]),
    }
    print(f"{chosen.rows:,} rows: the path and one reading {found['path']['seconds']:.2f} s")
    print(f"run: {found['run']['seconds']:.2f} s, {ratios['seconds']:.1f} times (limit {LIMITS['seconds']:.1f})")
    held = f"{found['run']['peak'] / 2**20:,.0f} MiB, {ratios['peak']:.1f} times two stages' frames"
    print(f"peak: {held} (limit {LIMITS['peak']:.1f})")
    return int(chosen.check and any(ratios[name] > LIMITS[name] for name in LIMITS))


if __name__ == "__main__":
    sys.exit(main())
