"""Name the cause of a difference in a column, where one explains it.

A cause is one function from a :class:`ColumnChange` to a :class:`Cause` or None; the lists at the end name them in
the order in which they are tried, those that say most first. To add one, write the function and put it in a list. It
must explain 99 % of the differing rows and leave the others as they are, and its sentence must not show a cell value,
factors and offsets excepted. What holds in the differing rows alone says so in its count, and needs more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from seatrial.parity.causes.change import Cause, ColumnChange
from seatrial.parity.causes.clock import day_month_swap, epoch_unit, hour_of_day, time_truncation, timezone, weekday
from seatrial.parity.causes.inputs import with_input
from seatrial.parity.causes.labels import negated, permuted_codes, renamed_labels
from seatrial.parity.causes.lists import list_form, numbers_in_lists, vector_norm
from seatrial.parity.causes.numbers import arithmetic, clipped
from seatrial.parity.causes.rounding import (
    float_round_trip,
    integer_division,
    precision_loss,
    rounding,
    rounding_mode,
)
from seatrial.parity.causes.rows import column_swap, misaligned_rows, shifted_rows
from seatrial.parity.causes.text import text_form
from seatrial.parity.causes.types import default_fill, dtype_coercion, null_handling

Namer = Callable[[ColumnChange], Cause | None]

EVERY = 200  # columns of a comparison for which every cause is sought
GLANCE = 256  # rows looked at first: most causes are ruled out by them


class Naming:
    """Names the causes of the columns of one comparison. Where very many differ, only causes met before are sought."""

    def __init__(self) -> None:
        self._columns = 0
        self._met: dict[Namer, None] = {}

    def name(self, change: ColumnChange) -> Cause | None:
        """Return the cause that explains the change best, or None."""
        self._columns += 1
        if len(change.rows) > 2 * GLANCE and self._first(replace(change, most=GLANCE, least=0.9)) is None:
            return with_input(change, None)
        return with_input(change, self._first(change))

    def _first(self, change: ColumnChange) -> Cause | None:
        namers = [*ALWAYS, *ON_VALUES] if change.values_tell else ALWAYS
        if self._columns > EVERY:
            namers = [namer for namer in namers if namer in self._met]
        with np.errstate(all="ignore"):
            for namer in namers:
                if (cause := namer(change)) is not None:
                    self._met[namer] = None
                    return cause
        return None


def in_lists(change: ColumnChange) -> Cause | None:
    """What the numbers in lists have undergone."""
    inner = numbers_in_lists(change)
    if inner is None or not len(inner.rows):
        return None
    for namer in (float_round_trip, rounding, arithmetic, clipped):
        if (cause := namer(inner)) is not None:
            return change.cause(cause.name, f"of the numbers in the lists, {cause.how},")
    return None


ALWAYS: list[Namer] = [clipped, text_form, renamed_labels, default_fill, null_handling, dtype_coercion]
ON_VALUES: list[Namer] = [
    precision_loss,
    column_swap,
    negated,
    float_round_trip,
    hour_of_day,
    weekday,
    rounding_mode,
    rounding,
    permuted_codes,
    arithmetic,
    day_month_swap,
    timezone,
    epoch_unit,
    time_truncation,
    integer_division,
    list_form,
    vector_norm,
    in_lists,
    shifted_rows,
    misaligned_rows,
]
