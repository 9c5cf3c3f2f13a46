"""What a stage may return, and the pandas frame of it that is kept and compared.

The next stage gets the very object that the stage before returned, as in the service. Where only the frame is there,
as in a replay from a reference, the object is made from it again: the frame's attributes say in which form.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.errors import StageError
from seatrial.formatting import plural
from seatrial.pipeline.pictures import as_data, as_pictures

FORM = "seatrial.form"  # the attribute of a frame: what the stage returned, where it was no pandas frame
AS_STORED = "seatrial.as_stored"  # likewise: the next stage got exactly what reading this frame from a file gives
KINDS = "a pandas or polars DataFrame, an Arrow table, a list of dicts, or an array with Stage(columns=[...])"


@dataclass(frozen=True)
class Returned:
    """What a stage returned, for the next stage, and the frame of it.

    Attributes:
        frame: the pandas frame that is kept and compared.
        given: what the next stage gets.
    """

    frame: pd.DataFrame
    given: Any

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Returned:
        """Return a frame that no stage returned just now: from a reference, from another process, or the requests."""
        form = str(frame.attrs.get(FORM, ""))
        return cls(frame, _MADE[form](frame) if form in _MADE else as_pictures(frame))


def returned(  # noqa: PLR0911  one return a kind
    stage: str, out: Any, *, before: pd.DataFrame, key: Sequence[str], columns: Sequence[str]
) -> Returned:
    """Return what a stage returned with the frame of it.

    Args:
        stage: the name of the stage, for messages.
        out: what it returned.
        before: the frame of the stage before, from which an array takes the key, row by row.
        key: the key columns of the stage.
        columns: the names of an array's columns.

    Raises:
        StageError: it is nothing that has a frame, with what to return instead.
    """
    if isinstance(out, pd.DataFrame):
        return Returned(as_data(_without_form(out)), out)
    if isinstance(out, np.ndarray):
        return _of_array(stage, out, before, key, columns)
    if isinstance(out, list):
        return _of_records(stage, out)
    if isinstance(out, pa.Table):
        return _of_table(stage, out, out, "arrow")
    if isinstance(out, pa.RecordBatch):
        return _of_table(stage, pa.Table.from_batches([out]), out, "arrow batch")
    polars = sys.modules.get("polars")  # not imported: what is not there returned nothing
    if polars is not None and isinstance(out, polars.DataFrame):
        return _of_table(stage, out.to_arrow(), out, "polars")
    if polars is not None and isinstance(out, polars.LazyFrame):
        return _of_table(stage, out.collect().to_arrow(), out, "polars lazy")
    if hasattr(out, "__arrow_c_stream__") and not isinstance(out, pd.Series) and not _is_series(out):
        return _of_stream(stage, out)
    raise StageError(stage, f"Stage '{stage}' returned {_name(out)}; a stage returns {KINDS}.{_advice(out)}")


def _without_form(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without the note of another form, which pandas copies from the frame that it is made of."""
    if FORM not in frame.attrs:
        return frame
    plain = frame.copy(deep=False)
    plain.attrs = {name: value for name, value in frame.attrs.items() if name != FORM}
    return plain


def _of_array(
    stage: str, out: np.ndarray[Any, Any], before: pd.DataFrame, key: Sequence[str], columns: Sequence[str]
) -> Returned:
    shape = " × ".join(f"{n:,}" for n in out.shape) or "no dimension"
    if not columns:
        raise StageError(
            stage,
            f"Stage '{stage}' returned an array ({shape}), whose columns have no names. "
            f"Name them: {stage}=Stage(..., columns=[...]); the key comes from the rows of the stage before.",
        )
    table = out.reshape(-1, 1) if out.ndim == 1 else out
    if table.ndim != 2 or table.shape[1] != len(columns):
        raise StageError(
            stage,
            f"Stage '{stage}' returned an array of {shape}, and its Stage names {plural(len(columns), 'column')}. "
            "An array has one row for each row of the stage before, and one column for each name.",
        )
    if table.dtype.names or table.dtype.kind not in "biufcMmUO":
        raise StageError(
            stage, f"Stage '{stage}' returned an array of the type {table.dtype}. Return a DataFrame of it."
        )
    named = {name: pd.Series(table[:, n].copy()) for n, name in enumerate(columns)}
    lacking = [c for c in key if c not in columns]
    if lacking and len(table) != len(before):
        raise StageError(
            stage,
            f"Stage '{stage}' returned an array of {plural(len(table), 'row')} for {plural(len(before), 'row')}, so it "
            f"cannot be told whose they are. Return one row for each, or a DataFrame with the key '{lacking[0]}'.",
        )
    if lost := [c for c in lacking if c not in before.columns]:
        raise StageError(stage, f"Stage '{stage}' returned an array, and the stage before has no key '{lost[0]}'.")
    keys = {c: before[c].reset_index(drop=True) for c in lacking}
    frame = pd.DataFrame({**keys, **named})
    frame.attrs[FORM] = f"array {out.ndim} {len(lacking)}"
    return Returned(frame, out)


