"""How often the verdicts of load are wrong, by simulation: ``python tests/bench/bench_load_verdict.py``.

Services whose true p99 is known, in their steady state: a single-server queue at half load whose service takes an
exponential (M/M/1) or a lognormal time (M/G/1), and a service of lognormal latency without a queue. The limit is put
where the truth is exactly at it (a pass is wrong), 10 % better (a failure is wrong), and further off. A service
that is so much better takes that part of every time at the same utilisation.

The second table is the comparison of this version with the champion: versions alike, and 10 to 30 % slower. Both
versions of a pair get the same arrivals; their service times are independent, so that nothing of a payload is shared
(real services share a good part of it, and are told apart with fewer requests).

Prints Markdown; ten minutes with 1,000 trials.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seatrial.loadgen.comparison import PAIR_REQUESTS, PAIRS, compare_runs, figure
from seatrial.loadgen.statistics import Plan, evaluate

Floats = NDArray[np.float64]
HALF, SIGMA, SETTLED = 0.5, 0.5, 500
P99 = 2.3263478740408408  # standard deviations
PLANS = {"p99": [(3, 1_650), (3, 10_000)], "p95": [(3, 1_650)]}
FACTORS = (1.0, 0.9, 0.8, 0.5, 1.2, 1.5)
NAMES = ("M/M/1, half load", "lognormal, half load", "lognormal, no queue")


def service_times(rng: np.random.Generator, name: str, shape: tuple[int, int]) -> Floats:
    """Times of 1 on average."""
    if name.startswith("M/M/1"):
        return rng.exponential(size=shape)
    return rng.lognormal(-(SIGMA**2) / 2, SIGMA, size=shape)


def queued(service: Floats, gaps: Floats) -> Floats:
    """Time in a single-server queue: Lindley's recursion, unrolled, without the time to settle; (runs, requests)."""
    steps = np.zeros_like(service)
    steps[:, 1:] = service[:, :-1] - gaps[:, 1:]
    walk = np.cumsum(steps, axis=1, out=steps)
    return (service + walk - np.minimum(np.minimum.accumulate(walk, axis=1), 0))[:, SETTLED:]


def latencies(rng: np.random.Generator, name: str, runs: int, requests: int, load: float = HALF) -> Floats:
    """Independent runs of one service, shape (runs, requests)."""
    if name.endswith("no queue"):
        return service_times(rng, name, (runs, requests))
    service = service_times(rng, name, (runs, requests + SETTLED))
    return queued(service, rng.exponential(1 / load, size=service.shape))


def limit_of(name: str, percentile: float, load: float = HALF, *, draws: int = 10) -> float:
    """The true percentile: exact where it is known, else of 4 million requests a draw."""
    if name.startswith("M/M/1"):
        return float(-np.log(1 - percentile) / (1 - load))
    if name.endswith("no queue") and percentile == 0.99:
        return float(np.exp(SIGMA * P99 - SIGMA**2 / 2))
    rng = np.random.default_rng(99)
    return float(np.mean([np.quantile(latencies(rng, name, 200, 20_000, load), percentile) for _ in range(draws)]))


def verdicts(
    name: str,
    plan: Plan,
    trials: int,
    *,
    limit: float,
    load: float = HALF,
    factors: Sequence[float] = FACTORS,
    seed: int = 1,
) -> dict[float, Counter[str]]:
    """How often a service is held, violated or inconclusive that takes each factor of the times at the limit."""
    rng = np.random.default_rng([seed, plan.runs, plan.requests])
    found: dict[float, Counter[str]] = {factor: Counter() for factor in factors}
    for _ in range(trials):
        runs = latencies(rng, name, plan.runs, plan.requests, load)
        for factor in factors:
            found[factor][evaluate(list(factor * runs), limit, plan).decision] += 1
    return found


def comparisons(
    name: str, slower: float, trials: int, *, pairs: int = PAIRS, requests: int = PAIR_REQUESTS, margin: float = 0.1
) -> tuple[Counter[str], float]:
    """How often each conclusion is reached about a version that takes so many times as long, and the mean ratio."""
    rng = np.random.default_rng([3, pairs, requests])
    found: Counter[str] = Counter()
    ratios = []
    for _ in range(trials):
        shape = (pairs, requests + SETTLED)
        gaps = rng.exponential(1 / HALF, size=shape)
        sides = [factor * service_times(rng, name, shape) for factor in (1.0, slower)]
        ran = [side[:, SETTLED:] if name.endswith("no queue") else queued(side, gaps) for side in sides]
        champion, challenger = ([figure(run) for run in side] for side in ran)
        result = compare_runs(champion, challenger, margin=margin)
        found[result.conclusion] += 1
        ratios.append(result.ratio)
    return found, float(np.exp(np.mean(np.log(ratios))))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--load", type=float, default=HALF, help="utilisation of the two queues")
    options = parser.parse_args()
    trials = options.trials
    print(f"{trials:,} trials each; each cell: passed / failed, the rest is inconclusive\n")
    print("| service | plan | " + " | ".join(_told(factor) for factor in FACTORS) + " |")
    print("|---|---|" + "---|" * len(FACTORS))
    for label, plans in PLANS.items():
        percentile = float(label[1:]) / 100
        for name in NAMES:
            limit = limit_of(name, percentile, options.load)
            for runs, requests in plans:
                found = verdicts(
                    name, Plan(runs, requests, percentile), trials, limit=limit, load=options.load, seed=options.seed
                )
                cells = [f"{c['held'] / trials:.1%} / {c['violated'] / trials:.1%}" for c in found.values()]
                print(f"| {name} | {label}, {runs} × {requests:,} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nComparison with the champion, {PAIRS} pairs, margin 10 %\n")
    print("| service | requests a run | slower by | no regression | regression | ratio of the latencies |")
    print("|---|---|---|---|---|---|")
    for name in NAMES:
        for requests in (200, PAIR_REQUESTS):
            for slower in (1.0, 1.1, 1.2, 1.3):
                told, ratio = comparisons(name, slower, max(100, trials // 3), requests=requests)
                total = told.total()
                print(
                    f"| {name} | {requests:,} | {slower - 1:.0%} | {told['no regression'] / total:.1%} | "
                    f"{told['regression'] / total:.1%} | {ratio:.2f} |", flush=True
                )  # fmt: skip


def _told(factor: float) -> str:
    if factor == 1:
        return "at the limit"
    return f"{abs(1 - factor):.0%} {'better' if factor < 1 else 'worse'}"


if __name__ == "__main__":
    main()
