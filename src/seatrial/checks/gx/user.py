"""A user's own expectations on the real frame, with what Great Expectations does not look at made visible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from seatrial.checks.findings import share_of
from seatrial.checks.gx import runner
from seatrial.checks.gx.runner import ExpectationResult, SuiteResult
from seatrial.errors import nearest
from seatrial.events import Event, Finding, NotEvaluated, Severity
from seatrial.pipeline import describe
from seatrial.trial import Trial

SEVERITY = {"critical": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO}
ABOUT_NULLS = ("expect_column_values_to_be_null", "expect_column_values_to_not_be_null")


@dataclass(frozen=True)
class Own:
    """What a user's expectations said: events, and the suite that ran, if any."""

    events: Sequence[Event] = ()
    ran: dict[str, SuiteResult] = field(default_factory=dict)


class _Refused(Exception):
    """The expectations cannot be judged, and why."""

    def __init__(self, reason: str, *, crashed: bool = False) -> None:
        super().__init__(reason)
        self.crashed = crashed


def own_expectations(trial: Trial, stage: str, frame: pd.DataFrame, name: str) -> Own:
    """Run what ``expectations/<stage>.py`` declares on ``frame``; nothing at all where it declares no function."""
    policy = trial.policy.of(stage)
    if policy.expectations is None:
        return Own()
    try:
        declared = _declared(trial, stage)
        frame = frame.rename(columns=str)
        asked = {column for e in declared for column in runner.columns_of(e)}
        if absent := sorted(asked - set(frame.columns)):
            return Own([_absent(name, stage, column, frame) for column in absent])
        _refuse_what_passes_unseen(frame, asked)
        if not any(runner.needs_whole_frame(e) for e in declared):
            frame = frame[[c for c in frame.columns if c in asked]]  # every batch is hashed whole
        ran = _answered(runner.run_suite(f"{stage} own", declared, frame))
    except _Refused as refused:
        reason = f"the expectations of stage '{stage}': {refused}"
        return Own([NotEvaluated(name, stage, reason, crashed=refused.crashed)])
    empty = {column for column in asked if bool(frame[column].isna().all())}
    events: list[Event] = []
    for answer in ran.answers:
        if not answer.success:
            events.append(_failed(name, stage, answer, policy.show))
        elif answer.type not in ABOUT_NULLS and (answer.vacuous or empty & set(answer.columns)):
            events.append(_vacuous(name, stage, answer))
    return Own(events, {"own": ran})


def _declared(trial: Trial, stage: str) -> list[Any]:
    build = trial.policy.of(stage).expectations
    assert build is not None
    try:
        declared = list(build(trial.reference))
    except Exception as error:
        raise _Refused(f"they could not be built: {describe(error)}", crashed=True) from error
    if foreign := runner.not_expectations(declared):
        raise _Refused(f"a {foreign[0]} among them is no expectation", crashed=True)
    if not declared:
        raise _Refused("the function returned none")
    return declared


def _answered(ran: SuiteResult) -> SuiteResult:
    if ran.problem:
        raise _Refused(ran.problem, crashed=True)
    return ran


def _refuse_what_passes_unseen(frame: pd.DataFrame, asked: set[str]) -> None:
    """Refuse the frames of which Great Expectations says yes whatever they hold."""
    if not len(frame):
        raise _Refused("there is no row to look at")
    folded = Counter(c.casefold() for c in frame.columns)
    if twice := sorted(c for c in asked if folded[c.casefold()] > 1):
        alike = [c for c in frame.columns if c.casefold() == twice[0].casefold()]
        raise _Refused(f"'{alike[0]}' and '{alike[1]}' are one column to them; case makes no difference there")


def _failed(name: str, stage: str, answer: ExpectationResult, show: Sequence[str]) -> Finding:
    what = answer.description or answer.type
    column = answer.columns[0] if answer.columns else None
    evidence: dict[str, Any] = {}
    said = f"Expectation not met: {what}"
    if answer.rows and answer.unexpected is not None:
        said += f" – it fails in {share_of(answer.unexpected, answer.rows)}"
        evidence = {"rows": answer.rows, "mismatches": answer.unexpected, "share": answer.unexpected / answer.rows}
    if answer.observed is not None and answer.columns and set(answer.columns) <= set(show):
        said += f" – found {str(answer.observed)[:100]}"
    return Finding(
        name, stage, f"{said}.", column=column, severity=SEVERITY[answer.severity], cause="expectation",
        advice=f"It stands in expectations/{stage}.py ({answer.type}).", evidence=evidence,
    )  # fmt: skip


def _vacuous(name: str, stage: str, answer: ExpectationResult) -> Finding:
    columns = ", ".join(f"'{c}'" for c in answer.columns)
    return Finding(
        name, stage, f"{answer.type} on {columns} looked at nothing: every value is null or left out.",
        column=answer.columns[0] if answer.columns else None, cause="nothing-to-look-at",
        advice=f"Expect not-null values too, or take the expectation out of expectations/{stage}.py.",
        evidence={"rows": answer.rows or 0},
    )  # fmt: skip


def _absent(name: str, stage: str, column: str, frame: pd.DataFrame) -> Finding:
    names = [str(c) for c in frame.columns]
    twin = next((c for c in names if c.casefold() == column.casefold()), None)
    close = f" Did you mean '{twin}'? Names are matched exactly." if twin else nearest(column, names)
    return Finding(
        name, stage, f"An expectation looks at column '{column}', which the frame does not have.{close}",
        column=column, cause="missing-column",
        advice=f"Correct the name in expectations/{stage}.py, or return the column from the stage.",
        evidence={"missing": 1},
    )  # fmt: skip
