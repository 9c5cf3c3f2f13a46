"""Read a file of rows as a frame without guessing at what its text means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import UsageError
from seatrial.io import strict_json
from seatrial.io.parquet import read_frame
from seatrial.io.table_files import check_table

DEPTH = 500  # of one line


def read_table(path: Path) -> pd.DataFrame:
    """Return the rows of a Parquet, CSV or JSON-lines file.

    A CSV's cells stay text, ``NA`` included: an empty cell alone is missing. The first stage gives them types.

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
    return pd.read_csv(path, **text)


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
