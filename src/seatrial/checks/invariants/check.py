"""Does a stage give the same answer per key, however it is asked: twice, in parts, row by row, shuffled, elsewhere?

Every answer is compared with the isolated replay, the answer to the reference's own input of the stage in one batch,
within the stage's own tolerances and 65 ULP for floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np

from seatrial.checks.base import Check, every_stage
from seatrial.checks.invariants.fresh import HASH_SEEDS, begin, cannot_start, elsewhere, needs_model
from seatrial.checks.invariants.reassembly import assemble, expected_of
from seatrial.checks.invariants.stage import StageProbe, cells
from seatrial.checks.invariants.variations import ORDER, PARTS, PROCESS, REPEAT, ROWS, Variation
from seatrial.errors import PipelineError, StageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.parity.result import ColumnParity, Parity
from seatrial.trial import Trial

NAME = "invariants"


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Ask one stage in every way; each broken invariant is one finding with the columns that move.

    A column that is not repeatable is not held against the other probes: they could only say so again. A type that
    depends on the batch while the values agree is told, and fails nothing.

    Raises:
        StageError: the stage raised on the whole input.
    """
    assert stage is not None
    begin(trial)
    asked = StageProbe.of(trial, stage)
    if not len(asked.given):
        yield NotEvaluated(NAME, stage, "the reference holds no rows for this stage")
        return
    compared, restless = 0, frozenset[str]()
    retyped: dict[str, str] = {}
    for probe in (REPEAT, PARTS, ROWS, ORDER):
        rng = np.random.default_rng([trial.seed, crc32(f"{stage} {probe.cause}".encode())])
        batches = probe.batches(asked.given, rng)
        try:
            together, other_types = assemble([asked.again(rows) for rows in batches], asked.answer)
        except StageError as error:
            yield _unanswered(asked, probe, error)
            compared += not _unrecorded(error)
            continue
        expected = expected_of(asked.answer, asked.given, trial.pipeline.key, batches, together)
        parity = asked.parity(expected, together)
        compared += cells(parity)
        if finding := _finding(asked, probe, parity, restless):
            yield replace(finding, evidence={**finding.evidence, "batches_count": len(batches)})
        if probe is REPEAT:
            restless = frozenset(c.column for c in parity.columns if not c.ok)
        retyped = {**other_types, **retyped}
    if retyped:
        yield _retyped(stage, retyped)
    yield from _no_rows(asked)
    for event in _fresh_processes(asked, restless):
        if isinstance(event, Evaluated):
            compared += event.compared
        else:
            yield event
    yield Evaluated(NAME, stage, compared)


check = Check(NAME, run, every_stage, order=30)


def _fresh_processes(asked: StageProbe, known: frozenset[str]) -> Iterator[Event]:
    """Compare with what fresh processes make of the same input, up to the first that differs."""
    trial, stage = asked.trial, asked.stage
    if reason := cannot_start(trial, stage):
        if trial.pipeline.source or stage == trial.pipeline.stages[0]:
            yield Finding(NAME, stage, reason, severity=Severity.INFO, cause="process-not-asked")
        return
    for number in range(1 if needs_model(trial, stage) else HASH_SEEDS):
        hash_seed, there = elsewhere(trial, number)
        evidence = {"hash_seed": hash_seed}
        if reason := there.failed or there.unseen.get(stage, ""):
            yield NotEvaluated(NAME, stage, reason)
            return
        if stage in there.broken:
            yield Evaluated(NAME, stage, 1)
            message = f"{there.broken[stage]} It works here, and breaks in a fresh process."
            yield Finding(NAME, stage, message, cause=PROCESS.cause, advice=PROCESS.advice, evidence=evidence)
            return
        parity = asked.parity(asked.answer, there.frames[stage])
        yield Evaluated(NAME, stage, cells(parity))
        probe = replace(PROCESS, how=f"{PROCESS.how} with PYTHONHASHSEED={hash_seed}")
        if finding := _finding(asked, probe, parity, known):
            yield replace(finding, evidence={**finding.evidence, **evidence})
            return


