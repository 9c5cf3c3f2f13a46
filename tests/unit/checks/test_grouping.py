"""One cause is one finding, whatever the number of columns, and a broken invariant is told first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seatrial.checks.base import Check, every_stage
from seatrial.checks.engine import in_order_of_causes
from seatrial.checks.findings import differences
from seatrial.checks.grouping import grouped
from seatrial.events import Evaluated, Finding, Severity
from seatrial.parity.compare import compare

N = 60
RNG = np.random.default_rng(7)


def told(expected: pd.DataFrame, actual: pd.DataFrame) -> list[Finding]:
    return list(grouped(differences("expectations", "features", compare(expected, actual, key="id"))))


def wide(columns: int) -> pd.DataFrame:
    return pd.DataFrame({"id": range(N), **{f"c{n}": RNG.lognormal(3, 1, N) for n in range(columns)}})


def test_two_thousand_columns_of_one_cause_are_one_finding() -> None:
    """Each of them is in the evidence, and the first few in the message."""
    frame = wide(2_000)
    (only,) = told(frame, frame.assign(**{c: frame[c] * 1000 for c in frame.columns[1:]}))
    assert (only.column, only.cause, len(only.evidence["columns"])) == ("c0", "unit-factor", 2_000)
    assert only.message.startswith("2,000 columns have this in common: 'c0', 'c1', 'c2' and 1,997 others. Column 'c0'")


def test_another_factor_is_another_cause() -> None:
    """Columns with the same slug and another formula do not share a finding."""
    frame = wide(4)
    found = told(frame, frame.assign(c0=frame["c0"] * 1000, c1=frame["c1"] / 60, c2=frame["c2"] * 1000))
    assert [(f.column, f.evidence.get("columns")) for f in found] == [("c0", ["c0", "c2"]), ("c1", None)]


@pytest.mark.parametrize(("columns", "findings"), [(2, 2), (3, 3), (4, 1), (50, 1)])
def test_columns_without_a_known_cause_share_a_finding_where_they_are_many(columns: int, findings: int) -> None:
    """A few are told each by itself; of many, the sentence says that no cause is known."""
    frame = wide(columns)
    found = told(frame, frame.assign(**{c: RNG.normal(size=N) for c in frame.columns[1:]}))
    assert len(found) == findings
    assert (columns > 3) == ("for no cause that is known" in found[0].message)


def test_missing_new_and_renamed_columns_are_one_finding_each() -> None:
    """A renamed column is told once, and not as missing and new."""
    frame = wide(6)
    changed = frame.rename(columns={"c0": "score"}).drop(columns=["c1", "c2"]).assign(x=1, y=2)
    found = told(frame, changed)
    assert [(f.column, f.cause, f.evidence.get("columns")) for f in found] == [
        ("c0", "renamed-column", None), ("c1", "missing-column", ["c1", "c2"]), ("x", "extra-column", ["x", "y"]),
    ]  # fmt: skip
    assert "is called 'score'" in found[0].message


def test_a_cast_is_advised_only_where_it_mends_the_column() -> None:
    """Integer division by 30 in place of 30.44 changes values, whatever the type."""
    days = RNG.integers(100, 4_000, N)
    frame = pd.DataFrame({"id": range(N), "months": (days / 30.44).astype("int64")})
    (other,) = told(frame, frame.assign(months=days / 30))
    assert "Cast" not in other.advice
    assert "has type float64" in other.message
    (cast,) = told(frame, frame.assign(months=frame["months"].astype("float64")))
    assert cast.advice.startswith("Cast 'months' to int64.")


def test_sizes_have_their_unit_and_one_format() -> None:
    """Times in s or min, thousands with a comma, and the factor is actual by expected."""
    times = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(N), unit="min")
    frame = pd.DataFrame({"id": range(N), "at": times, "ms": np.arange(N) + 5.0})
    at, ms = told(frame, frame.assign(at=times + pd.Timedelta("90min"), ms=frame["ms"] * 1000))
    assert ", by up to 90 min 0 s, always higher" in at.message
    assert ", by up to 63,936 (there it is 1,000 times the reference value), always higher" in ms.message
    assert "× 1,000" in ms.message
    assert "times" not in told(frame.assign(ms=0.0), frame.assign(ms=7.0))[0].message


def test_an_error_that_explains_others_of_its_stage_is_told_first() -> None:
    """Stages stay in the order found, and what is no error stays where it was."""

    def finding(check: str, stage: str, severity: Severity = Severity.ERROR) -> Finding:
        return Finding(check, stage, f"{check} {stage}", severity=severity)

    checks = [Check("expectations", None, every_stage), Check("invariants", None, every_stage, explains=True)]  # type: ignore[arg-type]
    events = [
        finding("expectations", "raw"), Evaluated("expectations", "raw", 1), finding("expectations", "features"),
        finding("invariants", "raw", Severity.WARNING), finding("invariants", "features"),
    ]  # fmt: skip
    found = [e.message for e in in_order_of_causes(events, checks) if isinstance(e, Finding)]
    assert [m for m in found if m != "invariants raw"] == [
        "expectations raw", "invariants features", "expectations features",
    ]  # fmt: skip
    assert len(in_order_of_causes(events, checks)) == len(events)
