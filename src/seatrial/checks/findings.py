"""A comparison in words: one finding for each thing that is not as training saw it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from seatrial.events import Finding, Severity
from seatrial.parity.result import ColumnParity, Parity


def differences(check: str, place: str, parity: Parity) -> Iterator[Finding]:
    """Yield what differs, the keys first, then the columns in the order of training."""
    yield from _keys(check, place, parity)
    yield from _columns(check, place, parity)
    for column in parity.columns:
        if parity.rows_compared and not column.ok:
            yield _column(check, place, column)
        elif column.drifted:
            yield _drift(check, place, column)


def share(part: int, whole: int) -> str:
    """Return ``part`` of ``whole`` in words, never rounding something to nothing."""
    percent = 100 * part / whole if whole else 0.0
    said = "under 0.01 %" if 0 < percent < 0.01 else f"{percent:.4g} %"
    return f"{part:,} of {whole:,} rows ({said})"


def _keys(check: str, place: str, parity: Parity) -> Iterator[Finding]:
    if not parity.key_dtype_ok:
        yield Finding(
            check, place,
            f"The key '{parity.key}' is {parity.key_dtype_actual} and was {parity.key_dtype_expected} at training.",
            column=parity.key, cause="dtype",
            advice=f"Give '{parity.key}' the type {parity.key_dtype_expected} again, or joins on it find nothing.",
        )  # fmt: skip
    for keys, cause, message, advice in (
        (
            parity.missing_keys, "missing",
            f"{share(parity.missing_keys.count, parity.rows_expected)} of training are missing.",
            "A stage keeps every key: look for a filter or an inner join.",
        ),
        (
            parity.extra_keys, "extra",
            f"{parity.extra_keys.count:,} row(s) have a key that training did not see.",
            "Look for a join that adds rows, or for keys that are built anew.",
        ),
        (
            parity.duplicate_keys, "duplicates",
            f"{parity.duplicate_keys.count:,} row(s) repeat a key.",
            "A key is unique: look for a join that fans out.",
        ),
        (
            parity.null_keys, "null-keys",
            f"{parity.null_keys.count:,} row(s) have a null key.",
            "A key is never null: look for an outer join.",
        ),
    ):  # fmt: skip
        if keys.count:
            named = {"missing": "missing", "extra": "extra"}.get(cause, "duplicates")
            evidence = {"rows": parity.rows_expected, named: keys.count, "keys": list(keys.sample)}
            yield Finding(
                check, place, message, column=parity.key, cause=f"{cause.removesuffix('-keys')}-keys",
                advice=advice, evidence=evidence,
            )  # fmt: skip


def _columns(check: str, place: str, parity: Parity) -> Iterator[Finding]:
    extra = list(parity.extra_columns)
    for name in parity.missing_columns:
        twin = next((e for e in extra if e.casefold() == name.casefold()), None)
        said = f" There is '{twin}': names are matched exactly." if twin else ""
        yield Finding(
            check, place, f"Column '{name}' is missing; training had it.{said}", column=name,
            cause="missing-column", advice=f"Return '{name}' from '{place}' again, under this name.",
            evidence={"rows": parity.rows_expected, "missing": 1},
        )  # fmt: skip
    for name in extra:
        yield Finding(
            check, place, f"Column '{name}' is new; training did not have it.", column=name,
            cause="extra-column",
            advice="Drop it, or capture the reference again if the new column is meant.",
            evidence={"rows": parity.rows_expected, "extra": 1},
        )  # fmt: skip
    if not parity.column_order_ok:
        yield Finding(
            check, place, "The columns come in another order than at training.", severity=Severity.WARNING,
            cause="column-order",
            advice="Harmless where the next stage selects by name; wrong numbers where it goes by position.",
        )  # fmt: skip


def _column(check: str, place: str, c: ColumnParity) -> Finding:
    said, advice, cause = [], "", c.cause.name if c.cause else None
    if not c.dtype_ok:
        said.append(f"'{c.column}' is {c.dtype_actual} and was {c.dtype_expected} at training.")
        advice = f"Cast '{c.column}' to {c.dtype_expected}, or capture the reference again if the type is meant."
        cause = cause or "dtype"
    if c.mismatches > c.allowed:
        said.append(f"'{c.column}' differs in {share(c.mismatches, c.rows)}{_size(c)}.")
    if c.null_flips:
        said.append(f"'{c.column}' is null on one side only in {share(c.null_flips, c.rows)}.")
    if c.cause:
        said.append(f"Likely: {c.cause.detail.rstrip('.')}.")
    return Finding(
        check, place, " ".join(said), column=c.column, cause=cause,
        advice=advice or f"Compare how training and '{place}' make '{c.column}', starting with the keys named here; "
        "if the change is meant, capture the reference again or state a tolerance for the column.",
        evidence=_evidence(c),
    )  # fmt: skip


def _drift(check: str, place: str, c: ColumnParity) -> Finding:
    return Finding(
        check, place,
        f"'{c.column}' stays within its tolerance, but its distribution has moved (PSI {c.psi:.3g}; "
        f"noise alone stays below {c.psi_critical:.3g}).",
        column=c.column, severity=Severity.WARNING, cause="drift",
        advice=f"The tolerance of '{c.column}' may be too wide: many rows moved the same way.",
        evidence=_evidence(c),
    )  # fmt: skip


def _size(c: ColumnParity) -> str:
    if not c.max_abs_diff:
        return ""
    said = f", by up to {c.max_abs_diff:.6g}"
    if c.max_rel_diff and math.isfinite(c.max_rel_diff):
        said += f" ({c.max_rel_diff:.4g} times the value of training)"
    return said + {"higher": ", always higher", "lower": ", always lower"}.get(c.direction, "")


def _evidence(c: ColumnParity) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rows": c.rows,
        "mismatches": c.mismatches,
        "allowed": c.allowed,
        "share": (c.mismatches + c.null_flips) / c.rows,
        "null_flips": c.null_flips,
        "max_abs_diff": c.max_abs_diff,
        "max_rel_diff": c.max_rel_diff,
        "keys": list(c.worst_keys[:5]),
    }
    if c.direction:
        found["direction"] = c.direction
    if c.psi:
        found |= {"psi": c.psi, "psi_critical": c.psi_critical, "p_value": c.p_value}
    return found
