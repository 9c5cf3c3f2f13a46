"""How often a clean matrix fails: ``python tests/bench/bench_resilience.py --matrices 200``.

The payments service with all its protections, over a real PostgreSQL, every fault scenario again and again on one
service. The yardstick is zero: every finding, and every criterion that is not evaluated, is false. About 60 s a matrix
on two idle cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from seatrial.checks.resilience.experiment import experiment_on
from seatrial.checks.resilience.fallback import baseline_of
from seatrial.checks.resilience.matrix import high_water, run_burst, run_scenario
from seatrial.checks.resilience.together import Proxies
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import scenarios_of
from seatrial.checks.serving.service import serve
from seatrial.faults.proxy.dependency import DependencyProxy
from tests.e2e.trials.weather import payments_over_postgres


def main() -> None:
    """Print one line a matrix that is not clean, and the count of all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--matrices", type=int, default=200)
    options = parser.parse_args()
    false: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory, payments_over_postgres(directory) as ground:
        made = ground.trial()
        url = ground.pipeline.dependencies["store"].url
        with (
            Proxies({"store": DependencyProxy(url)}) as between,
            serve(made, model_path=ground.path, urls=between.through) as up,
        ):
            held = baseline_of(made, ["store"], expected(made), made.policy.failure_policy("store"))
            rows = scenarios_of(held.policy, url)
            begin, dirty, again = time.monotonic(), 0, 0
            for number in range(options.matrices):
                at = replace(experiment_on(made, "store", between, up, held), seed=number)
                at.recover()
                burst, broken = run_burst(at)
                said = [f"burst, {b.criterion}: {b.clause}" for b in broken]
                false.update(f"burst, {b.criterion}" for b in broken)
                baseline = high_water(burst)
                at.recover()
                for row in rows:
                    seen, broken, _ = run_scenario(at, row, baseline)
                    again += seen.attempts - 1
                    said += [f"{row.name}, {b.criterion}: {b.clause}" for b in broken]
                    false.update(
                        f"{row.name}, {b.criterion}{'' if b.evaluated else ' (not evaluated)'}" for b in broken
                    )
                dirty += bool(said)
                if said:
                    print(f"matrix {number}: {'; '.join(said)}", flush=True)
            spent = (time.monotonic() - begin) / options.matrices
            print(f"{dirty} of {options.matrices} matrices of {len(rows)} scenarios were not clean")
            print(f"{spent:.1f} s each; {again} scenarios took a second attempt")
            for what, times in false.most_common():
                print(f"  {times} x {what}")


if __name__ == "__main__":
    main()
