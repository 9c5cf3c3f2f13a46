"""The words of ``seatrial diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seatrial.cli.conventions import Flag

Words = Annotated[list[str] | None, Parameter(negative="")]


def diff(
    expected: Path,
    actual: Path,
    *,
    key: Annotated[list[str], Parameter(negative="")],
    columns: Words = None,
    ignore: Words = None,
    rtol: float | None = None,
    atol: float | None = None,
    tolerance: Words = None,
    json: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    html: Path | None = None,
    cluster: str | None = None,
    quiet: Flag = False,
) -> int:
    """Compare two files row by row by their key, and column by column by name.

    Exit code 0 when they are the same, 1 when they differ, 2 when they could not be compared: nothing compared is never
    the same.

    Args:
        expected: the first file: Parquet, CSV, TSV, Arrow or Feather; or a folder of Parquet files that are one table.
        actual: the second one, of any of these formats.
        key: column that names a row; may be repeated, or several separated by commas.
        columns: compare only these columns; * and ? are wildcards; may be repeated, or several separated by commas.
        ignore: leave out these columns; as --columns.
        rtol: relative tolerance of every column of numbers with a fraction; 1e-9 for float64 by default.
        atol: absolute tolerance of every column of numbers with a fraction; by default that of its type.
        tolerance: tolerance of some columns, as COLUMNS=NAME:VALUE,…, for example "score*=rtol:1e-6,atol:0.01"; names:
            rtol, atol, ulp, share, text. May be repeated; the last one that fits a column applies.
        json: write the complete result to this file, as JSON; -: print it instead of the table.
        html: write a page that can be read offline to this file.
        cluster: Dask cluster that compares parts of large Parquet tables, beyond 50 million cells: the address of its
            scheduler, such as tcp://10.0.0.5:8786, or "local" for processes of this machine. By default that of
            [tool.seatrial.scale] where this is a project, else none.
        quiet: print only the summary line.
    """
    from seatrial.cli.diff.command import Selection, diff_files

    selection = Selection(_words(key), _words(columns), _words(ignore), rtol, atol, tuple(tolerance or ()))
    return diff_files(expected, actual, selection, json=json, html=html, quiet=quiet, cluster=cluster)


def _words(given: list[str] | None) -> tuple[str, ...]:
    return tuple(word for part in given or () for word in part.split(",") if word)