def _of_records(stage: str, out: list[Any]) -> Returned:
    if odd := next((r for r in out if type(r) is not dict), None):
        raise StageError(
            stage, f"Stage '{stage}' returned a list that holds {_name(odd)}; a list holds a dict for each row."
        )
    names = dict.fromkeys(name for record in out for name in record)
    frame = pd.DataFrame({name: _column([r.get(name) for r in out]) for name in names}, index=range(len(out)))
    frame.attrs[FORM] = "records"
    return Returned(as_data(frame), out)


def _column(cells: list[Any]) -> pd.Series:
    """Return the values of one name: numbers, truth values and text in their own type, where no record lacks one."""
    kinds = set(map(type, cells))
    plain = {int: "int64", float: "float64", bool: "bool"}
    if len(kinds) == 1 and (dtype := plain.get(next(iter(kinds)))):
        try:
            return pd.Series(cells, dtype=dtype)
        except OverflowError:
            pass
    values = np.empty(len(cells), dtype=object)
    for n, cell in enumerate(cells):
        values[n] = cell
    return pd.Series(values, dtype=object)


def _of_table(stage: str, table: Any, given: Any, form: str) -> Returned:
    """Return a table as a frame of Arrow's own types: pandas' would make floats of integers beside a null."""
    views = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}
    for n, field in enumerate(table.schema):
        if (plain := views.get(str(field.type))) is not None:
            table = table.set_column(n, field.name, table[n].cast(plain))
    try:
        cells = [pd.Series(pd.arrays.ArrowExtensionArray(column)) for column in table.columns]
        frame = pd.concat(cells, axis=1) if cells else pd.DataFrame(index=range(len(table)))
    except (pa.ArrowException, ValueError, TypeError, NotImplementedError) as error:
        raise StageError(
            stage,
            f"Stage '{stage}' returned a table that pandas {pd.__version__} cannot hold: {type(error).__name__}. "
            f"Its types: {', '.join(sorted({str(t) for t in table.schema.types}))[:200]}. Cast them.",
        ) from error
    frame = frame.set_axis(table.column_names, axis=1)
    frame.attrs[FORM] = form
    return Returned(frame, given)


def _of_stream(stage: str, out: Any) -> Returned:
    """Return what has an Arrow C stream, which can be read once: the next stage gets the table."""
    try:
        table = pa.table(out)
    except Exception as error:
        raise StageError(
            stage,
            f"Stage '{stage}' returned {_name(out)}, which pyarrow {pa.__version__} cannot read: "
            f"{type(error).__name__}. Return a pyarrow.Table or a pandas DataFrame.",
        ) from error
    return _of_table(stage, table, table, "arrow")


def _table_of(frame: pd.DataFrame) -> Any:
    return pa.table({str(name): pa.array(column.array) for name, column in frame.items()})


def _polars_of(frame: pd.DataFrame) -> Any:
    import polars

    return polars.from_arrow(_table_of(frame))


def _array_of(frame: pd.DataFrame) -> Any:
    _, dimensions, keys = str(frame.attrs[FORM]).split()
    values = frame.iloc[:, int(keys) :].to_numpy()
    return values[:, 0] if dimensions == "1" else values


def _records_of(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    plain = as_pictures(frame)
    cells = [plain[name].tolist() for name in plain.columns]
    return [dict(zip(plain.columns, row, strict=True)) for row in zip(*cells, strict=True)]


_MADE: dict[str, Any] = {
    "arrow": _table_of,
    "arrow batch": lambda frame: _table_of(frame).combine_chunks().to_batches()[0],
    "polars": _polars_of,
    "polars lazy": lambda frame: _polars_of(frame).lazy(),
    "records": _records_of,
    **{f"array {dimensions} {keys}": _array_of for dimensions in (1, 2) for keys in range(9)},
}


def _is_series(out: Any) -> bool:
    return type(out).__name__ == "Series"


def _name(out: Any) -> str:
    kind = type(out)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _advice(out: Any) -> str:  # noqa: PLR0911  one return a kind
    if out is None:
        return " Does it lack a 'return'?"
    if type(out).__module__.partition(".")[0] == "torch":
        return " Return out.detach().cpu().numpy(), with columns."
    if isinstance(out, pd.Series) or _is_series(out):
        return " Return its frame: out.to_frame(), with the key column."
    if isinstance(out, dict):
        return " Return pd.DataFrame(out)."
    if hasattr(out, "toarray"):
        return " Return out.toarray(), with columns."
    if hasattr(out, "__next__") or isinstance(out, tuple | set):
        return " Return list(out)."
    return ""
