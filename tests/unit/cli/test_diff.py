"""``seatrial diff``: what counts as the same, as different, and as not compared, in each format and in mixed ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from pyarrow import feather

from seatrial.cli import main

ROWS = "id,score,name\n1,0.5,ann\n2,1.5,bob\n3,2.5,cid\n"


@pytest.fixture(autouse=True, params=["whole", "in parts"])
def here(request, tmp_path, monkeypatch):
    """A folder of its own; once with Parquet compared a part after the other, as where it is large."""
    if request.param == "in parts":
        monkeypatch.setattr("seatrial.cli.diff.command.CELLS", 0)
        monkeypatch.setattr("seatrial.parity.streaming.tables.BATCH_ROWS", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


def write(name: str, content: str | pd.DataFrame | pa.Table) -> str:
    """Write text, or a frame in the format that the name says."""
    if isinstance(content, str):
        Path(name).write_text(content)
    elif isinstance(content, pa.Table):
        pa.parquet.write_table(content, name)
    elif name.endswith(".parquet"):
        content.to_parquet(name, index=False)
    elif name.endswith(".csv"):
        content.to_csv(name, index=False)
    else:
        feather.write_feather(pa.Table.from_pandas(content, preserve_index=False), name)
    return name


def diff(capsys, *words: str, key: str = "id") -> tuple[int, str, str]:
    """Run the command; return its exit code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main(["diff", *words, "--key", key])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert "internal error" not in printed.err
    return int(str(ended.value.code)), printed.out, printed.err


# --- what is the same, and what is not --------------------------------------------------------------------


