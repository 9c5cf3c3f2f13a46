"""A file of rows is read without a loss: text stays text, integers stay whole."""

from __future__ import annotations

import pandas as pd
import pytest

from seatrial.errors import ReferenceInvalid, UsageError
from seatrial.io.parquet import write_frame
from seatrial.io.tables.read import read_table

CELLS = {
    "id": (["c-1", "c-2"], "string"),
    "age": (["40", "-3"], "int64"),
    "visits": (["7", ""], "Int64"),
    "income": (["1.50", "1e3"], "float64"),
    "score": (["0.30000000000000004", "2"], "float64"),
    "wide": (["9007199254740993", "1"], "int64"),
    "wider": (["18446744073709551617", "1.5"], "string"),
    "fine": (["0.1234567890123456789", "1.5"], "string"),
    "huge": (["1e999", "1.5"], "string"),
    "postcode": (["01067", "10115"], "string"),
    "plus": (["+1", "2"], "string"),
    "active": (["True", "False"], "bool"),
    "known": (["true", ""], "boolean"),
    "day": (["2026-01-05", "2026-01-06"], "string"),
    "nothing": (["", ""], "string"),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_of_a_csv_get_the_type_that_all_are_written_in(name, tmp_path):
    """As pandas reads them, and never with a loss: what a type would not give back the same stays text."""
    cells, dtype = CELLS[name]
    (tmp_path / "rows.csv").write_text("\n".join([f"key,{name}", *(f"k,{cell}" for cell in cells)]) + "\n", "utf-8")
    column = read_table(tmp_path / "rows.csv")[name]
    assert str(column.dtype) == dtype
    assert column.isna().tolist() == [cell == "" for cell in cells]
    if dtype == "float64":
        assert column.tolist() == [float(cell) for cell in cells]
    if dtype == "int64":
        assert column.tolist() == [int(cell) for cell in cells]
    if name == "active":
        assert column.tolist() == [True, False]


def test_other_text_of_a_csv_stays_text(tmp_path):
    """``NA`` is a country, a leading zero is a digit, and only an empty cell is missing."""
    (tmp_path / "rows.csv").write_text("id,country,postcode,amount\nt-1,NA,01067,1e3\nt-2,,NULL,nan\n", "utf-8")
    frame = read_table(tmp_path / "rows.csv")
    assert frame.loc[0].tolist() == ["t-1", "NA", "01067", "1e3"]
    assert frame["country"].isna().tolist() == [False, True]
    assert frame["postcode"][1] == "NULL"
    assert frame["amount"][1] == "nan"


def test_json_lines_keep_their_types(tmp_path):
    """Text, integers beside a missing one, nested values: as they were written; a blank line is no row."""
    lines = '{"id": "007", "n": 9007199254740993, "x": 1.5, "d": {"a": [1]}, "day": "2024-01-01"}\n\n{"id": "8"}\n'
    for name in ("rows.jsonl", "rows.ndjson"):
        (tmp_path / name).write_text(lines, "utf-8")
        frame = read_table(tmp_path / name)
        assert frame["id"].tolist() == ["007", "8"]
        assert frame["n"][0] == 9007199254740993
        assert frame["n"].isna()[1]
        assert frame["x"].dtype == "float64"
        assert frame["d"][0] == {"a": [1]}
        assert frame["day"][0] == "2024-01-01"


def test_parquet_is_read_as_it_was_written(tmp_path):
    """Types and categories come with the file."""
    frame = pd.DataFrame({"id": [1, 2], "c": pd.Categorical(["b", "a"], categories=["z", "b", "a"], ordered=True)})
    write_frame(frame, tmp_path / "rows.parquet", "rows")
    pd.testing.assert_frame_equal(read_table(tmp_path / "rows.parquet"), frame)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.csv", b"", "does not parse as csv"),
        ("rows.csv", b"a,b\n1,2,3\n1,2,3,4\n", "does not parse as csv"),
        ("rows.csv", b"a\n\xff\n", "does not parse as csv: UnicodeDecodeError"),
        ("rows.csv", b"id,x,id\n1,2,3\n", r"names column\(s\) more than once: id"),
        ("rows.jsonl", b'{"a": 1}\n[1]\n', "does not parse as jsonl"),
        ("rows.jsonl", b'{"a": 1', "does not parse as jsonl"),
        ("rows.jsonl", b"[" * 100_000, "does not parse as jsonl"),
        ("rows.jsonl", b'{"a": 1, "a": 2}\n', "does not parse as jsonl"),
        ("rows.xlsx", b"PK", r"rows.xlsx is not one of .parquet, .csv, .jsonl, .ndjson"),
        ("rows", b"", "is not one of"),
        ("rows.parquet", b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(name, content, says, tmp_path):
    """Empty, ragged, in another encoding, ambiguous, or of another kind."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises((UsageError, ReferenceInvalid), match=says):
        read_table(tmp_path / name)


def test_a_file_that_is_not_there_is_said(tmp_path):
    """Nothing there, or a folder."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UsageError, match="There is no file"):
            read_table(path)
