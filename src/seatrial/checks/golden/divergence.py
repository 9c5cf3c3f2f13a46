"""Where record, path in process and live service part: which pair, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seatrial.checks.findings import differences
from seatrial.checks.golden.explain import Why, explain
from seatrial.checks.serving.comparison import Observed, Sides
from seatrial.events import Finding, Severity
from seatrial.parity.result import ColumnParity, Parity
from seatrial.pipeline import SERVICE


def parted(name: str, sides: Sides, ways: Sequence[Observed]) -> Iterator[Finding]:
    """Yield what the service answers differently, once for all ways of asking."""
    told: set[str | None] = set()
    for way in ways:
        if way.told.moved:
            yield Finding(
                name, SERVICE, f"{way.told.moved:,} batches were answered in another order than they were asked.",
                severity=Severity.WARNING, cause="row-order",
                advice="Callers that read the answers by position get each other's.",
            )  # fmt: skip
        if not len(way.answers):
            continue
        other = next((w for w in ways if w is not way and len(w.answers)), None)
        why = explain(sides.trial, way.answers, way.wrong, SERVICE) if _own(way) and sides.whole else None
        for finding in differences(name, SERVICE, way.recorded):
            if finding.cause == "column-order":  # an object has none
                continue
            same_in_other = other is not None and (finding.column in other.wrong or not finding.column)
            if same_in_other and finding.column in told:
                continue
            told.add(finding.column)
            yield _placed(finding, sides, way, other, why)


def _own(way: Observed) -> bool:
    """Whether the service differs by itself, in values that nothing has explained yet."""
    return any(not c.ok and not _propagated(way, c.column) for c in way.recorded.columns)


def _propagated(way: Observed, column: str | None) -> bool:
    """Whether the path in process gives the same as the service: then the difference is not of the wire."""
    if way.in_process is None:
        return False
    if column is None:
        return False
    return any(c.column == column and c.ok for c in way.in_process.columns)


def _placed(finding: Finding, sides: Sides, way: Observed, other: Observed | None, why: Why | None) -> Finding:
    """Say which pair differs, whether it is the wire's, the batch's or an earlier stage's, and why."""
    column = next((c for c in way.recorded.columns if c.column == finding.column), None)
    here = _column(way.in_process, finding.column)
    evidence = {**finding.evidence, "way": way.told.way}
    if column is None or finding.severity is not Severity.ERROR:
        advice = finding.advice
        if finding.cause == "extra-column":
            advice += " Name it in [golden] varying of service.toml if it must differ from answer to answer."
        return replace(finding, evidence=evidence, advice=advice)
    evidence["recorded_live"] = column.mismatches + column.null_flips
    said = f"Asked {way.told.way}: {finding.message}"
    if here is not None:
        evidence["in_process_live"] = here.mismatches + here.null_flips
    if _propagated(way, finding.column):
        message = f"{said} The path in process gives the same: the wire is not to blame."
        advice = f"It began before '{SERVICE}': start with the stages."
        return replace(finding, message=message, evidence=evidence, advice=advice, downstream=True)
    if here is not None:
        third = _third(sides, finding.column)
        said += " In process the same requests give " + ("a third answer." if third else "what training saw.")
    cause, advice, place = finding.cause, finding.advice, SERVICE
    if other is not None and finding.column not in other.wrong and _common(way, other):
        alone = "one by one" if way.told.way != "one by one" else "in batches"
        said += f" Asked {alone}, they are answered as at training."
        cause = cause if cause in ("misaligned-rows", "sorted-rows", "shifted-rows") else "batch-effect"
        advice = "Look for what depends on the other rows of a request: ranks, means, padding, or a loop that stops."
    elif why is not None and finding.column in why.columns:
        said, cause, advice, place = f"{said} {why.words}", why.cause, why.advice, why.place
    else:
        advice = f"Compare how the service and the path in process make '{finding.column}' of the keys named here."
    return replace(finding, message=said, cause=cause, advice=advice, stage=place, evidence=evidence)


def _column(parity: Parity | None, name: str | None) -> ColumnParity | None:
    return next((c for c in parity.columns if c.column == name), None) if parity is not None else None


def _third(sides: Sides, column: str | None) -> bool:
    """Whether the path in process differs from the record in this column as well."""
    if sides.in_process is None or column is None or column not in sides.in_process.columns:
        return False
    key = sides.trial.pipeline.key
    parity = sides.compare(sides.recorded[[key, column]], sides.in_process[[key, column]])
    return not parity.ok


def _common(way: Observed, other: Observed) -> bool:
    """Whether some of the rows that differ this way were asked the other way too."""
    asked = {str(k) for k in other.answers[other.recorded.key]}
    return any(k in asked for c in way.recorded.columns if not c.ok for k in c.worst_keys)