SAME = {
    "itself": (ROWS, ROWS),
    "rows and columns in another order": (ROWS, "name,score,id\ncid,2.5,3\nann,0.5,1\nbob,1.5,2\n"),
    "integers beside a null, written with a point": ("id,n\n1,3\n2,4\n", "id,n\n1,3.0\n2,4.0\n"),
    "a column of nulls alone on both sides": ("id,n,m\n1,,2\n2,,3\n", "id,n,m\n1,,2\n2,,3\n"),
    "flags beside a null": ("id,f\n1,True\n2,\n", "id,f\n1,True\n2,\n"),
    "numbers beside text": ("id,v\n1,3\n2,x\n", "id,v\n1,3\n2,x\n"),
    "within the default tolerance": ("id,v\n1,0.1\n", "id,v\n1,0.10000000000000002\n"),
}
DIFFERENT = {
    "a value": (ROWS, ROWS.replace("2.5", "2.75"), "score"),
    "a null": (ROWS, ROWS.replace("bob", ""), "name"),
    "a row less": (ROWS, ROWS.replace("3,2.5,cid\n", ""), "1 row only in a.csv (key 3)."),
    "a row more": (ROWS, ROWS + "4,1,dan\n", "1 row only in b.csv (key 4)."),
    "a column more": ("id,x\n1,2\n", "id,x,y\n1,2,3\n", "1 column only in b.csv: y."),
    "a key that repeats in the second": (ROWS, ROWS + "3,2.5,cid\n", "1 row of b.csv with the key of another row"),
    "a key that is null in the second": (ROWS, ROWS + ",2.5,cid\n", "1 row of b.csv without a key"),
    "lost leading zeros": ("id,zip\n1,00123\n2,99999\n", "id,zip\n1,123\n2,99999\n", "zip"),
    "text in place of one number": ("id,v\n1,3\n2,4\n", "id,v\n1,3\n2,x\n", "v"),
    "integers beyond 2^53 beside a null": (
        "id,v\n1,9007199254740993\n2,\n", "id,v\n1,9007199254740992\n2,\n", "v",
    ),
    "an integer and a null": ("id,v\n1,3\n2,4\n", "id,v\n1,3\n2,\n", "v"),
}  # fmt: skip
NOT_COMPARED = {
    "no rows": ("id,x\n", "id,x\n", "a.csv has no rows."),
    "no rows in the second": (ROWS, "id,score,name\n", "b.csv has no rows."),
    "no common key": ("id,x\n1,2\n", "id,x\n7,2\n", "No key of a.csv is in b.csv."),
    "no common column": ("id,x\n1,2\n", "id,y\n1,2\n", "share no column"),
    "the key alone": ("id\n1\n", "id\n1\n", "share no column"),
    "a key that repeats": (ROWS + "3,2.5,cid\n", ROWS + "3,2.5,cid\n", "does not name a row of a.csv: 1 row repeats"),
    "a key that is null": (ROWS + ",2.5,cid\n", ROWS + ",2.5,cid\n", "1 row of a.csv has no key"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_ends_with_0(case, capsys):
    """The order of rows and columns, and types that only nulls make, are no difference."""
    first, second = SAME[case]
    code, out, _ = diff(capsys, write("a.csv", first), write("b.csv", second))
    assert (code, out.splitlines()[-1].partition(":")[0]) == (0, "same")


@pytest.mark.parametrize("case", DIFFERENT)
def test_a_difference_ends_with_1_and_is_named(case, capsys):
    """The column, or the rows with their keys; no type is named that only a null makes."""
    first, second, named = DIFFERENT[case]
    code, out, _ = diff(capsys, write("a.csv", first), write("b.csv", second))
    assert code == 1
    assert named in out
    assert not re.search("instead of|in place of", out)
    assert out.splitlines()[-1].startswith("different: ")


@pytest.mark.parametrize("case", NOT_COMPARED)
def test_nothing_compared_ends_with_2(case, capsys):
    """It is never the same, and the reason is a sentence."""
    first, second, reason = NOT_COMPARED[case]
    code, out, _ = diff(capsys, write("a.csv", first), write("b.csv", second), "--quiet")
    assert code == 2
    assert out.startswith("not compared: ")
    assert reason in out


def frame() -> pd.DataFrame:
    return pd.DataFrame({
        "id": [1, 2, 3],
        "whole": pd.array([1, None, 2**60 + 1], dtype="Int64"),
        "ratio": [0.25, None, -1.5],
        "half": pd.Series([0.5, 0.25, 1.0], dtype="float32"),
        "flag": [True, False, True],
        "code": ["007", "01", None],
        "kind": pd.Categorical(["x", "y", "x"]),
        "at": pd.to_datetime(["2025-03-01 01:30", None, "2025-03-02 00:00"]).tz_localize("UTC"),
        "none": [None, None, None],
    })  # fmt: skip


@pytest.mark.parametrize("first", ["a.parquet", "a.feather", "a.csv"])
@pytest.mark.parametrize("second", ["b.parquet", "b.arrow", "b.csv"])
def test_a_frame_is_the_same_in_every_format(first, second, capsys):
    """A text file has the types of the other one."""
    code, out, _ = diff(capsys, write(first, frame()), write(second, frame()))
    assert (code, out) == (0, "same: 3 rows and 8 columns compared\n")


@pytest.mark.parametrize("second", ["b.parquet", "b.csv"])
@pytest.mark.parametrize("column", [c for c in frame().columns if c not in ("id", "none")])
def test_one_changed_cell_is_found_in_every_format(column, second, capsys):
    """Whatever its type; the other columns are the same."""
    changed = frame()
    other = {"whole": 2**60, "ratio": 9.0, "half": 0.75, "flag": False, "code": "7", "kind": "y"}
    changed.loc[0 if column != "whole" else 2, column] = other.get(column, pd.Timestamp("2025-03-01 02:30", tz="UTC"))
    code, out, _ = diff(capsys, write("a.parquet", frame()), write(second, changed), "--json", "-")
    found = json.loads(out)
    assert (code, [c["column"] for c in found["columns"] if not c["same"]]) == (1, [column])


def test_types_that_files_state_are_compared(capsys):
    """Only a column of nulls alone has no type."""
    write(
        "a.parquet",
        pa.table({"id": [1, 2], "x": pa.array([1, 2], pa.int64()), "n": pa.array([None, None], pa.int64())}),
    )
    write("b.parquet", pa.table({"id": [1, 2], "x": pa.array([1, 2], pa.int32()), "n": pa.nulls(2)}))
    code, out, _ = diff(capsys, "a.parquet", "b.parquet")
    assert code == 1
    assert "int32 in place of int64" in out
    assert "1 of 2 columns differs" in out


# --- what may differ, and what is compared ----------------------------------------------------------------


TOLERATED = {
    "--rtol 0.1": 0, "--rtol 0.01": 1, "--atol 0.3": 0, "--atol 0.2": 1, "--tolerance s*=atol:0.3": 0,
    "--tolerance score=rtol:0.2,atol:0": 0, "--tolerance name=text:casefold": 1,
    "--tolerance s*=atol:9 --tolerance score=atol:0": 1, "--tolerance score=share:0.5": 0,
    "--ignore score": 0, "--columns name": 0, "--columns sc?re": 1, "--ignore s*,name --columns *": 2,
}  # fmt: skip


@pytest.mark.parametrize("words", TOLERATED)
def test_tolerances_and_columns(words, capsys):
    """Names and wildcards; the last tolerance that fits a column applies."""
    code, *_ = diff(capsys, write("a.csv", ROWS), write("b.csv", ROWS.replace("2.5", "2.75")), *words.split())
    assert code == TOLERATED[words]


def test_integers_are_exact_unless_named(capsys):
    """A relative tolerance of scores would let identifiers differ."""
    write("a.csv", "id,n,x\n1,1000000000,1.5\n")
    write("b.csv", "id,n,x\n1,1000000007,1.5\n")
    assert diff(capsys, "a.csv", "b.csv", "--rtol", "1e-6")[0] == 1
    assert diff(capsys, "a.csv", "b.csv", "--tolerance", "n=atol:10")[0] == 0


ERRORS = {
    "b.cvs": "'b.cvs' does not exist. Did you mean 'b.csv'?",
    "nothing": "'nothing' holds no file whose name ends with .parquet.",
    "b.xlsx": "'b.xlsx' has no known format. Known endings: .parquet,",
    "twice.csv": "'twice.csv' has several columns named 'x'.",
    "empty.csv": "'empty.csv' is empty: it has no header.",
    "latin.csv": "'latin.csv' is not UTF-8 text.",
    "long.csv": "'long.csv' cannot be read: ",
    "text.parquet": "'text.parquet' cannot be read: ",
    "text.feather": "'text.feather' cannot be read: ",
    "b.csv --key idd": "a.csv has no column 'idd' to be the key. Columns: id, score, name. Did you mean 'id'?",
    "b.csv --columns scor": "--columns 'scor' fits no column of either file. Columns: score, name. Did you mean",
    "b.csv --ignore id": "--ignore names 'id', which is the key.",
    "b.csv --tolerance score": "--tolerance 'score' is not COLUMNS=NAME:VALUE. Example:",
    "b.csv --tolerance scores=rtol:1": "fits no column that is compared. Columns: score, name. Did you mean 'score'?",
    "b.csv --tolerance score=rtoll:1": "Tolerance 'rtoll' is not known. Known: rtol, atol, ulp, share, text.",
    "b.csv --tolerance score=rtol:x": "rtol must be a number; found 'x'.",
    "b.csv --tolerance score=rtol": "'rtol' has no value.",
    "b.csv --rtol -1": "rtol=-1.0 is no tolerance.",
}


@pytest.mark.parametrize("words", ERRORS)
def test_what_cannot_be_compared_is_one_message(words, capsys):
    """Exit code 2, what was found, what is known, the nearest match, and no traceback."""
    for name, text in (
        ("a.csv", ROWS), ("b.csv", ROWS), ("b.xlsx", "x"), ("twice.csv", "id,x,x\n1,2,3\n"), ("empty.csv", ""),
        ("long.csv", ROWS + "4,1,dan,more\n"), ("text.parquet", ROWS), ("text.feather", ROWS),
    ):  # fmt: skip
        write(name, text)
    Path("nothing").mkdir()
    Path("latin.csv").write_bytes("id,x\n1,é\n".encode("latin-1"))
    file, *rest = words.split()
    key = rest[1] if rest[:1] == ["--key"] else "id"
    code, out, err = diff(capsys, "a.csv", file, *(rest if key == "id" else ()), key=key)
    assert (code, out) == (2, "")
    assert ERRORS[words] in err


def test_several_key_columns_name_a_row(capsys):
    """Repeated, or separated by commas."""
    rows = "day,shop,x\n1,a,1\n1,b,2\n2,a,3\n"
    write("a.csv", rows)
    write("b.csv", rows.replace("b,2", "b,5"))
    code, out, _ = diff(capsys, "a.csv", "b.csv", key="day,shop")
    assert (code, "1 of 1 column differs in 3 rows" in out) == (1, True)
    assert diff(capsys, "a.csv", "a.csv", key="day,shop")[0] == 0


# --- forms -----------------------------------------------------------------------------------------------


def test_json_and_html_hold_the_result(capsys):
    """JSON is strict and complete; the page is self-contained, and text of the files is escaped."""
    write("a.csv", "id,<b>x</b>,y\n1,1.0,inf\n2,2.0,1\n3,3.0,1\n4,4.0,1\n")
    write("b.csv", "id,<b>x</b>,y\n1,2.0,1\n2,4.0,1\n3,6.0,1\n4,8.0,1\n")
    code, out, _ = diff(capsys, "a.csv", "b.csv", "--json", "out/d.json", "--html", "out/d.html")
    found = json.loads(Path("out/d.json").read_text(), parse_constant=pytest.fail)
    assert (code, found["exit_code"], found["outcome"], found["rows_compared"]) == (1, 1, "different", 4)
    assert found["columns"][0] | {"explanation": ""} == {
        "column": "<b>x</b>", "same": False, "type_expected": "float64", "type_actual": "float64", "rows": 4,
        "mismatches": 4, "allowed": 0, "null_flips": 0, "max_abs_diff": 4.0, "max_rel_diff": 1.0,
        "cause": found["columns"][0]["cause"], "explanation": "", "keys": ["4", "3", "2", "1"],
    }  # fmt: skip
    assert found["summary"] in out
    page = Path("out/d.html").read_text()
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x</b>" not in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert ">Different</h1>" in page


def test_a_terminal_gets_visible_characters_only(capsys):
    """A file may name a column as it likes."""
    write("a.csv", "id,\x1b[31mred\n1,2\n")
    write("b.csv", "id,\x1b[31mred\n1,3\n")
    _, out, _ = diff(capsys, "a.csv", "b.csv")
    assert "\x1b" not in out
    assert "\\x1b[31mred" in out
