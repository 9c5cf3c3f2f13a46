"""Causes that show in columns of few values: labels, codes and flags."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seatrial.parity.causes.change import Cause, ColumnChange
from seatrial.parity.causes.rows import joint_codes
from seatrial.parity.columns import Array

SEEN = 5  # rows for each label: fewer, and any change of a column looks like another name for each value
TEXT = {"string", "category[string]"}


def negated(change: ColumnChange) -> Cause | None:
    """True became false and false became true, in every row."""
    sides = change.expected, change.actual
    if any(side.kind != "number" or side.values.dtype.kind != "b" for side in sides) or len(change.unchanged):
        return None
    e = change.sides[0].values
    if len(e) < 2 * SEEN or e.all() or not e.any():
        return None
    return change.cause("complement", "actual = not expected")


def renamed_labels(change: ColumnChange) -> Cause | None:
    """Text labels that each have one other name now, one to one; no value at all moved to another row."""
    if not change.values_tell or {change.expected.logical, change.actual.logical} - TEXT:
        return None
    both = joint_codes(change, change.looked)
    if both is None or not _one_to_one(*both):
        return None
    if set(np.unique(both[0])) == set(np.unique(both[1])):
        return change.cause("relabelling", "each label stands where another one stood, one to one,")
    return change.cause("relabelling", "labels have other names, one to one,")


def permuted_codes(change: ColumnChange) -> Cause | None:
    """Whole numbers that each stand for another one, as category codes in another order do."""
    labels = change.expected.logical in TEXT and change.actual.kind == "number"
    if labels:
        both = _factorized(change)
    elif change.numbers is not None and all(np.all(side == np.rint(side)) for side in change.numbers):
        both = change.numbers
    else:
        return None
    if not _one_to_one(*both):
        return None
    if labels:
        return change.cause("relabelling", "a number stands for each label, one to one,")
    if set(np.unique(both[0])) != set(np.unique(both[1])):
        return None  # a formula that keeps numbers apart is one to one too
    return change.cause("relabelling", "each code stands where another one stood, one to one,")


def _factorized(change: ColumnChange) -> tuple[Array, Array]:
    e, a = change.expected.take(change.looked), change.actual.take(change.looked)
    return pd.factorize(e.objects())[0], np.asarray(a.values)


def _one_to_one(e: Array, a: Array) -> bool:
    if len(e) < 2 * SEEN:
        return False
    was, now = pd.factorize(e)[0], pd.factorize(a)[0]
    names, others = int(was.max()) + 1, int(now.max()) + 1
    if names != others or names < 2 or SEEN * names > len(e):
        return False
    return len(np.unique(was.astype(np.int64) * others + now)) == names
