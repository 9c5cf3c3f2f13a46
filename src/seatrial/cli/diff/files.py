"""Files of tables, by the ending of their names: their columns, and some of these as a frame.

Parquet, Arrow and Feather are read as Arrow keeps them, so that integers beside nulls stay integers. CSV and TSV are
read as pandas infers them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from seatrial.errors import UsageError, nearest
from seatrial.parity.streaming import Dataset, dataset

PARQUET, ARROW, SEPARATORS = (".parquet", ".pq"), (".arrow", ".feather", ".ipc"), {".csv": ",", ".tsv": "\t"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")  # of text
KNOWN = (*PARQUET, *ARROW, *SEPARATORS)


@dataclass(frozen=True)
class File:
    """A file of a table.

    Attributes:
        path: of it.
        names: of its columns.
        read: returns some columns as a frame.
        texts: returns some columns as text; None where the file states types of its own.
        table: what reads it a part after the other; None where its format cannot be.
    """

    path: Path
    names: tuple[str, ...]
    read: Callable[[Sequence[str]], pd.DataFrame]
    texts: Callable[[Sequence[str]], pd.DataFrame] | None = None
    table: Dataset | None = None


def opened(path: Path) -> File:
    """Return the file, or the folder of Parquet files that are one table, its columns read and nothing else.

    Raises:
        UsageError: it is not there, its format is not known, it is damaged, or two columns share a name.
    """
    if not path.exists():
        beside = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        raise UsageError(f"'{path}' does not exist.{nearest(path.name, beside)}")
    ending = PARQUET[0] if path.is_dir() else path.suffix.lower()
    if ending in COMPRESSED:
        ending = Path(path.stem).suffix.lower()
    with _refusing(path):
        if ending in PARQUET:
            file = _parquet(path)
        elif ending in ARROW:
            file = _arrow(path)
        elif ending in SEPARATORS:
            file = _text(path, SEPARATORS[ending])
        else:
            raise UsageError(f"'{path}' has no known format. Known endings: {', '.join(KNOWN)}; text also with .gz.")
    if repeated := sorted({n for n in file.names if file.names.count(n) > 1}):
        raise UsageError(f"'{path}' has several columns named '{repeated[0]}'. Each name must stand for one column.")
    return file


def _parquet(path: Path) -> File:
    table = dataset(path)

    def read(names: Sequence[str]) -> pd.DataFrame:
        with _refusing(path):
            schema = pa.schema([table.schema.field(name) for name in names])
            return _frame(pa.Table.from_batches(table.batches(names), schema))

    return File(path, tuple(table.schema.names), read, table=table)


def _arrow(path: Path) -> File:
    from pyarrow import feather

    def table(names: Sequence[str] | None) -> Any:
        try:
            return feather.read_table(path, columns=None if names is None else list(names))
        except pa.ArrowInvalid:
            with pa.ipc.open_stream(path) as stream:
                found = stream.read_all()
                return found if names is None else found.select(list(names))

    def read(names: Sequence[str]) -> pd.DataFrame:
        with _refusing(path):
            return _frame(table(names))

    try:
        with pa.ipc.open_file(path) as file:
            columns = file.schema.names
    except pa.ArrowInvalid:
        columns = table(None).schema.names
    return File(path, tuple(columns), read)


def _frame(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    return frame


def _text(path: Path, separator: str) -> File:
    header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str, encoding="utf-8-sig", na_filter=False)
    names = tuple(str(name) for name in header.iloc[0])

    def read(chosen: Sequence[str], **types: Any) -> pd.DataFrame:
        with _refusing(path), warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # of rows that are longer than the header
            frame = pd.read_csv(  # with usecols, pandas would cut rows that are longer than the header
                path,
                sep=separator,
                encoding="utf-8-sig",
                low_memory=False,
                index_col=False,
                float_precision="round_trip",
                **types,
            )  # fmt: skip
        return frame[list(chosen)]

    return File(
        path, names, lambda chosen: read(chosen, dtype_backend="numpy_nullable"),
        lambda chosen: read(chosen, dtype="string"),
    )  # fmt: skip


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read what is wrong with it."""
    try:
        yield
    except pd.errors.EmptyDataError as error:
        raise UsageError(f"'{path}' is empty: it has no header.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"'{path}' is not UTF-8 text. Convert it first.") from error
    except (pa.ArrowException, pd.errors.ParserError, pd.errors.ParserWarning, OSError, EOFError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"'{path}' cannot be read: {why}") from error
