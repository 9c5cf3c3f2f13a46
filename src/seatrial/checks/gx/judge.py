"""Evaluate a stage replay with Great Expectations and with the parity kernel, and require that they agree."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from seatrial.checks.findings import differences
from seatrial.checks.grouping import grouped
from seatrial.checks.gx import suites
from seatrial.checks.gx.runner import SuiteResult, run_suite, warm_up
from seatrial.checks.gx.user import user_expectations
from seatrial.checks.judged import of_sample
from seatrial.checks.side_by_side import keep_rows
from seatrial.events import Attachment, Evaluated, Event, Measurement, NotEvaluated
from seatrial.parity.result import Parity
from seatrial.reference.layout.pieces import Replay
from seatrial.trial import Trial

ALONE, END_TO_END = "stage replay", "end-to-end replay"


def judge(trial: Trial, stage: str, replay: Replay = "isolated", *, name: str) -> Iterator[Event]:
    """Evaluate one stage by checkpoint and kernel and yield the events.

    Args:
        trial: the trial.
        stage: the stage.
        replay: ``isolated`` for the stage replay, ``chained`` for the end-to-end replay.
        name: the check that reports the events.

    Raises:
        StageError: the stage raised, or returned no valid frame.
    """
    found = trial.compared(stage, replay)
    parity, how = found.parity, ALONE if replay == "isolated" else END_TO_END
    keep_rows(trial, name, stage, parity, found.expected, found.actual, how)
    yield from grouped(differences(name, stage, parity))
    columns = [str(c) for c in found.expected.columns]
    results = {"schema": judge_schema(stage, columns, found.actual), "parity": judge_parity(stage, columns, parity)}
    problems = [f"{kind} suite: {r.problem}" for kind, r in results.items() if r.problem]
    if not problems and (conflict := disagreement(results["schema"], results["parity"], parity)):
        problems.append(conflict)
    frame = trial.isolated(stage) if replay == "isolated" else trial.chained(stage)
    own = user_expectations(trial, stage, frame, name)
    results |= own.results
    yield from own.events
    if own.results:
        yield from of_sample(trial, stage, name, f"The expectations of expectations/{stage}.py were evaluated")
    yield from _measured(name, stage, parity)
    where = stage if replay == "isolated" else f"{stage}-{replay}"
    yield attachment(name, stage, f"suites/{where}.json", {kind: r.suite for kind, r in results.items()})
    counts = {kind: [a.counts for a in r.answers] for kind, r in results.items()}
    yield attachment(name, stage, f"results/{where}.json", counts)
    if problems:
        yield NotEvaluated(name, stage, "; ".join(problems), crashed=True)
    else:
        yield Evaluated(name, stage, compared=parity.compared)


def judge_parity(place: str, columns: Sequence[str], parity: Parity) -> SuiteResult:
    """Run the checkpoint on the parity frame; ``columns`` are those of the reference, the key among them."""
    expectations = _suites_ready(suites.parity_expectations, columns, parity.rows_expected)
    return run_suite(f"{place} parity", expectations, suites.parity_frame(parity), label="feature")


def judge_schema(place: str, columns: Sequence[str], actual: pd.DataFrame) -> SuiteResult:
    """Run the checkpoint on the columns of the real frame, without its rows."""
    expectations = _suites_ready(suites.schema_expectations, columns)
    return run_suite(f"{place} schema", expectations, actual.head(0).rename(columns=str))


def disagreement(schema: SuiteResult | None, evaluated: SuiteResult, parity: Parity) -> str:
    """Return how the results of checkpoint and kernel differ for the same frames, or the empty string."""
    failed = [*evaluated.failed(), *(schema.failed() if schema else ())]
    by_row = [a for a in evaluated.failed() if a.columns != ("rows",)]
    checkpoint = {feature for a in by_row for feature in a.features}
    kernel = {c.column for c in parity.columns if not c.ok}
    kernel |= set() if parity.keys_ok and parity.order.ok else set(parity.key_columns)
    if bool(failed) == parity.ok:
        checkpoint_result, kernel_result = ("succeeds", "fails") if parity.ok is False else ("fails", "succeeds")
        return (
            f"Great Expectations and the kernel disagree: the checkpoint {checkpoint_result} and the comparison "
            f"{kernel_result}"
        )
    if parity.rows_compared and checkpoint != kernel:
        odd = ", ".join(sorted(checkpoint ^ kernel)[:3])
        return f"Great Expectations and the kernel disagree about: {odd}"
    return ""


def attachment(name: str, stage: str, file: str, body: Mapping[str, Any]) -> Attachment:
    """Return ``body`` as a JSON file for the evidence."""
    text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    return Attachment(name, stage, file, text.encode())


def _suites_ready(build: Any, *arguments: Any) -> list[Any]:
    warm_up()
    expectations: list[Any] = build(*arguments)
    return expectations


def _measured(name: str, stage: str, parity: Parity) -> Iterator[Measurement]:
    differ = [c for c in parity.columns if c.mismatches or c.null_flips]
    cells = parity.rows_compared * len(parity.columns)
    if cells:
        wrong = sum(c.mismatches + c.null_flips for c in differ)
        yield Measurement(name, stage, "mismatch_share", wrong / cells)
        largest = max((c.max_rel_diff for c in parity.columns), default=0.0)
        if math.isfinite(largest):  # relative to zero it is infinite, and the largest of the others would mislead
            yield Measurement(name, stage, "max_rel_diff", largest)
    for c in differ:
        yield Measurement(name, stage, "mismatch_share", (c.mismatches + c.null_flips) / c.rows, column=c.column)
        if math.isfinite(c.max_rel_diff):
            yield Measurement(name, stage, "max_rel_diff", c.max_rel_diff, column=c.column)
