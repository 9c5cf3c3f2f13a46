"""Clean validations, drawn anew: ``python tests/bench/clean_runs.py payments|taxi|ranker [RUNS [FIRST_SEED]]``.

Each run draws other requests with another seed, captures a reference of them, and asks the in-process checks. One in
ten asks everything. The others leave out the expectations, where Great Expectations judges the comparison that golden
judges, and let the invariants call each stage a few times. The test suite asks most of its runs less, to be quick. Exit
code 1 when one clean run did not pass, or warned.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from seatrial import Dependency, Outcome, Pipeline, Policy, Reference, capture, run  # noqa: E402
from seatrial.io.loading import load_file  # noqa: E402
from tests.e2e.trials import chicago, ranker  # noqa: E402
from tests.support import paths  # noqa: E402

WHOLE = 10  # one run in so many asks everything
CALLS = 6  # of each stage by the invariants, in the others
MOST = ("golden", "invariants", "quality", "environment")
Draw = Callable[[int], tuple[Pipeline, Reference, Any, Policy]]


def payments(folder: Path) -> Draw:
    """The example project, with 1,200 payments a run: fewer may hold too few frauds to judge the model by."""
    serving, learnt, traffic, store, train = (
        load_file(paths.EXAMPLE / f"{n}.py")
        for n in ("pipeline", "payments_model", "payments_traffic", "payments_store", "train")
    )
    url = f"sqlite:///{folder / 'payments.db'}"
    store.fill_store(url, traffic.make_customers(), traffic.make_history())
    made = serving.pipeline
    pipeline = Pipeline(
        made.name, key=made.key, model=made.model, dependencies=[Dependency("store", url, store.FeatureStore)],
        **{name: made.stage(name).function for name in made.stages},
    )  # fmt: skip
    past = traffic.make_payments(6_000, seed=1)
    model = learnt.fit(train.training_features(past), past["is_fraud"])
    policy = Policy.load(ROOT / "expectations", pipeline)

    def draw(seed: int) -> tuple[Pipeline, Reference, Any, Policy]:
        drawn = 1_000 + seed  # no seed of training
        given = {"features": train.training_features(traffic.make_payments(1_200, drawn))}
        requests, labels = traffic.make_requests(1_200, drawn), traffic.make_labels(1_200, drawn)
        return pipeline, capture(pipeline, requests, model=model, given=given, labels=labels, seed=seed), model, policy

    return draw


def taxi(_: Path) -> Draw:
    """Real trips, 800 a run, and the features as the warehouse makes them."""
    trained = 6_000
    trips = chicago.read(paths.SHARED / "data" / "chicago_taxi.csv")
    features, labels = chicago.training_features(trips), chicago.labels(trips)
    model = chicago.fit(features[:trained], labels["tipped"][:trained])

    def draw(seed: int) -> tuple[Pipeline, Reference, Any, Policy]:
        rows = np.random.default_rng(seed).choice(np.arange(trained, len(trips)), 800, replace=False)
        given, known = {"features": features.iloc[rows]}, labels.iloc[rows]
        requests = chicago.requests(trips.iloc[rows])
        reference = capture(chicago.pipeline, requests, model=model, given=given, labels=known, seed=seed)
        return chicago.pipeline, reference, model, chicago.policy

    return draw


def ranked(_: Path) -> Draw:
    """Lists of items, some of them empty, the best first; 90 requests a run."""
    model = ranker.fit(seed=1)

    def draw(seed: int) -> tuple[Pipeline, Reference, Any, Policy]:
        requests = ranker.requests(90, 1_000 + seed)
        labels = ranker.labels(requests, 1_000 + seed)
        reference = capture(ranker.pipeline, requests, model=model, labels=labels, seed=seed)
        return ranker.pipeline, reference, model, ranker.policy

    return draw


def quick(made: Pipeline) -> Pipeline:
    """The same pipeline, each stage of which is called a few times by the invariants."""
    stages = {name: replace(made.stage(name), calls=CALLS) for name in made.stages}
    return Pipeline(made.name, key=made.key, model=made.model, dependencies=list(made.dependencies.values()), **stages)


PROJECTS = {"payments": payments, "taxi": taxi, "ranker": ranked}


def main(project: str, runs: int = 300, first: int = 0) -> int:
    begin, passed = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        draw = PROJECTS[project](Path(folder))
        for n, seed in enumerate(range(first, first + runs)):
            pipeline, reference, model, policy = draw(seed)
            asked, checks = (pipeline, None) if n % WHOLE == 0 else (quick(pipeline), MOST)
            verdict = run(asked, reference, checks, model=model, policy=policy, seed=seed)
            told = [f.message for f in verdict.findings if f.severity != "info"]
            clean = verdict.outcome is Outcome.PASS and not told
            passed += clean
            if not clean:
                print(f"seed {seed}: {verdict.summary} {told}", flush=True)
            if n % 25 == 24:
                print(f"{n + 1} runs, {passed} passed, {time.perf_counter() - begin:.0f} s", flush=True)
    print(f"{passed} of {runs} clean validations of {project} passed, {time.perf_counter() - begin:.0f} s")
    return int(passed != runs)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PROJECTS:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
