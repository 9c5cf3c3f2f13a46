"""Judge a stage with Great Expectations."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from seatrial.checks.findings import differences
from seatrial.checks.gx import suites
from seatrial.checks.gx.runner import SuiteResult, run_suite, warm_up
from seatrial.checks.gx.user import own_expectations
from seatrial.events import Attachment, Evaluated, Event, Measurement, NotEvaluated
from seatrial.parity.result import Parity
from seatrial.trial import Replay, Trial


def judge(trial: Trial, stage: str, replay: Replay = "isolated", *, name: str) -> Iterator[Event]:
    """Judge one stage's replay by checkpoint and kernel and yield what they say.

    Args:
        trial: what is under trial.
        stage: the stage.
        replay: fed with training's own input, or with what the path gives it.
        name: the check in whose name the events speak.

    Raises:
        StageError: the stage raised or broke the rule.
    """
    parity = trial.parity(stage, replay)
    actual = trial.isolated(stage) if replay == "isolated" else trial.chained(stage)
    expected = trial.reference.frame(stage)
    yield from differences(name, stage, parity)
    columns = [str(c) for c in expected.columns]
    ran = {"schema": judge_schema(stage, columns, actual), "parity": judge_parity(stage, columns, parity)}
    problems = [f"{kind} suite: {r.problem}" for kind, r in ran.items() if r.problem]
    if not problems and (told := disagreement(ran["schema"], ran["parity"], parity)):
        problems.append(told)
    own = own_expectations(trial, stage, actual, name)
    ran |= own.ran
    yield from own.events
    yield from _measured(name, stage, parity)
    where = stage if replay == "isolated" else f"{stage}-{replay}"
    yield attachment(name, stage, f"suites/{where}.json", {kind: r.suite for kind, r in ran.items()})
    counts = {kind: [a.counts for a in r.answers] for kind, r in ran.items()}
    yield attachment(name, stage, f"results/{where}.json", counts)
    if problems:
        yield NotEvaluated(name, stage, "; ".join(problems), crashed=True)
    else:
        yield Evaluated(name, stage, compared=parity.rows_compared * len(parity.columns))


def judge_parity(place: str, columns: Sequence[str], parity: Parity) -> SuiteResult:
    """Run the checkpoint over the parity frame; ``columns`` are those that training saw, the key among them."""
    expectations = _suites_ready(suites.parity_expectations, columns, parity.rows_expected)
    return run_suite(f"{place} parity", expectations, suites.parity_frame(parity), label="feature")


def judge_schema(place: str, columns: Sequence[str], actual: pd.DataFrame) -> SuiteResult:
    """Run the checkpoint over the columns of the real frame; no row of it is looked at."""
    expectations = _suites_ready(suites.schema_expectations, columns)
    return run_suite(f"{place} schema", expectations, actual.head(0).rename(columns=str))


def disagreement(schema: SuiteResult | None, evaluated: SuiteResult, parity: Parity) -> str:
    """Return where the checkpoint and the kernel say different things of the same frames, or the empty string."""
    failed = [*evaluated.failed(), *(schema.failed() if schema else ())]
    by_row = [a for a in evaluated.failed() if a.columns != ("rows",)]
    checkpoint = {feature for a in by_row for feature in a.features}
    kernel = {c.column for c in parity.columns if not c.ok}
    kernel |= set() if parity.keys_ok else {parity.key}
    if bool(failed) == parity.ok:
        told = "success" if parity.ok is False else "failure"
        return f"Great Expectations and the kernel disagree: the checkpoint says {told}, the comparison does not"
    if parity.rows_compared and checkpoint != kernel:
        odd = ", ".join(sorted(checkpoint ^ kernel)[:3])
        return f"Great Expectations and the kernel disagree about: {odd}"
    return ""


def attachment(name: str, stage: str, file: str, body: Mapping[str, Any]) -> Attachment:
    """Return ``body`` as a JSON file among the results."""
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
        finite = [c.max_rel_diff for c in parity.columns if math.isfinite(c.max_rel_diff)]
        yield Measurement(name, stage, "max_rel_diff", max(finite, default=0.0))
    for c in differ:
        yield Measurement(name, stage, "mismatch_share", (c.mismatches + c.null_flips) / c.rows, column=c.column)
        if math.isfinite(c.max_rel_diff):
            yield Measurement(name, stage, "max_rel_diff", c.max_rel_diff, column=c.column)
