"""A frame is said to be handed over as it is stored only where the one that is read cannot be told from it."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from seatrial.io import arrow
from seatrial.parity.streaming.frames.identical import identical
from seatrial.pipeline import Returned
from seatrial.worker.stored import FEWEST_ROWS, handed_as_stored

ROWS = 2 * FEWEST_ROWS
FRAME = pd.DataFrame({"id": [f"t-{n}" for n in range(ROWS)], "x": np.where(np.arange(ROWS) % 3, 0.5, np.nan), "n": 1})


class Own(pd.DataFrame):
    """A class of the project's."""


def of(cells: object) -> pd.DataFrame:
    return FRAME.assign(more=cells)


def noted(frame: pd.DataFrame) -> pd.DataFrame:
    frame.attrs["note"] = 1
    return frame


def named(frame: pd.DataFrame) -> pd.DataFrame:
    object.__setattr__(frame, "rate", 0.7)
    return frame


TIMES = pd.date_range("2024-01-01", periods=ROWS, freq="min")
TEXT = [f"w {n % 7}" for n in range(ROWS)]
AS_STORED = {
    "numbers and text": FRAME,
    "truth": of(True),
    "few digits": of(np.float32(0.1)),
    "small integers": of(np.int8(3)),
    "times": of(TIMES),
    "times of a zone": of(TIMES.tz_localize("Europe/Berlin")),
    "durations": of(TIMES - TIMES[0]),
    "text as objects": of(pd.Series(TEXT, dtype=object)),
    "text of pandas": of(pd.Series([*TEXT[1:], None], dtype="string")),
    "a NaN of another sign": of(np.copysign(np.nan, -1.0)),
}
NOT_AS_STORED = {
    "few rows": FRAME.head(FEWEST_ROWS - 1),
    "a class": Own(FRAME),
    "an index of text": FRAME.set_index("id", drop=False),
    "an index from 1": FRAME.set_axis(range(1, ROWS + 1)),
    "an index of integers": FRAME.set_axis(np.arange(ROWS)),
    "a named index": FRAME.rename_axis(index="row"),
    "named columns": FRAME.rename_axis(columns="kind"),
    "columns that are no text": FRAME.rename(columns={"n": 7}),
    "columns of a name": pd.concat([FRAME, FRAME[["n"]]], axis=1),
    "columns in levels": FRAME.set_axis(pd.MultiIndex.from_tuples([("a", c) for c in FRAME]), axis=1),
    "an attribute": noted(FRAME.copy()),
    "an attribute of Python's": named(FRAME.copy()),
    "a flag": FRAME.set_flags(allows_duplicate_labels=False),
    "times of another UTC": of(TIMES.tz_localize(datetime.timezone(datetime.timedelta(0), "Zulu"))),
    "text of a class of its own": of(pd.Series(list(map(np.str_, TEXT)), dtype=object)),
    "text and nothing": of(pd.Series([None, *TEXT[1:]], dtype=object)),
    "lists": of(pd.Series([[1]] * ROWS, dtype=object)),
    "categories": of(pd.Categorical(TEXT)),
    "integers with a mask": of(pd.array([1, None] * (ROWS // 2), dtype="Int64")),
}


@pytest.mark.parametrize("what", AS_STORED)
def test_it_is_as_stored_and_comes_back_so(what: str) -> None:
    """To the bit: what is read of the table is the frame."""
    frame = AS_STORED[what]
    assert handed_as_stored(Returned(frame, frame))
    table = arrow.to_table(frame, "a frame", nan_is_missing=False)
    assert identical(arrow.from_table(table, "a frame"), frame)


@pytest.mark.parametrize("what", NOT_AS_STORED)
def test_it_is_not_or_is_not_known_to_be(what: str) -> None:
    """Its cells, its index, its columns or its class may be others once it is read."""
    frame = NOT_AS_STORED[what]
    assert not handed_as_stored(Returned(frame, frame))


@pytest.mark.parametrize("given", [FRAME.to_numpy(), FRAME.copy(deep=False), FRAME.to_dict("records")])
def test_what_was_handed_over_beside_the_frame_is_not(given: object) -> None:
    """An array, a list of dicts, or a frame that was changed to be kept."""
    assert not handed_as_stored(Returned(FRAME, given))
