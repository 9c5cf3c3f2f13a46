"""Decide whether an invariant holds, and describe the one that does not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from seatrial.checks.invariants.asked import Asked
from seatrial.checks.invariants.stage import StageProbe
from seatrial.checks.invariants.variations import Variation
from seatrial.errors import PipelineError, StageError
from seatrial.events import Event, Finding, NotEvaluated, Severity
from seatrial.formatting import part_of, plural
from seatrial.parity.result import ColumnParity, KeySet, Parity

SHOWN = 3  # columns named in a message; the evidence has them all
KEYS = "the rows"  # the problem of a comparison in which keys are missing or added; no name of a column has a space


def problems(parity: Parity) -> frozenset[str]:
    """Return the columns that differ, are missing or added, and ``KEYS`` where rows are."""
    lost = [*parity.missing_columns, *parity.extra_columns]
    keys = [] if parity.keys_ok else [KEYS]
    return frozenset([*(c.column for c in parity.columns if c.differs), *lost, *keys])


def broken_invariant(
    name: str, probe: StageProbe, variation: Variation, parity: Parity, reported: Collection[str] = ()
) -> Finding | None:
    """Return the finding of a variation whose answer differs, or None; ``reported`` problems are left out."""
    found = problems(parity) - set(reported)
    if not found:
        return None
    seed = probe.trial.seed
    detail, columns, evidence = described(parity, found)
    return Finding(
        name,
        probe.stage,
        f"Stage '{probe.stage}' returns {what(parity, found)} {variation.condition} (seed {seed}): {detail}.",
        column=columns[0] if columns else None,
        cause=variation.cause,
        advice=variation.advice,
        evidence={"seed": seed, **evidence, **({"columns": columns} if columns else {})},
    )


def what(parity: Parity, found: Collection[str]) -> str:
    """Return what is other about an answer with these problems."""
    if KEYS in found:
        return "other rows"
    return "other values" if any(c.column in found for c in parity.columns) else "other columns"


def described(parity: Parity, found: Collection[str]) -> tuple[str, list[str], dict[str, Any]]:
    """Return the problems of a comparison in words, their columns, those that differ most first, and counts."""
    broken = sorted((c for c in parity.columns if c.differs and c.column in found), key=_changed, reverse=True)
    lost = [c for c in (*parity.missing_columns, *parity.extra_columns) if c in found]
    columns = [*(c.column for c in broken), *lost]
    evidence: dict[str, Any] = {"compared": parity.rows_compared}
    if KEYS in found:
        sets = {"missing": parity.missing_keys, "added": parity.extra_keys, "repeated": parity.duplicate_keys}
        names = {"missing": "missing_keys", "added": "extra_keys", "repeated": "duplicate_keys"}
        evidence |= {names[n]: {"count": k.count, "sample": list(k.sample)} for n, k in sets.items() if k.count}
        return _rows(parity, sets), columns, evidence
    if broken:
        evidence |= {
            "mismatches": _changed(broken[0]),
            "max_abs_diff": broken[0].max_abs_diff,
            "worst_keys": list(broken[0].worst_keys),
        }
        return _listed(broken), columns, evidence
    return ", ".join(map(repr, lost[:SHOWN])), columns, evidence


def extent(asked: Asked) -> dict[str, int]:
    """Return, as evidence, how many requests were asked of how many."""
    return {"requests": asked.requests, "requests_in_reference": asked.of_requests}


def extent_sentence(asked: Asked, requests: int) -> str:
    """Return a sentence, after a space, that says how many requests were asked where it was not all of them."""
    if requests >= asked.of_requests:
        return ""
    return f" A sample was asked: {part_of(requests, asked.of_requests, 'requests')}."


def failed_batch(name: str, probe: StageProbe, variation: Variation, error: StageError) -> Event:
    """Return the event of a variation in which the stage raised, or for which its dependency has no recording."""
    if unrecorded(error):
        return NotEvaluated(name, probe.stage, f"{variation.property} was not evaluated: {error.__cause__}")
    seed = probe.trial.seed
    message = (
        f"{error} The stage succeeds on the whole recorded input in one batch and fails {variation.condition} "
        f"(seed {seed})."
    )
    return Finding(name, probe.stage, message, cause=variation.cause, advice=variation.advice, evidence={"seed": seed})


def unrecorded(error: StageError) -> bool:
    """Whether the replayed dependency failed and not the stage: capture recorded whole calls, or other keys."""
    return isinstance(error.__cause__, PipelineError) and not isinstance(error.__cause__, StageError)


def retyped_columns(name: str, stage: str, retyped: Mapping[str, str]) -> Finding:
    """Return the finding of columns whose type depends on the batch while their values are the same."""
    categories = [column for column, types in retyped.items() if types.startswith("category")]
    column = (categories or list(retyped))[0]
    more = f" and of {plural(len(retyped) - 1, 'more column')}" if len(retyped) > 1 else ""
    return Finding(
        name,
        stage,
        f"The type of column '{column}'{more} of stage '{stage}' depends on the batch ({retyped[column]}); the values "
        "are the same.",
        column=column,
        severity=Severity.WARNING if categories else Severity.INFO,
        cause="type-by-batch",
        advice="Set the type (for a category, all categories) instead of inferring it from the rows of the batch.",
        evidence={"columns": list(retyped)},
    )


def empty_batch(name: str, probe: StageProbe) -> Iterator[Event]:
    """Yield a warning where the stage returns rows for an input without rows; that it fails on one is information.

    Estimators of scikit-learn refuse an input without rows, and few services have such requests.
    """
    severity = Severity.WARNING
    try:
        rows = len(probe.again([slice(0, 0)])[0])
        message = f"Stage '{probe.stage}' returns {plural(rows, 'row')} for an input without rows." if rows else ""
    except StageError as error:
        message = "" if unrecorded(error) else f"{error} The stage fails on an input without rows."
        severity = Severity.INFO
    if message:
        advice = "Return an empty frame with the same columns, or refuse an empty request before this stage."
        yield Finding(name, probe.stage, message, severity=severity, cause="empty-batch", advice=advice)


def _changed(c: ColumnParity) -> int:
    return c.mismatches + c.null_flips


def _rows(parity: Parity, sets: Mapping[str, KeySet]) -> str:
    counts = [f"{plural(k.count, 'key')} {how}" for how, k in sets.items() if k.count]
    if parity.null_keys.count:
        counts.append(plural(parity.null_keys.count, "null key"))
    if not parity.key_dtype_ok:
        counts.append(f"the key has type {parity.key_dtype_actual} instead of {parity.key_dtype_expected}")
    return ", ".join(counts)


def _listed(broken: Sequence[ColumnParity]) -> str:
    def differs(c: ColumnParity) -> str:
        if c.dtype_ok:
            return f"differs in {part_of(_changed(c), c.rows)}"
        return f"has type {c.dtype_actual} instead of {c.dtype_expected}"

    shown = [f"'{c.column}' {differs(c)}" for c in broken[:SHOWN]]
    more = f" and {plural(len(broken) - SHOWN, 'more column')}" if len(broken) > SHOWN else ""
    return "; ".join(shown) + more
