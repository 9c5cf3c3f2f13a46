"""A whole validation by partition: its memory and time as the rows grow, against the path itself run by partition.

    python tests/bench/bench_partitions.py [--rows 1000000 4000000] [--model linear trees] [--folder FOLDER]
        [--workers 1 2]

For each size: requests of 20 numbers are written as Parquet, captured from the files, the path of three stages is run
over the partitions and nothing else, and a version that is as in training is validated (expectations, golden in
process, invariants): by plain calls, and by a judge whose stages run in a worker, as ``seatrial validate`` does.
``linear`` is a model that costs hardly anything, ``trees`` one of 100 boosted trees. Each step is a process of its own;
told are its wall and CPU seconds, those of its children included, the most memory that it and its largest child had,
and the ratio of the validations to the path. ``--workers`` compares both replays of all stages by so many Dask workers
of this machine, which are there before, each with a worker of its own for the stages.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from partitions_pipeline import MODELS, NAMES, features, parse, pipeline

from seatrial import Reference, capture, run

if TYPE_CHECKING:
    from seatrial import Trial

CHECKS = ("expectations", "golden", "invariants")
GROUP = 2**18


def write(folder: Path, rows: int) -> None:
    """Write the requests, a row group at a time."""
    rng = np.random.default_rng(rows)
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in NAMES)])
    with pq.ParquetWriter(folder / "requests.parquet", schema, compression="none", use_dictionary=False) as file:
        for start in range(0, rows, GROUP):
            ids = np.arange(start, min(rows, start + GROUP))
            file.write_table(pa.table([ids, *(rng.normal(size=len(ids)) for _ in NAMES)], schema=schema))


def path(folder: Path, model: str) -> None:
    """Run the path on each partition, one after the other."""
    root = folder / f"reference-{model}"
    reference = Reference(root, json.loads((root / "manifest.json").read_text()))  # its files are not hashed here
    for number in range(reference.partitions):
        frame = reference.part(number).requests
        for stage in (parse, features, MODELS[model]):
            frame = stage(frame)


def captured(folder: Path, model: str) -> None:
    """Capture the reference and save it."""
    capture(pipeline(model), folder / "requests.parquet").save(folder / f"reference-{model}")


def validated(folder: Path, model: str) -> None:
    """Validate a version that is as in training; it passes."""
    reference = Reference.load(folder / f"reference-{model}")
    verdict = run(pipeline(model), reference, CHECKS)
    if verdict.outcome.value != "pass":
        raise SystemExit(verdict.summary)


def judged(folder: Path, model: str) -> None:
    """Validate it with the stages in a worker; what is needed starts side by side, as in the command."""
    from seatrial.checks import named
    from seatrial.checks.engine import plan, run_case, verdict_of
    from seatrial.checks.gx.runner import warm_up

    imported = Thread(target=warm_up)
    imported.start()
    with trial(folder, model) as made:
        chosen = named(CHECKS)
        cases = plan(chosen, made)
        events = [event for check, case in cases for event in run_case(check, made, case)]
        verdict = verdict_of(events, made, [case for _, case in cases])
        if verdict.outcome.value != "pass":
            raise SystemExit(verdict.summary)


def on_workers(folder: Path, model: str, count: int) -> float:
    """Return the seconds that both replays of all stages take on so many Dask workers."""
    from seatrial.process.dask.runner import runner

    with runner("local", workers=count) as workers, trial(folder, model) as made:
        made.runner = lambda: contextlib.nullcontext(workers)
        workers.client.run(import_module, "seatrial.isolation.opening.elsewhere")
        begin = time.perf_counter()
        if not made.parity("prediction").ok:
            raise SystemExit("not as in training")
        return time.perf_counter() - begin


@contextlib.contextmanager
def trial(folder: Path, model: str) -> Iterator[Trial]:
    """Return the trial of a version whose stages run in a worker."""
    from seatrial import Trial
    from seatrial.checks.invariants.seeds import hash_seeds
    from seatrial.isolation.opening.project import open_replayer
    from seatrial.isolation.prestart import prestarted
    from seatrial.orchestration.dask.trials import spread
    from seatrial.policy.tool import ScaleSettings
    from seatrial.project import Project

    root = folder / "project"
    root.mkdir(exist_ok=True)
    here = Path(__file__).parent
    (root / "pipeline.py").write_text(
        f"import sys\nsys.path.append({str(here)!r})\nfrom partitions_pipeline import pipeline\n"
        f"bench = pipeline({model!r})\n"
    )
    (root / "pyproject.toml").write_text(f'[tool.seatrial]\npipeline = "pipeline.py:bench"\nreadable = ["{here}"]\n')
    project = Project.find(root)
    with prestarted(project, hash_seeds=hash_seeds(0)):
        reference = Reference.load(folder / f"reference-{model}")
        with open_replayer(project) as opened:
            described = opened.pipeline()
            opened.load(reference, {})
            with Trial(described, reference, replayer=opened) as made:
                spread(made, ScaleSettings())
                yield made


STEPS = {"capture": captured, "path": path, "validate": validated, "judge": judged}


def measured(step: str, folder: Path, model: str) -> dict[str, float]:
    """Run a step in a process of its own and return its seconds, CPU seconds and the most memory it had, in MiB."""
    os.sync()  # what the step before wrote is not written meanwhile
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, "--folder", str(folder), "--model", model],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return {"seconds": time.perf_counter() - begin, **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    """Measure every size, or do one step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 4_000_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--model", choices=MODELS, nargs="+", default=[*MODELS])
    parser.add_argument("--workers", type=int, nargs="*", default=[])
    parser.add_argument("--step", choices=STEPS)
    chosen = parser.parse_args()
    if chosen.step:
        STEPS[chosen.step](chosen.folder, *chosen.model)
        times, children = os.times(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + children
        print(json.dumps({"cpu": sum(times[:4]), "mib": most / 1024}))
        return
    for rows in chosen.rows:
        with tempfile.TemporaryDirectory(prefix="bench-partitions-", dir=chosen.folder) as made:
            folder = Path(made)
            write(folder, rows)
            for model in chosen.model:
                found = {step: measured(step, folder, model) for step in STEPS}
                shown(rows, model, found)
                for count in chosen.workers:
                    took = on_workers(folder, model, count)
                    print(f"{rows:>12,} {model:>7} {count:>2} Dask workers: {took:7.1f} s", flush=True)


def shown(rows: int, model: str, found: Mapping[str, Mapping[str, float]]) -> None:
    """Print the figures of one size and model."""
    for step, each in found.items():
        figures = f"{each['seconds']:7.1f} s, {each['cpu']:7.1f} CPU s, {each['mib']:6.0f} MiB"
        print(f"{rows:>12,} {model:>7} {step:>9}: {figures}")
    for step in ("validate", "judge"):
        ratio, cpu = (found[step][kind] / found["path"][kind] for kind in ("seconds", "cpu"))
        print(f"{rows:>12,} {model:>7} {step} ÷ path: {ratio:.2f} of time, {cpu:.2f} of CPU time", flush=True)


if __name__ == "__main__":
    main()
