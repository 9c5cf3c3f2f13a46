"""The files that rows are read from: which kinds there are, and what is wrong with one before it is read."""

from __future__ import annotations

from pathlib import Path

from seatrial.errors import UsageError, nearest

KINDS = (".parquet", ".csv", ".jsonl", ".ndjson")
PARQUET = b"PAR1"  # the first bytes of such a file


def check_table(path: Path) -> None:
    """Raise UsageError unless there is a file of a known kind that can be opened and is not empty."""
    if not path.is_file():
        beside = [str(p) for p in sorted(path.parent.glob("*")) if p.suffix in KINDS]
        raise UsageError(f"There is no file {path}.{nearest(str(path), beside)}")
    if path.suffix not in KINDS:
        raise UsageError(f"{path} is not one of {', '.join(KINDS)}. Convert it, for example to Parquet.")
    try:
        with path.open("rb") as file:
            head = file.read(len(PARQUET))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if path.suffix == ".parquet" and head != PARQUET:
        raise UsageError(f"{path} does not parse as parquet: it does not begin with {PARQUET.decode()}.")
