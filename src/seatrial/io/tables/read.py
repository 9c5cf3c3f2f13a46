"""Read a file of rows as a frame, without a loss: text that a type would not give back the same stays text."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import UsageError
from seatrial.io import strict_json
from seatrial.io.parquet import read_frame
from seatrial.io.tables.files import check_table

DEPTH = 500  # of one line
INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # what an int64 holds, and writes the same: no '007', no '+1'
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
TRUTHS = ({"True", "False"}, {"true", "false"})


def read_table(path: Path) -> pd.DataFrame:
    """Return the rows of a Parquet, CSV or JSON-lines file.

    A column of a CSV becomes int64, float64 or bool where all of its cells are written so and none loses anything:
    ``007``, ``1.5 kg``, dates and numbers of more digits than a float64 keeps stay text. ``NA`` is text: an empty cell
    alone is missing, and integers beside one are ``Int64``.

    Raises:
        UsageError: no such file, another kind of file, or one that does not parse.
    """
    check_table(path)
    try:
        if path.suffix == ".parquet":
            return read_frame(path)
        if path.suffix == ".csv":
            return _csv(path)
        return _json_lines(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} does not parse as {path.suffix[1:]}: {type(error).__name__}.") from error


def _csv(path: Path) -> pd.DataFrame:
    text: dict[str, Any] = {"dtype": "string", "keep_default_na": False, "na_values": [""]}
    names = pd.read_csv(path, header=None, nrows=1, **text).loc[0]
    if twice := sorted(set(names[names.duplicated()].dropna())):
        raise UsageError(f"{path} names column(s) more than once: {', '.join(twice[:5])}.")
    rows = pd.read_csv(path, **text)
    return pd.DataFrame({name: _typed(rows[name]) for name in rows}, index=rows.index)


def _typed(cells: pd.Series) -> pd.Series:
    """Return a column of text in the type that all of its cells are written in; as it is where there is none."""
    there = cells.dropna()
    if there.empty:
        return cells
    missing = len(there) < len(cells)
    if any(truths.issuperset(there.unique()) for truths in TRUTHS):
        return (cells.str.lower() == "true").astype("boolean" if missing else "bool")
    if there.str.fullmatch(INTEGER).all():
        return cells.astype("Int64") if missing else cells.astype("int64")
    if there.str.fullmatch(NUMBER).all() and all(Decimal(cell) == Decimal(repr(float(cell))) for cell in there):
        return cells.astype("float64")
    return cells


def types_of(frame: pd.DataFrame) -> str:
    """Return the columns of a frame with their types, in one line.

    Example:
        >>> types_of(pd.DataFrame({"id": ["c-1"], "age": [40]}).astype({"id": "string"}))
        'id string, age int64'
    """
    return ", ".join(f"{name} {frame[name].dtype}" for name in frame)


def _json_lines(text: str) -> pd.DataFrame:
    """Return one row an object, its numbers as written: an integer beside a missing one must not become a float."""
    rows = [
        strict_json.loads(line, depth=DEPTH, non_finite=True, any_text=True)
        for line in text.split("\n")
        if line.strip()
    ]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is not an object")
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: _column([row.get(name) for row in rows]) for name in names})


def _column(cells: list[Any]) -> pd.Series:
    if None in cells and {type(cell) for cell in cells if cell is not None} == {int}:
        return pd.Series(cells, dtype="Int64")
    return pd.Series(cells, dtype=object).infer_objects()
