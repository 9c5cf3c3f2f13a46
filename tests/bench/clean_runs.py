"""Clean validations of the real taxi trips: ``python tests/bench/clean_runs.py [RUNS [FIRST_SEED]]``.

Each run draws other rows with another seed, captures a reference of them, and asks every in-process check. The test
suite asks most of its runs less, to be quick. Exit code 1 when one clean run did not pass.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from seatrial import Outcome, capture, run  # noqa: E402
from tests.e2e.trials import chicago  # noqa: E402

TRAINED, ROWS = 6_000, 400


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    trips = chicago.read(ROOT.parent / "shared" / "data" / "chicago_taxi.csv")
    features = chicago.training_features(trips)
    model = chicago.fit(features[:TRAINED], chicago.labels(trips)["tipped"][:TRAINED])
    begin, passed = time.perf_counter(), 0
    for seed in range(first, first + runs):
        rows = np.random.default_rng(seed).choice(np.arange(TRAINED, len(trips)), ROWS, replace=False)
        some = trips.iloc[rows]
        reference = capture(
            chicago.pipeline, chicago.requests(some), model=model, given={"features": features.iloc[rows]},
            labels=chicago.labels(some), seed=seed,
        )  # fmt: skip
        verdict = run(chicago.pipeline, reference, model=model, policy=chicago.policy, seed=seed)
        passed += verdict.outcome is Outcome.PASS
        if verdict.outcome is not Outcome.PASS:
            print(f"seed {seed}: {verdict.summary}", flush=True)
        if (seed - first) % 25 == 24:
            print(f"{seed - first + 1} runs, {passed} passed, {time.perf_counter() - begin:.0f} s", flush=True)
    print(f"{passed} of {runs} clean validations of {ROWS} trips passed, {time.perf_counter() - begin:.0f} s")
    return int(passed != runs)


if __name__ == "__main__":
    sys.exit(main())
