"""Each stage alone: on its recorded input again, in parts, request by request, in another order, and without rows.

Variations in which its chain has shown that it answers the same are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.invariants.calls import EMPTY, Calls, calls_of
from seatrial.checks.invariants.chained import settled
from seatrial.checks.invariants.judge import (
    broken_invariant,
    empty_batch,
    extent,
    extent_sentence,
    failed_batch,
    problems,
    retyped_columns,
    unrecorded,
)
from seatrial.checks.invariants.reassembly import assemble, expected_of, names_requests
from seatrial.checks.invariants.stage import StageProbe, cells
from seatrial.checks.invariants.variations import ORDER, PARTS, REPEAT, ROWS, Positions, Variation
from seatrial.checks.side_by_side import keep_rows
from seatrial.errors import StageError
from seatrial.events import Event, Finding, NotEvaluated
from seatrial.parity.result import Parity
from seatrial.trial import Trial

RAISED = "an error"  # the problem of a stage that raises; no name of a column has a space


@dataclass(frozen=True)
class StageResult:
    """What the variations of one stage found.

    Attributes:
        probe: the stage, its input and its answer; None where the reference has no rows for it, or it may not be run.
        events: findings, and what was not evaluated.
        compared: cells.
        unstable: columns that differ when it runs twice on the same input.
        broken: whether any variation changed its answer or made it raise.
    """

    probe: StageProbe | None
    events: tuple[Event, ...] = ()
    compared: int = 0
    unstable: frozenset[str] = frozenset()
    broken: bool = False


def of_stage(trial: Trial, name: str, stage: str) -> StageResult:
    """Run a stage in every variation, once a trial.

    Raises:
        StageError: the stage raised on its recorded input.
    """
    return trial.once(("invariants alone", stage), lambda: _of_stage(trial, name, stage))


def _of_stage(trial: Trial, name: str, stage: str) -> StageResult:
    if not len(trial.reference.input_of(stage)):
        return StageResult(None, (NotEvaluated(name, stage, "the reference has no rows for this stage"),))
    probe = StageProbe.of(trial, stage)
    calls = calls_of(trial.pipeline.stage(stage), sampled=probe.asked.sampled)
    run = _Variations(name, probe, calls)
    shown = settled(trial, name, stage)
    for variation in (REPEAT, ORDER, PARTS, ROWS):  # what an order changes, smaller batches change too
        by_design = trial.pipeline.stage(stage).batch_dependent and variation is not REPEAT
        if calls.of(variation.cause) and not by_design and variation.cause not in shown:
            run.vary(variation)
    events = list(run.found())
    if calls.of(EMPTY):
        events += empty_batch(name, probe)
    return StageResult(probe, tuple(events), run.compared, run.unstable, bool(run.findings))


class _Variations:
    """The variations of one stage so far. A problem is one finding: what shows it again is added to the first."""

    def __init__(self, name: str, probe: StageProbe, calls: Calls) -> None:
        self.name, self.probe, self.calls = name, probe, calls
        self.compared, self.unstable = 0, frozenset[str]()
        self.findings: list[tuple[Finding, list[Variation]]] = []
        self._others: list[Event] = []
        self._first: dict[str, int] = {}
        self._retyped: dict[str, str] = {}

    def vary(self, variation: Variation) -> None:
        """Run the stage in a variation and keep what is found."""
        probe, most = self.probe, self.calls.of(variation.cause)
        base = probe.answer if variation.together else probe.of_all
        named = names_requests(probe.asked.rows, base, probe.request_key)
        if variation is ROWS and not named and self.calls.declared is not None:
            most -= 1  # for the one batch that tells the keys
        if not most:
            return
        rng = np.random.default_rng([probe.trial.seed, crc32(f"{probe.stage} {variation.cause}".encode())])
        batches = variation.batches(probe.asked.rows, probe.asked.numbers, rng, most)
        try:
            expected = expected_of(base, probe.asked.rows, probe.request_key, batches, self._in_one_batch)
            together, retyped = assemble(probe.again(batches), probe.answer)
        except StageError as error:
            self._raised(variation, error)
            return
        parity = probe.parity(expected, together)
        keep_rows(
            probe.trial, self.name, probe.stage, parity, expected, together, variation.condition,
            sides=("in one batch", "varied"),
        )  # fmt: skip
        self.compared += cells(parity)
        if variation is REPEAT:
            self.unstable = problems(parity)
        self._retyped = {**retyped, **self._retyped}
        requests = probe.asked.requests if variation is not ROWS else len(batches)
        self._differs(variation, parity, requests, len(batches))

    def found(self) -> Iterator[Event]:
        """Yield the findings, each with the other variations that showed it."""
        for finding, others in self.findings:
            also = " and ".join(v.also for v in others)
            yield replace(
                finding,
                message=finding.message + (f" It does so too {also}." if also else ""),
                evidence={**finding.evidence, **({"also": [v.cause for v in others]} if also else {})},
            )
        yield from self._others
        if self._retyped:
            yield retyped_columns(self.name, self.probe.stage, self._retyped)

    def _in_one_batch(self, rows: Positions) -> pd.DataFrame:
        return self.probe.again([rows])[0]

    def _differs(self, variation: Variation, parity: Parity, requests: int, batches: int) -> None:
        self._also(variation, problems(parity) - self.unstable)
        finding = broken_invariant(self.name, self.probe, variation, parity, self._first)
        if finding is None:
            return
        evidence = {**finding.evidence, **extent(self.probe.asked), "requests": requests, "batches_count": batches}
        message = finding.message + extent_sentence(self.probe.asked, requests)
        for problem in problems(parity):
            self._first.setdefault(problem, len(self.findings))
        self.findings.append((replace(finding, message=message, evidence=evidence), []))

    def _raised(self, variation: Variation, error: StageError) -> None:
        event = failed_batch(self.name, self.probe, variation, error)
        self.compared += not unrecorded(error)
        if not isinstance(event, Finding):
            self._others.append(event)
        elif RAISED in self._first:
            self._also(variation, frozenset([RAISED]))
        else:
            self._first[RAISED] = len(self.findings)
            self.findings.append((event, []))

    def _also(self, variation: Variation, found: frozenset[str]) -> None:
        for number in sorted({self._first[problem] for problem in found if problem in self._first}):
            self.findings[number][1].append(variation)
