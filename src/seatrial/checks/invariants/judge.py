"""Decide whether an invariant holds, and describe the one that does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seatrial.checks.invariants.stage import StageProbe
from seatrial.checks.invariants.variations import Variation
from seatrial.errors import PipelineError, StageError
from seatrial.events import Event, Finding, NotEvaluated, Severity
from seatrial.formatting import part_of, plural
from seatrial.parity.result import ColumnParity, Parity

SHOWN = 3  # columns named in a message; the evidence has them all


def broken_invariant(
    name: str, probe: StageProbe, variation: Variation, parity: Parity, reported: frozenset[str]
) -> Finding | None:
    """Return the finding of a variation whose answer differs, or None; ``reported`` columns are left out."""
    broken = [c for c in parity.columns if not c.ok and c.column not in reported]
    broken.sort(key=_changed, reverse=True)
    lost = [*parity.missing_columns, *parity.extra_columns]
    if not broken and not lost and parity.keys_ok:
        return None
    seed = probe.trial.seed
    evidence: dict[str, Any] = {"seed": seed, "compared": parity.rows_compared}
    if not parity.keys_ok:
        missing, extra = parity.missing_keys, parity.extra_keys
        what = "other rows"
        detail = f"{plural(missing.count, 'key')} missing, {plural(extra.count, 'key')} added"
        evidence |= {n: {"count": k.count, "sample": list(k.sample)}
                     for n, k in (("missing_keys", missing), ("extra_keys", extra)) if k.count}  # fmt: skip
    elif broken:
        what, detail = "other values", _listed(broken)
        evidence |= {
            "mismatches": _changed(broken[0]),
            "max_abs_diff": broken[0].max_abs_diff,
            "worst_keys": list(broken[0].worst_keys),
        }
    else:
        what, detail = "other columns", ", ".join(map(repr, lost[:SHOWN]))
    columns = [*(c.column for c in broken), *lost]
    if columns:
        evidence["columns"] = columns
    return Finding(
        name,
        probe.stage,
        f"Stage '{probe.stage}' returns {what} {variation.condition} (seed {seed}): {detail}.",
        column=columns[0] if columns else None,
        cause=variation.cause,
        advice=variation.advice,
        evidence=evidence,
    )


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
    """Yield a warning where the stage fails on an input without rows, or returns rows for it."""
    try:
        rows = len(probe.again([slice(0, 0)])[0])
        message = f"Stage '{probe.stage}' returns {plural(rows, 'row')} for an input without rows." if rows else ""
    except StageError as error:
        message = "" if unrecorded(error) else f"{error} The stage fails on an input without rows."
    if message:
        advice = "Return an empty frame with the same columns, or refuse an empty request before this stage."
        yield Finding(name, probe.stage, message, severity=Severity.WARNING, cause="empty-batch", advice=advice)


def _changed(c: ColumnParity) -> int:
    return c.mismatches + c.null_flips


def _listed(broken: Sequence[ColumnParity]) -> str:
    def extent(c: ColumnParity) -> str:
        if c.dtype_ok:
            return f"differs in {part_of(_changed(c), c.rows)}"
        return f"has type {c.dtype_actual} instead of {c.dtype_expected}"

    shown = [f"'{c.column}' {extent(c)}" for c in broken[:SHOWN]]
    more = f" and {plural(len(broken) - SHOWN, 'more column')}" if len(broken) > SHOWN else ""
    return "; ".join(shown) + more
