"""What ``seatrial diff`` does: read the columns that were chosen, compare them, print and write the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from seatrial.cli.diff.files import File, opened
from seatrial.cli.diff.scale import check_cluster, runner
from seatrial.cli.diff.tolerances import fits, tolerances_of
from seatrial.cli.diff.types import agreed
from seatrial.errors import UsageError, nearest
from seatrial.io.files import atomic_write
from seatrial.parity.compare import compare
from seatrial.parity.streaming import Dataset, compare_datasets
from seatrial.parity.streaming.runner import Runner
from seatrial.sinks.difference.console import show
from seatrial.sinks.difference.result import Difference

STDOUT = "-"
CELLS = 50_000_000  # of one side, above which Parquet is compared a part after the other


@dataclass(frozen=True)
class Selection:
    """What is compared, and what may differ.

    Attributes:
        key: the columns that name a row.
        columns: patterns of the columns to compare; all where empty.
        ignore: patterns of the columns to leave out.
        rtol: relative tolerance of numbers with a fraction.
        atol: absolute tolerance of numbers with a fraction.
        tolerances: tolerances of single columns, each as ``COLUMNS=NAME:VALUE,…``.
    """

    key: tuple[str, ...]
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    rtol: float | None = None
    atol: float | None = None
    tolerances: tuple[str, ...] = ()


def diff_files(
    expected: Path, actual: Path, selection: Selection, *, json: str | None, html: Path | None, quiet: bool,
    cluster: str | None = None,
) -> int:  # fmt: skip
    """Compare two files, print the difference and return the exit code; see :func:`difference_of`.

    Args:
        expected: the first file.
        actual: the second one.
        selection: what is compared.
        json: the file for the whole result, or ``-`` for standard output.
        html: the file for the page.
        quiet: print the summary alone.
        cluster: what compares the parts of large tables; see :func:`seatrial.cli.diff.scale.runner`.
    """
    found = difference_of(expected, actual, selection, cluster)
    if json is not None:
        from seatrial.sinks.difference.json import to_json

        if json == STDOUT:
            print(to_json(found))  # noqa: T201
        else:
            atomic_write(Path(json), to_json(found).encode("utf-8", "replace") + b"\n")
    if html is not None:
        from seatrial.sinks.difference.html import render

        atomic_write(html, render(found).encode("utf-8", "replace"))
    if json != STDOUT:
        show(found, Console(), brief=quiet)
    return found.exit_code


def difference_of(expected: Path, actual: Path, selection: Selection, cluster: str | None = None) -> Difference:
    """Return the difference of two files.

    Raises:
        UsageError: a file cannot be read, a column is not there, or a tolerance or the cluster cannot be used.
        TargetError: the cluster is away.
    """
    if cluster is not None:
        check_cluster(cluster)
    files = opened(expected), opened(actual)
    key = selection.key
    if not key:
        raise UsageError("--key names no column. Example: --key id")
    for file in files:
        for name in key:
            if name not in file.names:
                raise UsageError(f"{file.path} has no column '{name}' to be the key. {_listed(file.names, name)}")
    chosen = _chosen(files, selection)
    wanted = [[n for n in file.names if n in key or n in chosen] for file in files]
    if tables := _streamed(files, wanted):
        with runner(cluster) as parts:
            return _difference_of_tables(expected, actual, tables, [*key, *chosen], selection, parts)
    first, second = agreed(files, wanted)
    tolerances = tolerances_of(first, second, key, selection)
    parity = compare(first, second, key=key, tolerances=tolerances, distributions=False)
    names, repeated, nameless = list(key), 0, 0
    if parity.null_keys.count:
        nameless = int(first[names].isna().any(axis=1).sum())
    if parity.duplicate_keys.count:
        repeated = int(first[names].dropna().duplicated().sum())
    return Difference(str(expected), str(actual), key, parity, repeated, nameless)


def _streamed(files: tuple[File, File], wanted: Sequence[Sequence[str]]) -> tuple[Dataset, Dataset] | None:
    """Return what reads both a part after the other, where they can be so and are large."""
    one, other = (file.table for file in files)
    if one is None or other is None:
        return None
    cells = max(table.rows * len(names) for table, names in zip((one, other), wanted, strict=True))
    return (one, other) if cells > CELLS else None


def _difference_of_tables(
    expected: Path, actual: Path, tables: tuple[Dataset, Dataset], columns: Sequence[str], selection: Selection,
    parts: Runner,
) -> Difference:  # fmt: skip
    one, other = tables
    one, other = one.borrowing(other), other.borrowing(one)
    tolerances = tolerances_of(one.empty(columns), other.empty(columns), selection.key, selection)
    found = compare_datasets(
        one, other, key=selection.key, columns=columns, tolerances=tolerances, distributions=False, runner=parts
    )
    return Difference(str(expected), str(actual), selection.key, found.parity, found.repeated, found.nameless)


def _chosen(files: Sequence[File], selection: Selection) -> set[str]:
    """Return the names of the columns to compare, the key left out."""
    every = list(dict.fromkeys(name for file in files for name in file.names if name not in selection.key))
    for option, patterns in (("--columns", selection.columns), ("--ignore", selection.ignore)):
        for pattern in patterns:
            if pattern in selection.key:
                raise UsageError(f"{option} names '{pattern}', which is the key. Name other columns.")
            if not any(fits(name, pattern) for name in every):
                raise UsageError(f"{option} '{pattern}' fits no column of either file. {_listed(every, pattern)}")
    return {
        name
        for name in every
        if (not selection.columns or any(fits(name, p) for p in selection.columns))
        and not any(fits(name, p) for p in selection.ignore)
    }


def _listed(names: Sequence[str], name: str) -> str:
    most = 30
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"Columns: {', '.join(names[:most]) or 'none'}{more}.{nearest(name, names)}"
