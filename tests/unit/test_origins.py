"""Which errors follow from which: by what they state, and never two causes for one."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.events import Finding, Severity, Subject, total
from seatrial.events.origins import with_origins

PATH = ("raw", "store", "features", "response", "service")


def found(check: str, stage: str | None, cause: str | None, column: str | None = None, **evidence: Any) -> Finding:
    downstream = bool(evidence.pop("downstream", False))
    return Finding(check, stage, f"{check} {cause}", column, cause=cause, evidence=evidence, downstream=downstream)


BROKE = found("expectations", "features", "stage-broke")
SILENT = found("golden", "service", "status-500", rows=60, missing=15, fields=["country"])
DIFFERS = found("golden", "service", "rounding", "risk", rows=60, mismatches=30)
LATE = found("resilience", "store", "deadline", faults=["latency", "silence"], timed=True)
MEAN = found("invariants", "features", "batch-dependent", "spend")


@pytest.mark.parametrize(
    ("origin", "other"),
    [
        (BROKE, found("invariants", "features", "stage-broke")),
        (found("golden", "service", "service-broke"), found("load", "service", "service-broke")),
        (found("expectations", "raw", "extra-column", "v"), found("expectations", "features", "extra-column", "v")),
        (MEAN, found("expectations", "features", "constant-offset", "spend")),
        (MEAN, found("golden", "service", "batch-effect", "risk")),
        (SILENT, found("load", "service", "status-500", rows=1000, missed=260)),
        (SILENT, found("contract", "service", "status-500", "country")),
        (SILENT, found("contract", "service", "status-500", recorded_requests=2)),
        (DIFFERS, found("load", "service", "load-changes-answers", "risk", rows=100, mismatches=52)),
        (found("golden", "service", "renamed-column", "risk"),
         found("contract", "service", "answer-shape", recorded_requests=1)),
        (found("resilience", "store", "no-5xx"), found("resilience", "service", "no-5xx")),
        (LATE, found("resilience", "store", "circuit-breaker", faults=["latency"], timed=True)),
        (LATE, found("resilience", "store", "leak", faults=["silence"])),
    ],
)  # fmt: skip
def test_what_follows_is_downstream_of_its_origin(origin: Finding, other: Finding) -> None:
    """In whatever order they are found; a consequence that is found first is one all the same."""
    for order in ((origin, other), (other, origin)) if origin.cause != other.cause else ((origin, other),):
        first, second = with_origins(order, PATH)
        assert (first.check, first.cause, first.downstream) == (origin.check, origin.cause, False)
        assert (second.check, second.downstream, second.evidence["follows"]) == (other.check, True, 1)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (BROKE, found("expectations", "response", "stage-broke")),  # another stage
        (BROKE, found("golden", "service", "status-500", rows=60, missing=60)),  # golden did not say that it follows
        (found("expectations", "raw", "extra-column", "v"), found("expectations", "features", "extra-column", "w")),
        (found("expectations", "raw", "unit-factor", "x", how="× 2"),
         found("expectations", "features", "unit-factor", "x", how="× 3")),
        (MEAN, found("expectations", "features", "constant-offset", "months")),  # another column
        (MEAN, found("golden", "service", "rounding", "risk")),
        (SILENT, found("load", "service", "status-500", rows=1000, missed=700)),  # far more often under load
        (SILENT, found("load", "service", "status-503", rows=1000, missed=200)),
        (SILENT, found("contract", "service", "status-500", "age")),  # another field
        (DIFFERS, found("load", "service", "load-changes-answers", "segment", rows=100, mismatches=5)),
        (DIFFERS, found("load", "service", "load-changes-answers", "risk", rows=100, mismatches=99)),
        (found("resilience", "store", "no-5xx"), found("resilience", "cache", "no-5xx")),
        (LATE, found("resilience", "store", "no-5xx", faults=["latency"])),
        (LATE, found("resilience", "store", "leak", faults=["refused"])),  # under a fault that meets its deadline
        (LATE, found("resilience", "store", "unaffected", faults=["latency"], timed=False)),  # a wrong answer
    ],
)  # fmt: skip
def test_two_causes_stay_two_origins(one: Finding, two: Finding) -> None:
    """A second fault is never hidden behind the first."""
    assert [f.downstream for f in with_origins((one, two), PATH)] == [False, False]


def test_origins_come_first_and_what_follows_last() -> None:
    """The number of a finding is its place, and that of the first thing to mend is 1."""
    remark = Finding("contract", None, "A field is optional now.", severity=Severity.WARNING)
    later = found("golden", "response", "rounding", "risk", downstream=True, origin="features", pictures={"risk": {}})
    verdict = total([later, remark, BROKE], subject=Subject("shop"), path=PATH, planned=[])
    assert [f.cause for f in verdict.findings] == ["stage-broke", None, "rounding"]
    assert verdict.numbered[1] == BROKE
    assert verdict.number(verdict.findings[2]) == 3
    assert verdict.findings[2].evidence == {"follows": 1}


def test_where_every_error_follows_the_first_of_the_path_stands_for_the_origin() -> None:
    """The check that tells the cause best did not run; of a column that goes with another, the other one stands."""
    both = [
        found("golden", "response", "rounding", "risk", downstream=True, origin="features"),
        found("golden", "features", "rounding", "p", downstream=True, origin="features"),
        found("golden", "features", None, "q", downstream=True, origin="features", **{"with": "p"}),
    ]
    assert [(f.column, f.downstream) for f in with_origins(both, PATH)] == [("p", False), ("risk", True), ("q", True)]