def _finding(asked: StageProbe, probe: Variation, parity: Parity, known: frozenset[str]) -> Finding | None:
    """Return what broke, or None; ``known`` columns were told before."""
    broken = [c for c in parity.columns if not c.ok and c.column not in known]
    broken.sort(key=_changed, reverse=True)
    lost = [*parity.missing_columns, *parity.extra_columns]
    if not broken and not lost and parity.keys_ok:
        return None
    seed = asked.trial.seed
    evidence: dict[str, Any] = {"seed": seed, "compared": parity.rows_compared}
    if not parity.keys_ok:
        missing, extra = parity.missing_keys, parity.extra_keys
        what = f"other rows ({missing.count:,} keys missing, {extra.count:,} too many)"
        evidence |= {name: {"count": k.count, "sample": list(k.sample)}
                     for name, k in (("missing_keys", missing), ("extra_keys", extra)) if k.count}  # fmt: skip
    elif broken:
        what = f"other values in {_listed(broken)}"
        evidence |= {
            "mismatches": _changed(broken[0]),
            "max_abs_diff": broken[0].max_abs_diff,
            "worst_keys": list(broken[0].worst_keys),
        }
    else:
        what = f"other columns ({', '.join(lost[:3])})"
    named = [*(c.column for c in broken), *lost]
    if named:
        evidence["columns"] = named
    return Finding(
        NAME,
        asked.stage,
        f"Stage '{asked.stage}' gives {what} {probe.how} (seed {seed}).",
        column=named[0] if named else None,
        cause=probe.cause,
        advice=probe.advice,
        evidence=evidence,
    )


def _changed(c: ColumnParity) -> int:
    return c.mismatches + c.null_flips


def _listed(broken: Sequence[ColumnParity]) -> str:
    def extent(c: ColumnParity) -> str:
        if c.dtype_ok:
            return f"{_changed(c):,} of {c.rows:,} rows"
        return f"{c.dtype_actual} in place of {c.dtype_expected}"

    shown = [f"'{c.column}' ({extent(c)})" for c in broken[:3]]
    more = f" and {len(broken) - 3} more column(s)" if len(broken) > 3 else ""
    return ", ".join(shown) + more


def _unrecorded(error: StageError) -> bool:
    """Whether a stand-in, and not the stage, said no: capture recorded whole calls, or asked for other keys."""
    return isinstance(error.__cause__, PipelineError) and not isinstance(error.__cause__, StageError)


def _unanswered(asked: StageProbe, probe: Variation, error: StageError) -> Event:
    if _unrecorded(error):
        return NotEvaluated(NAME, asked.stage, f"whether it is {probe.cause} cannot be told: {error.__cause__}")
    seed = asked.trial.seed
    message = f"{error} It answers the whole reference in one batch, and breaks {probe.how} (seed {seed})."
    return Finding(NAME, asked.stage, message, cause=probe.cause, advice=probe.advice, evidence={"seed": seed})


def _retyped(stage: str, retyped: Mapping[str, str]) -> Finding:
    categories = [name for name, types in retyped.items() if types.startswith("category")]
    name = (categories or list(retyped))[0]
    more = f" and {len(retyped) - 1} more column(s)" if len(retyped) > 1 else ""
    return Finding(
        NAME,
        stage,
        f"Stage '{stage}' gives column '{name}'{more} a type that depends on the batch ({retyped[name]}); the values "
        "are the same.",
        column=name,
        severity=Severity.WARNING if categories else Severity.INFO,
        cause="type-by-batch",
        advice="State the type (for categories all of them) and do not let it be inferred from the rows at hand.",
        evidence={"columns": list(retyped)},
    )


def _no_rows(asked: StageProbe) -> Iterator[Event]:
    try:
        rows = len(asked.again(slice(0, 0)))
        said = f"Stage '{asked.stage}' answers a request of no rows with {rows:,}." if rows else ""
    except StageError as error:
        said = "" if _unrecorded(error) else f"{error} It breaks on a request of no rows."
    if said:
        advice = "Return an empty frame with the same columns, or refuse an empty request before this stage."
        yield Finding(NAME, asked.stage, said, severity=Severity.WARNING, cause="empty-batch", advice=advice)
