"""What a pass of the payments example is worth, and whether 500 chosen rows are worth 5,000 drawn at random.

python tests/bench/bench_mutation.py [--kinds code frame] [--sample N] [--rows 20000]
    [--only mutation|selection] [--pool 10000] [--chosen 500] [--drawn 5000] [--draws 1]

1. The mutation test of the reference that training captures: mutation score and share of the right stage, code and
   frame mutants apart. As equivalence is decided by rows, the score with every equivalent mutant counted as a survivor
   is its lower bound.
2. Golden sets: 500 rows selected from a pool of requests against 5,000 drawn from it at random, by the mutants that the
   comparison with the reference kills.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import Policy, Reference, capture, registry
from seatrial.checks.engine import loaded
from seatrial.cli.scaffold import init
from seatrial.fixtures.golden.select import select
from seatrial.io.loading import load_file
from seatrial.mutation import evaluate
from seatrial.mutation.mutants import bare
from seatrial.mutation.opening import fork_server
from seatrial.mutation.pool import run_each
from seatrial.mutation.results import EQUIVALENT, KILLED, STILLBORN, SURVIVED
from seatrial.mutation.run import KINDS, mutants_of, run_mutation_test
from seatrial.pipeline import Pipeline
from seatrial.project import Project

SECONDS = 300.0
BOUNDARIES = {"postprocess.probability": [0.08, 0.3], "prediction.amount_ratio": [3.0]}


def trained(root: Path) -> tuple[Project, Any]:
    """A project as ``seatrial init`` writes it, with one version of the model."""
    project = Project.find(init(root / "project", quiet=True))
    project.activate()
    load_file(project.pipeline_file.parent / "train.py").train(1)
    return project, registry.fetch(registry.resolve("models:/payments/1"), root / "fetched")


def mutation(pipeline: Pipeline, reference: Reference, policy: Policy, model: Path, stated: argparse.Namespace) -> None:
    """Print the scores of a mutation test and its survivors."""
    report = run_mutation_test(
        pipeline, reference, model=model, policy=policy, kinds=stated.kinds, sample=stated.sample, rows=stated.rows,
        seconds=SECONDS, on_progress=progress(),
    )  # fmt: skip
    for kind in KINDS:
        tally = report.tally(kind=kind)
        killed, survived, equal = map(tally.count, (KILLED, SURVIVED, EQUIVALENT))
        if not killed:
            continue
        print(f"{kind}: {len(tally.mutants):,} mutants, {killed:,} killed, {survived:,} survived, "
              f"{equal:,} equivalent, {tally.count(STILLBORN):,} stillborn")  # fmt: skip
        print(f"  mutation score {tally.mutation_score:.2%} (limit 95 %), right stage "
              f"{tally.right_stage_share:.2%} (limit 95 %); "
              f"with every equivalent as a survivor {killed / (killed + survived + equal):.2%}")  # fmt: skip
    print(f"  {report.seconds:,.0f} s, {report.candidates:,} rows beyond the reference {report.remark}")
    for mutant in report.survivors:
        print(f"  survived: {mutant.name} {'; '.join(mutant.differences)}")
        print("".join(f"      {line}\n" for line in mutant.diff.splitlines()), end="")
    for mutant in report.mutants:
        if mutant.kind == "code" and mutant.outcome == EQUIVALENT:
            print(
                f"  equivalent: {mutant.name} {' '.join(line for line in mutant.diff.splitlines() if line[0] == '+')}"
            )


def selection(pipeline: Pipeline, path: Path, traffic: Any, stated: argparse.Namespace) -> None:
    """Print how many mutants chosen rows kill, and how many random ones."""
    pool, model = stated.pool, loaded(pipeline, path)
    requests = traffic.make_requests(pool, seed=7)
    candidates = capture(pipeline, requests, model=model)
    begin = time.perf_counter()
    chosen = select(pipeline, candidates, stated.chosen, model=model, boundaries=BOUNDARIES)
    print(f"{len(chosen.positions):,} rows chosen of {pool:,} in {time.perf_counter() - begin:.1f} s")
    rng = np.random.default_rng(0)
    sets = {"chosen": np.array(chosen.positions)}
    sets |= {f"random {n + 1}": np.sort(rng.choice(pool, stated.drawn, replace=False)) for n in range(stated.draws)}
    killed = {
        name: kills(pipeline, capture(pipeline, requests.iloc[rows].reset_index(drop=True), model=model), path)
        for name, rows in sets.items()
    }
    for name, found in killed.items():
        lacks, more = killed["chosen"] - found, found - killed["chosen"]
        print(f"  {name}: {len(sets[name]):,} rows kill {len(found):,} mutants")
        print("".join(f"      the chosen alone kill {one}\n" for one in sorted(lacks)), end="")
        print("".join(f"      these alone kill {one}\n" for one in sorted(more)), end="")
    enough = len(killed["chosen"]) >= max(map(len, killed.values()))
    print(f"  the chosen rows kill {'at least as many as' if enough else 'FEWER than'} the random ones")


def kills(pipeline: Pipeline, reference: Reference, model: Path) -> set[str]:
    """Return the mutants that a reference kills, by the comparison with it."""
    context = evaluate.MutationContext(bare(pipeline), reference, Policy())
    show, found = progress(), set()
    with fork_server(pipeline) as server:
        server.load(reference, {"version": model})
        every = mutants_of(pipeline, reference, ["code"], server=server)
        compare = partial(evaluate.by_comparison, context)
        for done, (n, ended) in enumerate(run_each(server.fork, compare, every, seconds=SECONDS)):
            show(f"{len(reference.requests):,} rows", done, len(every))
            if ended.value is None or ended.value["outcome"] in (evaluate.KILLED, evaluate.CHAIN_ONLY):
                found.add(f"{every[n]} {every[n].change.diff}")
    return found


def progress() -> Any:
    """Return a function that prints progress now and then."""
    begin = time.perf_counter()

    def show(what: str, done: int, of: int) -> None:
        if done % 100 == 0:
            print(f"    {time.perf_counter() - begin:6.0f} s  {what} {done:,} of {of:,}", flush=True)

    return show


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kinds", nargs="+", default=KINDS)
    options.add_argument("--sample", type=int)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--pool", type=int, default=10_000)
    options.add_argument("--chosen", type=int, default=500)
    options.add_argument("--drawn", type=int, default=5_000)
    options.add_argument("--draws", type=int, default=1)
    options.add_argument("--only", choices=["mutation", "selection"])
    stated = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project, fetched = trained(Path(scratch))
        pipeline = project.pipeline()
        if stated.only != "selection":
            mutation(pipeline, fetched.reference, project.policy(pipeline), fetched.model, stated)
        if stated.only != "mutation":
            traffic = load_file(project.pipeline_file.parent / "payments_traffic.py")
            selection(pipeline, fetched.model, traffic, stated)


if __name__ == "__main__":
    main()
