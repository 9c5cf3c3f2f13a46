"""Differences of the live service: against the reference or the path in process, and their likely cause."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from seatrial.checks.findings import differences
from seatrial.checks.golden.explain import Explanation, explain
from seatrial.checks.serving.answers import key_ids
from seatrial.checks.serving.comparison import ComparedAnswers, ServiceComparison
from seatrial.events import Finding, Severity
from seatrial.formatting import plural
from seatrial.parity.keys import BETWEEN
from seatrial.parity.result import ColumnParity, Parity
from seatrial.pipeline import SERVICE


def service_differences(
    name: str, comparison: ServiceComparison, modes: Sequence[ComparedAnswers], alone: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield the differences between the service's answers and the reference, once for all request modes.

    Args:
        name: of the check.
        comparison: what is expected of the service.
        modes: its answers, by the way the requests were sent.
        alone: columns that match the reference where the requests that differ are sent again, one at a time.
    """
    reported: set[str | None] = set()
    for mode in modes:
        if mode.received.reordered:
            yield Finding(
                name, SERVICE,
                f"The service answered {plural(mode.received.reordered, 'batch', 'batches')} in another order than the "
                "requests.",
                severity=Severity.WARNING, cause="row-order",
                advice="Return the answers in the order of the requests; callers that match them by position mix them "
                "up.",
            )  # fmt: skip
        if not len(mode.answers):
            continue
        other = next((m for m in modes if m is not mode and len(m.answers)), None)
        own = _originates_here(mode) and comparison.whole_path
        explanation = explain(comparison.trial, mode.answers, mode.wrong, SERVICE) if own else None
        for finding in differences(name, SERVICE, mode.recorded):
            if finding.cause == "column-order":  # an object has none
                continue
            if finding.cause == "row-order" and mode.recorded.order.whole:  # answers come as they were asked for
                continue
            same_in_other = other is not None and (finding.column in other.wrong or not finding.column)
            if same_in_other and finding.column in reported:
                continue
            reported.add(finding.column)
            placed = _placed(finding, comparison, mode, other, explanation)
            yield _concurrent(placed) if finding.column in alone and not placed.downstream else placed


def _originates_here(mode: ComparedAnswers) -> bool:
    """Whether a column of the service's answers differs that the path in process does not explain."""
    return any(c.differs and not _is_downstream(mode, c.column) for c in mode.recorded.columns)


def _is_downstream(mode: ComparedAnswers, column: str | None) -> bool:
    """Whether the path in process gives the same values as the service, so that serving did not change them."""
    if mode.in_process is None or column is None:
        return False
    return any(c.column == column and c.ok for c in mode.in_process.columns)


LAYOUT = ("missing-column", "extra-column", "renamed-column")


def _as_in_process(mode: ComparedAnswers, column: str | None) -> bool:
    """Whether the path in process has, or lacks, this column too: then an earlier stage made the difference."""
    parity = mode.in_process
    return parity is not None and column not in (*parity.missing_columns, *parity.extra_columns)


def _placed(
    finding: Finding,
    comparison: ServiceComparison,
    mode: ComparedAnswers,
    other: ComparedAnswers | None,
    explanation: Explanation | None,
) -> Finding:
    """Return the finding with its origin (the service, the batch or an earlier stage) and its likely cause."""
    column = next((c for c in mode.recorded.columns if c.column == finding.column), None)
    here = _column(mode.in_process, finding.column)
    sent = mode.received.mode
    evidence = {**finding.evidence, "mode": sent}
    if column is None or finding.severity is not Severity.ERROR:
        advice = finding.advice
        if finding.cause == "extra-column":
            advice += " If it varies from answer to answer, name it in [golden] varying of service.toml."
        before = finding.cause in LAYOUT and _as_in_process(mode, finding.column)
        return replace(finding, evidence=evidence, advice=advice, downstream=before)
    evidence["recorded_live"] = column.mismatches + column.null_flips
    message = f"Requests sent {sent}: {finding.message}"
    if here is not None:
        evidence["in_process_live"] = here.mismatches + here.null_flips
    if _is_downstream(mode, finding.column):
        message += " The path in process gives the same values, so serving is not the cause."
        advice = f"The difference originates before '{SERVICE}'. Start with the stages."
        return replace(finding, message=message, evidence=evidence, advice=advice, downstream=True)
    if here is not None:
        differs = _in_process_differs(comparison, finding.column)
        message += (
            " The path in process matches neither the service nor the reference."
            if differs
            else " The path in process matches the reference."
        )
    cause, advice, place = finding.cause, finding.advice, SERVICE
    if other is not None and finding.column not in other.wrong and _common(mode, other):
        message += f" The same requests sent {other.received.mode} match the reference."
        cause = cause if cause in ("misaligned-rows", "sorted-rows", "shifted-rows") else "batch-effect"
        advice = "Look for code that depends on the other rows of a request: ranks, means, padding, an early exit."
    elif explanation is not None and finding.column in explanation.columns:
        message += f" {explanation.message}"
        cause, advice, place = explanation.cause, explanation.advice, explanation.place
        evidence.pop("how", None)  # one change of the path, however it shows in a column
    else:
        advice = (
            f"Compare how the service and the path in process compute '{finding.column}' for the keys in the evidence."
        )
    return replace(finding, message=message, cause=cause, advice=advice, stage=place, evidence=evidence)


def _concurrent(finding: Finding) -> Finding:
    """Return the finding of a column that is wrong only while other requests are in flight."""
    return replace(
        finding, cause="concurrency", stage=SERVICE,
        message=f"{finding.message} The same requests sent again, one at a time, match the reference.",
        advice="Look for state that concurrent requests share: a module variable, a buffer that is used again, or a "
        "model or client that is not safe for threads.",
    )  # fmt: skip


def _column(parity: Parity | None, name: str | None) -> ColumnParity | None:
    return next((c for c in parity.columns if c.column == name), None) if parity is not None else None


def _in_process_differs(comparison: ServiceComparison, column: str | None) -> bool:
    """Whether the path in process differs from the reference in this column as well."""
    if comparison.in_process is None or column is None or column not in comparison.in_process.columns:
        return False
    names = [*comparison.trial.pipeline.key_of(comparison.stage), column]
    parity = comparison.compare(comparison.recorded[names], comparison.in_process[names])
    return not parity.ok


def _common(mode: ComparedAnswers, other: ComparedAnswers) -> bool:
    """Whether some of the rows that differ in this mode were requested in the other mode too."""
    requested = {BETWEEN.join(k) for k in key_ids(other.answers, other.recorded.key_columns)}
    return any(k in requested for c in mode.recorded.columns if c.differs for k in c.worst_keys)
