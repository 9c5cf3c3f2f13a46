"""Findings of a comparison: one for each key problem and each column that does not match the reference."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from seatrial.events import Finding, Severity
from seatrial.formatting import number, part_of, plural, seconds
from seatrial.parity.result import ColumnParity, Parity


def differences(check: str, place: str, parity: Parity) -> Iterator[Finding]:
    """Yield one finding for each difference: the keys first, then the columns in the order of the reference.

    Args:
        check: the name of the check that reports.
        place: the stage, dependency or service whose answer was compared.
        parity: the comparison of that answer with the reference.
    """
    yield from _keys(check, place, parity)
    yield from _order(check, place, parity)
    yield from _columns(check, place, parity)
    for column in parity.columns:
        if parity.rows_compared and not column.ok:
            yield _column(check, place, column)
        elif column.drifted:
            yield _drift(check, place, column)


def _keys(check: str, place: str, parity: Parity) -> Iterator[Finding]:
    if not parity.key_dtype_ok:
        yield Finding(
            check, place,
            f"Key '{parity.key}' has type {parity.key_dtype_actual}; the reference has {parity.key_dtype_expected}.",
            column=parity.key, cause="dtype",
            advice=f"Cast '{parity.key}' to {parity.key_dtype_expected}; joins on a key of another type match no row.",
        )  # fmt: skip
    for keys, cause, message, advice in (
        (
            parity.missing_keys, "missing",
            f"{part_of(parity.missing_keys.count, parity.rows_expected, 'reference rows')} are missing from the "
            "answer.",
            "A stage must keep every key. Look for a filter or an inner join.",
        ),
        (
            parity.extra_keys, "extra",
            f"The answer has {plural(parity.extra_keys.count, 'row')} whose key is not in the reference.",
            "Look for a join that adds rows, or for code that generates new keys.",
        ),
        (
            parity.duplicate_keys, "duplicates",
            f"The answer has {plural(parity.duplicate_keys.count, 'row')} too many: keys occur more than once.",
            "Keys must be unique. Look for a join that fans out, or declare the key of such rows: Stage(..., key=...).",
        ),
        (
            parity.null_keys, "null-keys",
            f"The answer has {plural(parity.null_keys.count, 'row')} with a null key.",
            "Keys must not be null. Look for an outer join.",
        ),
    ):  # fmt: skip
        if keys.count:
            named = {"missing": "missing", "extra": "extra"}.get(cause, "duplicates")
            evidence = {"rows": parity.rows_expected, named: keys.count, "keys": list(keys.sample)}
            yield Finding(
                check, place, message, column=parity.key, cause=f"{cause.removesuffix('-keys')}-keys",
                advice=advice, evidence=evidence,
            )  # fmt: skip


def _order(check: str, place: str, parity: Parity) -> Iterator[Finding]:
    order = parity.order
    if not order.moved.count or not (order.declared or order.sorted_by):
        return
    where = (
        "The rows are in another order than in the reference"
        if order.whole
        else f"The rows are in another order in {part_of(order.moved.count, order.requests, 'requests')}"
    )
    evidence: dict[str, Any] = {"rows": parity.rows_compared, "keys": list(order.moved.sample)}
    if not order.whole:
        evidence |= {"requests": order.requests, "mismatches": order.moved.count}
    if order.declared:
        yield Finding(
            check, place, f"{where}. Their order is part of the answer.", cause="row-order", evidence=evidence,
            advice=f"Compare how training and '{place}' sort the rows: by what, in which direction, and ties.",
        )  # fmt: skip
        return
    by, now = f"'{order.sorted_by}' {order.was}", f"{order.now} now" if order.now else "not sorted by it now"
    inside = "" if order.whole else " within each request"
    yield Finding(
        check, place, f"{where}. The reference is sorted by {by}{inside}; the answer is {now}.",
        severity=Severity.WARNING, cause="row-order", evidence=evidence,
        advice=f"If the order is part of the answer, declare it: {place}=Stage(..., ordered=True). It then fails.",
    )  # fmt: skip


def _columns(check: str, place: str, parity: Parity) -> Iterator[Finding]:
    extra = [name for name in parity.extra_columns if name not in parity.renamed.values()]
    for name in parity.missing_columns:
        if new := parity.renamed.get(name):
            yield Finding(
                check, place, f"Column '{name}' is called '{new}' in the answer; its values are equal.", column=name,
                cause="renamed-column", advice=f"Return it from '{place}' as '{name}' again.",
                evidence={"rows": parity.rows_expected, "missing": 1},
            )  # fmt: skip
            continue
        twin = next((e for e in extra if e.casefold() == name.casefold()), None)
        hint = f" The answer has '{twin}'; names are case-sensitive." if twin else ""
        yield Finding(
            check, place, f"Column '{name}' is missing from the answer; the reference has it.{hint}", column=name,
            cause="missing-column", advice=f"Return '{name}' from '{place}' again, under this name.",
            evidence={"rows": parity.rows_expected, "missing": 1},
        )  # fmt: skip
    for name in extra:
        yield Finding(
            check, place, f"Column '{name}' is new; the reference does not have it.", column=name,
            cause="extra-column",
            advice="Drop it. If the new column is intended, capture the reference again.",
            evidence={"rows": parity.rows_expected, "extra": 1},
        )  # fmt: skip
    if not parity.column_order_ok:
        yield Finding(
            check, place, "The order of the columns differs from the reference.", severity=Severity.WARNING,
            cause="column-order",
            advice="Restore the order where the next stage selects columns by position; it would read wrong values.",
        )  # fmt: skip


def _column(check: str, place: str, c: ColumnParity) -> Finding:
    sentences, cause = [], c.cause.name if c.cause else None
    equal = not (c.mismatches or c.null_flips)
    if not c.dtype_ok:
        sentences.append(f"Column '{c.column}' has type {c.dtype_actual}; the reference has {c.dtype_expected}.")
        cause = cause or ("dtype" if equal else None)
    if c.mismatches > c.allowed:
        sentences.append(f"Column '{c.column}' differs in {part_of(c.mismatches, c.rows)}{_size(c)}{_place(c)}.")
    if c.null_flips:
        sentences.append(f"Column '{c.column}' is null on one side only in {part_of(c.null_flips, c.rows)}.")
    if c.cause:
        sentences.append(f"Likely cause: {c.cause.detail.rstrip('.,')}.")
    if not c.dtype_ok and (equal or cause == "dtype-coercion"):  # a cast mends no other values
        advice = f"Cast '{c.column}' to {c.dtype_expected}. If the new type is intended, capture the reference again."
    else:
        advice = (
            f"Compare how training and '{place}' compute '{c.column}', starting with the keys in the evidence. If the "
            "change is intended, capture the reference again or set a tolerance for the column."
        )
    evidence = _evidence(c)
    if c.follows:
        sentences.append(f"Its differences go with those of column '{c.follows}', in the same rows.")
        advice, evidence = f"Start with '{c.follows}'. {advice}", {**evidence, "origin": place, "with": c.follows}
    return Finding(
        check, place, " ".join(sentences), column=c.column, cause=cause, advice=advice, evidence=evidence,
        downstream=bool(c.follows),
    )  # fmt: skip


def _drift(check: str, place: str, c: ColumnParity) -> Finding:
    return Finding(
        check, place,
        f"Column '{c.column}' is within its tolerance, but its distribution has moved: PSI is {c.psi:.3g}, and noise "
        f"alone stays below {c.psi_critical:.3g}.",
        column=c.column, severity=Severity.WARNING, cause="drift",
        advice=f"Check whether the tolerance of '{c.column}' is too wide: many rows moved in the same direction.",
        evidence=_evidence(c),
    )  # fmt: skip


def _size(c: ColumnParity) -> str:
    """Return by how much a column differs, in its unit, and what the factor is where there is one."""
    if not c.max_abs_diff:
        return ""
    timed = c.dtype_expected.startswith(("timestamp", "duration"))
    size = f", by up to {seconds(c.max_abs_diff) if timed else number(c.max_abs_diff)}"
    if c.factor is not None and math.isfinite(c.factor):
        size += f" (there it is {number(c.factor)} times the reference value)"
    return size + {"higher": ", always higher", "lower": ", always lower"}.get(c.direction, "")


def _place(c: ColumnParity) -> str:
    """Say where in a cell; a name that is not one of a program, such as an address, may be a value of the rows."""
    place = re.sub(r"\[(['\"]).*?\1\]", "['…']", c.worst_path)
    return f"; most at {place}" if place else ""


def _evidence(c: ColumnParity) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rows": c.rows,
        "mismatches": c.mismatches,
        "allowed": c.allowed,
        "share": (c.mismatches + c.null_flips) / c.rows,
        "null_flips": c.null_flips,
        "keys": list(c.worst_keys[:5]),
    }
    if c.max_abs_diff:  # cells of text, and nulls, have no distance
        found |= {"max_abs_diff": c.max_abs_diff, "max_rel_diff": c.max_rel_diff}
    if c.cause:
        found["how"] = c.cause.how
    if c.picture is not None:
        found["pictures"] = {c.column: c.picture}
    if c.direction:
        found["direction"] = c.direction
    if c.drifted:
        found |= {"psi": c.psi, "psi_critical": c.psi_critical, "p_value": c.p_value}
    return found
