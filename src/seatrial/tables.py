"""Read a file of rows as a frame without guessing at what its text means."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from seatrial.bundle import read_frame
from seatrial.errors import UsageError

KINDS = (".parquet", ".csv", ".jsonl", ".ndjson")


def read_table(path: Path) -> pd.DataFrame:
    """Return the rows of a Parquet, CSV or JSON-lines file.

    A CSV's cells stay text, ``NA`` included: an empty cell alone is missing. The first stage gives them types.

    Raises:
        UsageError: no such file, another kind of file, or one that does not parse.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    if path.suffix not in KINDS:
        raise UsageError(f"{path} is not one of {', '.join(KINDS)}.")
    try:
        if path.suffix == ".parquet":
            return read_frame(path)
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
        return pd.read_json(path, lines=True, dtype=False, convert_dates=False)
    except ValueError as error:
        raise UsageError(f"{path} does not parse as {path.suffix[1:]}: {type(error).__name__}.") from error
