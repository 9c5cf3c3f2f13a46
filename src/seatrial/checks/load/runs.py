"""A started service, what is offered to it, and its answers under load held against the recorded ones."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seatrial.checks.serving.expected import Expected
from seatrial.checks.serving.service import serve
from seatrial.events import Finding
from seatrial.formatting import part_of
from seatrial.loadgen.affinity import UNRESTRICTED, Cores, pinned_to
from seatrial.loadgen.estimates import exceeds_share
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.schedule import Profile, constant, poisson
from seatrial.loadgen.workers import offer_by
from seatrial.pipeline import SERVICE
from seatrial.policy.service import Load, Slo
from seatrial.process.running import Running
from seatrial.trial import Trial


@dataclass(frozen=True)
class Loaded:
    """One started service and what is offered to it; ``until`` is a ``time.monotonic()`` moment."""

    url: str
    running: Running
    expected: Expected
    slo: Slo
    load: Load
    seed: int
    until: float = math.inf
    cores: Cores = UNRESTRICTED

    def run(
        self, number: int, requests: int, rate: float, *, samples: int = 0, flat: bool = False
    ) -> tuple[LoadRun, np.ndarray]:
        """Offer one run; return it and the row that each request asked for.

        Poisson, at the declared profile with its highest point at ``rate``, or at ``rate`` all along where none is
        declared or ``flat`` is asked for.
        """
        profile, requests = (constant(rate, requests / rate), requests) if flat else shape(self.load, rate, requests)
        rng = np.random.default_rng([self.seed, number])
        rows = np.resize(rng.permutation(len(self.expected.payloads)), requests)
        sampled = rng.choice(requests, min(samples, requests), replace=False)
        with pinned_to(self.cores.generator):
            found = offer_by(
                min(self.load.workers, requests),
                self.url,
                poisson(profile, int(rng.integers(2**31)), requests=requests),
                [self.expected.payloads[n] for n in rows.tolist()],
                timeout_seconds=self.load.timeout_seconds,
                connections=self.load.connections,
                keep=frozenset(sampled.tolist()),
            )
        return found, rows

    def affords(self, requests: int, rate: float) -> bool:
        """Whether such a run still fits into the budget."""
        seconds = shape(self.load, rate, requests)[0].seconds
        return time.monotonic() + seconds + self.load.timeout_seconds <= self.until


def started(trial: Trial, model_path: str | None, cores: Cores) -> Running:
    """Start the pipeline's service with a model, on its cores; use it in a ``with`` block."""
    with pinned_to(cores.service):
        return serve(trial.pipeline, model_path=model_path)


def shape(load: Load, rate: float, requests: int) -> tuple[Profile, int]:
    """Return how the rate of one run changes, ``rate`` at the highest, and its requests.

    With a declared profile these are as many as its whole turns hold, and not fewer than asked for: every run meets
    the peak.
    """
    if not load.profile:
        return constant(rate, requests / rate), requests
    turn = Profile(tuple((float(at), float(high)) for at, high in load.profile)).scaled(rate)
    turns = math.ceil(requests / turn.expected - 1e-9)
    return turn.repeated(turns), max(requests, round(turns * turn.expected))


@dataclass(frozen=True)
class Held:
    """Sampled answers of one run: how many were compared, how many said to be degraded, and what is wrong."""

    compared: int
    degraded: int
    findings: Sequence[Finding]


def held_against(name: str, expected: Expected, run: LoadRun, rows: np.ndarray, slo: Slo) -> Held:
    """Hold the sampled answers of a run against the recorded ones.

    An answer that says it is degraded differs by its own word: like a late one it is a miss, of which the objective
    allows a share.
    """
    good = [a for a in run.answers if 200 <= a.status < 300]
    asked = [int(rows[a.index]) for a in good]
    told, why = expected.answered(good, asked)
    label = expected.trial.policy.golden.degraded
    read = [(t, row) for t, row in zip(told, asked, strict=True) if t is not None]
    pairs = [(t, row) for t, row in read if t.get(label) is not True or _recorded(expected, label, row)]
    degraded, findings = len(read) - len(pairs), []
    if why:
        findings.append(
            Finding(name, SERVICE, f"Under load {part_of(len(told) - len(read), len(told))} cannot be read. {why}",
                    cause="no-answer", evidence={"rows": len(told), "missing": len(told) - len(read)})
        )  # fmt: skip
    if exceeds_share(degraded, len(read), 1 - slo.percentile):
        findings.append(
            Finding(
                name, SERVICE,
                f"{part_of(degraded, len(read))} under load were degraded; {1 - slo.percentile:.2g} may be late.",
                column=label, cause="degraded-under-load",
                advice="A dependency does not keep up: look at its pool, its time-out, and its own load.",
                evidence={"rows": len(read), "degraded": degraded},
            )
        )  # fmt: skip
    if pairs:
        parity = expected.compare([t for t, _ in pairs], [row for _, row in pairs])
        wrong = {c.column: c.mismatches + c.null_flips for c in parity.columns if not c.ok}
        wrong |= dict.fromkeys(parity.missing_columns, len(pairs))
        for column, count in wrong.items():
            worst = next((c.worst_keys for c in parity.columns if c.column == column), ())
            findings.append(
                Finding(
                    name, SERVICE,
                    f"Under load '{column}' differs from the recorded answers in {part_of(count, len(pairs))}.",
                    column=column, cause="load-changes-answers",
                    advice="Look for state that requests share: buffers, caches, globals; or a fallback set off.",
                    evidence={"rows": len(pairs), "mismatches": count, "keys": [str(k) for k in worst]},
                )
            )  # fmt: skip
    return Held(len(pairs), degraded, findings)


def _recorded(expected: Expected, label: str, row: int) -> bool:
    """Whether the record itself says that this answer is degraded."""
    told = expected.frame[label].iloc[row] if label in expected.frame else False
    return bool(pd.notna(told) and told)
