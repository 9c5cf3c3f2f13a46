"""How often recorded noise fails a clean validation, and what it finds: ``python tests/bench/bench_noise.py``.

Each trial has a reference of its own and all comparisons of a validation. The bounds are Clopper and Pearson's at 95 %.
``shift`` moves a column by two standard deviations of its noise. Tails as heavy as Student's t with 3 degrees of
freedom are outside of what the bounds hold for, and are shown.
"""

from __future__ import annotations

import sys

import numpy as np

from seatrial.checks.expectations.rates import Rate, clopper_pearson
from seatrial.parity.noise import COMPARISONS, ColumnNoise, runs_for
from seatrial.pipeline import Samples

TRIALS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
RUNS = 10


def drawn(kind: str, rng: np.random.Generator, runs: int, rows: int) -> np.ndarray:
    """Return answers of standard deviation 1 in each row, shape (runs, rows); of ``scaled`` it is 1e-3 to 1e3."""
    if kind.startswith("student"):
        freedom = int(kind[-1])
        return rng.standard_t(freedom, size=(runs, rows)) / np.sqrt(freedom / (freedom - 2))
    if kind == "uniform":
        return rng.uniform(-1, 1, size=(runs, rows)) * np.sqrt(3)
    if kind == "skewed":
        return rng.exponential(size=(runs, rows)) - 1
    common = {"shared": 1.0, "half-shared": 0.5}.get(kind, 0.0)
    own, all_rows = rng.normal(size=(runs, rows)), rng.normal(size=(runs, 1))
    return (np.sqrt(1 - common) * own + np.sqrt(common) * all_rows) * scales(kind, rows)


def scales(kind: str, rows: int) -> np.ndarray:
    """Return the standard deviation of each row."""
    return np.exp(np.linspace(-7, 7, rows)) if kind == "scaled" else np.ones(rows)


def failed(kind: str, rng: np.random.Generator, rows: int, columns: int, shift: float) -> bool:
    """Whether a validation fails; with a shift its first comparison alone, of one column."""
    for _ in range(columns if not shift else 1):
        first = drawn(kind, rng, RUNS, rows)
        runs = np.vstack([first, drawn(kind, rng, runs_for(first, RUNS) - RUNS, rows)])
        noise, asked = ColumnNoise.of(runs), runs_for(runs, 1)
        for n in range(COMPARISONS if not shift else 1):
            answers = drawn(kind, rng, asked if n == 0 else 1, rows) + shift * scales(kind, rows)
            centre, against = (noise.mean, len(runs)) if n == 0 else (drawn(kind, rng, 1, rows)[0], 1)
            judged = noise.judge(
                answers[0] - centre, np.arange(rows), against=against, columns=columns,
                further=tuple(answers[1:] - centre),
            )  # fmt: skip
            if not judged.within.all() or judged.shift or judged.spread:
                return True
    return False


def percent(count: int, of: int) -> str:
    """Return a share with its bounds."""
    low, high = clopper_pearson(count, of, 0.025)
    return f"{count / of:7.2%} ({low:6.2%} to {high:6.2%})"


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(0)
    print(f"{'noise':12} {'rows':>5} {'columns':>7}  {'clean, failed':28} {'shifted, found':28}")
    cases = [("normal", n, c) for n in (1, 5, 20, 200, 1_000) for c in (1, 5)]
    cases += [(k, 200, 1) for k in ("uniform", "skewed", "scaled", "shared", "half-shared", "student-5", "student-3")]
    cases += [("student-5", 1_000, 5)]
    for kind, rows, columns in cases:
        trials = max(100, TRIALS // (columns * (1 + rows // 500)))
        clean = sum(failed(kind, rng, rows, columns, 0.0) for _ in range(trials))
        found = sum(failed(kind, rng, rows, columns, 2.0) for _ in range(trials))
        print(f"{kind:12} {rows:5} {columns:7}  {percent(clean, trials)} {percent(found, trials)}", flush=True)
    print()
    print(f"{'agreement':>9} {'required':>8} {'answers':>7}  {'pass':28} {'fail':28}")
    for rate, of in ((0.97, 250), (0.95, 500), (0.9, 500), (0.85, 500), (0.7, 250)):
        samples = Samples(5, at_least=0.9)
        decisions = [Rate(int(agree), of, samples).decision for agree in rng.binomial(of, rate, TRIALS)]
        passed, fails = decisions.count("pass"), decisions.count("fail")
        print(f"{rate:9} {samples.at_least:8} {of:7}  {percent(passed, TRIALS)} {percent(fails, TRIALS)}")


if __name__ == "__main__":
    main()
