"""Name the cause of a difference in a column, where one explains it.

A cause is one function from a :class:`ColumnChange` to a :class:`Cause` or None; the lists at the end name them in
the order in which they are tried. To add one, write the function and put it in a list. It must explain 99 %
of the differing rows and its sentence must not show a cell value, factors and offsets excepted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seatrial.parity.causes.change import Cause, ColumnChange
from seatrial.parity.causes.numbers import (
    affine,
    constant_offset,
    float_round_trip,
    hour_of_day,
    logarithm,
    precision_loss,
    rounding,
    rounding_mode,
    sign_flip,
    unit_factor,
)
from seatrial.parity.causes.rows import (
    column_swap,
    misaligned_rows,
    shifted_rows,
)
from seatrial.parity.causes.text import day_month_swap, list_order, text_form, time_truncation, timezone
from seatrial.parity.causes.types import default_fill, dtype_coercion, null_handling

Namer = Callable[[ColumnChange], Cause | None]


def name_cause(change: ColumnChange) -> Cause | None:
    """Return the first cause that explains the change, or None."""
    for namer in ALWAYS:
        if cause := namer(change):
            return cause
    if not change.values_tell:
        return None
    with np.errstate(all="ignore"):
        return next((cause for cause in (namer(change) for namer in ON_VALUES) if cause), None)


ALWAYS: list[Namer] = [default_fill, null_handling, dtype_coercion]
ON_VALUES: list[Namer] = [
    precision_loss,
    column_swap,
    sign_flip,
    float_round_trip,
    hour_of_day,
    rounding_mode,
    rounding,
    logarithm,
    unit_factor,
    constant_offset,
    affine,
    day_month_swap,
    timezone,
    time_truncation,
    text_form,
    list_order,
    shifted_rows,
    misaligned_rows,
]
