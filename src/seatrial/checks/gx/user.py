"""Run a user's own expectations on the real frame, and report those that Great Expectations did not evaluate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from seatrial.checks.gx import runner
from seatrial.checks.gx.runner import ExpectationResult, SuiteResult
from seatrial.errors import nearest
from seatrial.events import Event, Finding, NotEvaluated, Severity
from seatrial.formatting import part_of
from seatrial.pipeline import describe
from seatrial.trial import Trial

SEVERITY = {"critical": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO}
ABOUT_NULLS = ("expect_column_values_to_be_null", "expect_column_values_to_not_be_null")


@dataclass(frozen=True)
class UserExpectations:
    """The events of a user's expectations, and the result of their suite, if it ran."""

    events: Sequence[Event] = ()
    results: dict[str, SuiteResult] = field(default_factory=dict)


class _Refused(Exception):
    """The reason why the expectations cannot be evaluated."""

    def __init__(self, reason: str, *, crashed: bool = False) -> None:
        super().__init__(reason)
        self.crashed = crashed


def user_expectations(trial: Trial, stage: str, frame: pd.DataFrame, name: str) -> UserExpectations:
    """Run the expectations of ``expectations/<stage>.py`` on ``frame``; no events where it declares none."""
    policy = trial.policy.of(stage)
    if policy.expectations is None:
        return UserExpectations()
    try:
        declared = _declared(trial, stage)
        frame = frame.rename(columns=str)
        named = {column for e in declared for column in runner.columns_of(e)}
        if absent := sorted(named - set(frame.columns)):
            return UserExpectations([_absent(name, stage, column, frame) for column in absent])
        _refuse_vacuous(frame, named)
        if not any(runner.needs_whole_frame(e) for e in declared):
            frame = frame[[c for c in frame.columns if c in named]]  # every batch is hashed whole
        suite = _trusted(runner.run_suite(f"{stage} own", declared, frame))
    except _Refused as refused:
        reason = f"the expectations of stage '{stage}' were not evaluated: {refused}"
        return UserExpectations([NotEvaluated(name, stage, reason, crashed=refused.crashed)])
    empty = {column for column in named if bool(frame[column].isna().all())}
    events: list[Event] = []
    for answer in suite.answers:
        if not answer.success:
            events.append(_failed(name, stage, answer, policy.show))
        elif answer.type not in ABOUT_NULLS and (answer.vacuous or empty & set(answer.columns)):
            events.append(_vacuous(name, stage, answer))
    return UserExpectations(events, {"own": suite})


def _declared(trial: Trial, stage: str) -> list[Any]:
    build = trial.policy.of(stage).expectations
    assert build is not None
    try:
        declared = list(build(trial.reference))
    except Exception as error:
        raise _Refused(f"they could not be built: {describe(error)}", crashed=True) from error
    if foreign := runner.not_expectations(declared):
        raise _Refused(f"the function returned a {foreign[0]}, which is not an expectation", crashed=True)
    if not declared:
        raise _Refused("the function returned no expectation")
    return declared


def _trusted(suite: SuiteResult) -> SuiteResult:
    if suite.problem:
        raise _Refused(suite.problem, crashed=True)
    return suite


def _refuse_vacuous(frame: pd.DataFrame, named: set[str]) -> None:
    """Refuse the frames for which Great Expectations reports success whatever they contain."""
    if not len(frame):
        raise _Refused("the frame has no row")
    folded = Counter(c.casefold() for c in frame.columns)
    if twice := sorted(c for c in named if folded[c.casefold()] > 1):
        same = [c for c in frame.columns if c.casefold() == twice[0].casefold()]
        raise _Refused(
            f"Great Expectations ignores case, and '{same[0]}' and '{same[1]}' are one column to it. Rename one"
        )


def _failed(name: str, stage: str, answer: ExpectationResult, show: Sequence[str]) -> Finding:
    expectation = answer.description or answer.type
    column = answer.columns[0] if answer.columns else None
    evidence: dict[str, Any] = {}
    message = f"The expectation '{expectation}' is not met"
    if answer.rows and answer.unexpected is not None:
        message += f" in {part_of(answer.unexpected, answer.rows)}"
        evidence = {"rows": answer.rows, "mismatches": answer.unexpected, "share": answer.unexpected / answer.rows}
    if answer.observed is not None and answer.columns and set(answer.columns) <= set(show):
        message += f"; the observed value is {str(answer.observed)[:100]}"
    return Finding(
        name, stage, f"{message}.", column=column, severity=SEVERITY[answer.severity], cause="expectation",
        advice=f"Correct the stage, or the expectation in expectations/{stage}.py ({answer.type}).", evidence=evidence,
    )  # fmt: skip


def _vacuous(name: str, stage: str, answer: ExpectationResult) -> Finding:
    columns = ", ".join(f"'{c}'" for c in answer.columns)
    return Finding(
        name, stage, f"Expectation {answer.type} on {columns} evaluated no value: every value is null or excluded.",
        column=answer.columns[0] if answer.columns else None, cause="nothing-evaluated",
        advice=f"Expect not-null values too, or remove the expectation from expectations/{stage}.py.",
        evidence={"rows": answer.rows or 0},
    )  # fmt: skip


def _absent(name: str, stage: str, column: str, frame: pd.DataFrame) -> Finding:
    names = [str(c) for c in frame.columns]
    twin = next((c for c in names if c.casefold() == column.casefold()), None)
    close = f" Did you mean '{twin}'? Names are case-sensitive." if twin else nearest(column, names)
    return Finding(
        name, stage, f"An expectation names column '{column}', which the frame does not have.{close}",
        column=column, cause="missing-column",
        advice=f"Correct the name in expectations/{stage}.py, or return the column from the stage.",
        evidence={"missing": 1},
    )  # fmt: skip
