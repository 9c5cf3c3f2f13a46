"""When two columns have the same logical type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from seatrial.parity.columns import ARROW, UNREADABLE, Column, of_arrow

PLAIN = {  # of what pandas keeps as Python objects although a plain type exists
    "object[boolean]": "bool",
    "object[integer]": "int64",
    "object[floating]": "float64",
    "object[mixed-integer-float]": "float64",
    "object[complex]": "complex128",
    "object[datetime]": "timestamp",
    "object[datetime64]": "timestamp",
    "object[timedelta]": "duration",
    "object[timedelta64]": "duration",
}


def plainly(column: Column) -> Column:
    """Return a column of Python objects as the plain type that holds them all; any other column as it is."""
    if column.kind != "object" or column.logical not in PLAIN or column.logical == "object[complex]":
        return column
    try:
        return of_arrow(pa.array(column.values, from_pandas=True))
    except UNREADABLE:
        return column


def is_same_type(expected: Column, actual: Column) -> bool:
    """Whether two columns have the same logical type.

    A plain type that pandas keeps as Python objects is that type: a flag beside null, say. Where there was no null in
    training and there is none now, plain values that became objects are still another type: they are slow, and some
    libraries refuse them. A column or list of nulls alone has no type to compare.
    """
    e, a = expected.logical, actual.logical
    if e != a and e in PLAIN and PLAIN[e] == a:
        return True
    if e != a and a in PLAIN and PLAIN[a] == e:
        return bool(actual.is_null().any())
    if e != a:
        while e.startswith("list[") and a.startswith("list["):
            e, a = e[5:-1], a[5:-1]
        return {expected.kind, actual.kind} <= {"object", *ARROW} and "null" in (e, a)
    if e.endswith(" ordered"):
        assert expected.categories is not None
        assert actual.categories is not None
        return bool(np.array_equal(expected.categories.objects(), actual.categories.objects()))
    return True
