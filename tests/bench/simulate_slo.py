"""How often the rule of seatrial.loadgen.statistics is wrong, by simulation: ``python tests/bench/simulate_slo.py``.

A single-server queue (Poisson arrivals, exponential service, first come first served) in its steady state.
The time in such a system is exponential, so its p99 is known exactly, and the limit is put right there: a
pass is wrong. A service 20 % better takes 0.8 of every time at the same utilisation: a pass is right.
Prints a Markdown table over 1 000 trials of each plan; about a minute and 1 GB.
"""

from __future__ import annotations

import argparse

import numpy as np

from seatrial.loadgen.statistics import PLANS, Plan, allowed_misses

# utilisation: (runs, requests a run) to look at
GRID = {
    0.0: [(1, 2_010), (1, 5_000), (3, 5_000)],
    0.5: [(1, 5_000), (1, 10_000), (3, 5_000), (3, 10_000)],
    0.8: [(1, 10_000), (3, 10_000), (7, 10_000), (5, 60_000)],
}


def misses(rng: np.random.Generator, runs: int, requests: int, utilisation: float) -> np.ndarray:
    """Requests over the limit in each run: (runs, 2), for the service on its limit and the one 20 % better.

    Lindley's recursion, unrolled: the wait is a random walk above its own minimum. The first request finds
    the queue as it stands in the long run.
    """
    limit = np.log(100) / (1 - utilisation)
    service = rng.exponential(size=(runs, requests))
    if utilisation:
        steps = np.empty_like(service)
        busy = rng.random(runs) < utilisation
        steps[:, 0] = np.where(busy, rng.exponential(1 / (1 - utilisation), runs), 0)
        steps[:, 1:] = service[:, :-1] - rng.exponential(1 / utilisation, size=(runs, requests - 1))
        walk = np.cumsum(steps, axis=1, out=steps)
        service += walk - np.minimum(np.minimum.accumulate(walk, axis=1), 0)
    return np.stack([(service > limit).sum(axis=1), (0.8 * service > limit).sum(axis=1)], axis=1)


def passed(rng: np.random.Generator, plan: Plan, utilisation: float, trials: int) -> tuple[float, float]:
    """Share of trials in which every run held: (on the limit, 20 % better)."""
    most = allowed_misses(plan.requests, percentile=plan.percentile, confidence=plan.confidence)
    together = max(1, 4_000_000 // plan.requests)
    counts = [
        misses(rng, min(together, trials * plan.runs - done), plan.requests, utilisation)
        for done in range(0, trials * plan.runs, together)
    ]
    held = (np.concatenate(counts) <= most).reshape(trials, plan.runs, 2).all(axis=1)
    on_limit, better = held.mean(axis=0)
    return float(on_limit), float(better)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = {(runs, requests) for _, runs, requests in PLANS}
    print(f"{options.trials} trials each, p99, confidence 99 %, seed {options.seed}\n")
    print("| utilisation | runs × requests | on the limit, passed | 20 % better, passed | |")
    print("|---|---|---|---|---|")
    for utilisation, plans in GRID.items():
        for runs, requests in plans:
            rng = np.random.default_rng([options.seed, runs, requests])
            wrong, right = passed(rng, Plan(runs, requests), utilisation, options.trials)
            good = "chosen" if (runs, requests) in chosen and wrong <= 0.02 and right >= 0.9 else ""
            print(f"| {utilisation} | {runs} × {requests} | {wrong:.1%} | {right:.1%} | {good} |", flush=True)


if __name__ == "__main__":
    main()
