"""Frames come back as they were, or are refused when they are written; a bundle with a changed byte is refused."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import ReferenceInvalid
from seatrial.io import bundle, parquet
from seatrial.io.files import is_leftover
from seatrial.parity.compare import compare

DAYS = pd.Series(pd.to_datetime(["2020-03-29", None, "2021-01-01"]))
COLUMNS = {
    "text": pd.Series(["a", None, "NA"]),
    "string": pd.Series(["ü", None, ""], dtype="string"),
    "objects": pd.Series(["a", None, "b"], dtype=object),
    "Int64": pd.Series([1, None, 2**60 + 1], dtype="Int64"),
    "UInt8": pd.Series([1, None, 3], dtype="UInt8"),
    "Float64": pd.Series([1, None, 3.5], dtype="Float64"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "bool": pd.Series([True, False, True]),
    "float64": pd.Series([0.1, np.nan, -0.0]),
    "infinite": pd.Series([np.inf, -np.inf, 5e-324]),
    "float32": pd.Series([0.1, np.nan, 1], dtype="float32"),
    "float16": pd.Series([0.1, np.nan, 1], dtype="float16"),
    "int8": pd.Series([1, 2, -3], dtype="int8"),
    "uint64": pd.Series([1, 2, 2**64 - 1], dtype="uint64"),
    "integers beside none": pd.Series([2**53 + 1, None, 2], dtype=object),
    "floats beside none": pd.Series([0.5, None, 2.0], dtype=object),
    "bools beside none": pd.Series([True, None, False], dtype=object),
    "datetime": DAYS,
    "nanoseconds": DAYS.astype("datetime64[ns]"),
    "zoned": DAYS.dt.tz_localize("Europe/Berlin"),
    "utc": DAYS.dt.tz_localize("UTC"),
    "timedelta": pd.Series(pd.to_timedelta([1, None, 3], unit="s")),
    "date": pd.Series([dt.date(2020, 1, 1), None, dt.date(2021, 1, 1)]),
    "time": pd.Series([dt.time(1), None, dt.time(2)]),
    "decimal": pd.Series([Decimal("1.10"), None, Decimal("2.00")]),
    "list": pd.Series([[1, 2], None, []]),
    "list of text": pd.Series([["a"], [], ["b", "ü"]]),
    "dict": pd.Series([{"a": 1}, None, {"b": [1, {"c": None}]}]),
    "list of dicts": pd.Series([[{"a": 1}], [], [{"b": 2.5}, {}]]),
    "bytes": pd.Series([b"a", None, b"\xff"]),
    "nulls": pd.Series([None] * 3, dtype=object),
    "nan": pd.Series([np.nan] * 3),
    "period": pd.Series(pd.period_range("2020-01", periods=3, freq="M")),
    "interval": pd.Series(pd.interval_range(0, 3)),
    "category": pd.Series(pd.Categorical(["b", None, "a"], categories=["z", "b", "a"])),
    "ordered": pd.Series(pd.Categorical(["b", None, "a"], categories=["z", "b", "a"], ordered=True)),
    "category of ints": pd.Series(pd.Categorical([3, None, 1], categories=[9, 3, 1])),
    "category of Int64": pd.Series(pd.Categorical(pd.array([1, 2, 1], dtype="Int64"))),
    "category of strings": pd.Series(["b", "a", None], dtype="string").astype("category"),
    "category of days": pd.Series(pd.Categorical(DAYS)),
    "category of bools": pd.Series(pd.Categorical([True, False, True])),
    "category of nothing": pd.Series(pd.Categorical([None] * 3, categories=["x", "a"], ordered=True)),
    "no categories": pd.Series(pd.Categorical([None] * 3)),
}


def frame_of(column: pd.Series, rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"k": ["a", "b", "c"], "x": column}).head(rows)


def round_trip(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    parquet.write_frame(frame, path / "x.parquet", "stage 'features'")
    return parquet.read_frame(path / "x.parquet")


@pytest.mark.parametrize("rows", [3, 0])
@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_comes_back(name, rows, tmp_path):
    """Values, nulls and the logical type of each kind of column, also where there are no rows."""
    frame = frame_of(COLUMNS[name], rows)
    back = round_trip(frame, tmp_path)
    assert compare(frame, back, key="k").ok or not rows
    if rows and name not in {"objects", "text"}:  # a missing text may come back as another null
        assert repr(back["x"].tolist()) == repr(frame["x"].tolist())
    if isinstance(frame["x"].dtype, pd.CategoricalDtype):
        assert back["x"].dtype == frame["x"].dtype
        assert back["x"].cat.categories.tolist() == frame["x"].cat.categories.tolist()
        assert back["x"].cat.categories.dtype == frame["x"].cat.categories.dtype


@pytest.mark.parametrize("ordered", [True, False])
def test_categories_keep_their_order_over_row_groups(ordered, tmp_path):
    """The order of the categories is the type's, not that of first appearance in any part of the file."""
    kinds = pd.CategoricalDtype(["z", "m", "a", "never"], ordered=ordered)
    cells = pd.Series(["a"] * 700 + ["m"] * 700 + ["z"] * 700).astype(kinds)
    frame = pd.DataFrame({"k": range(2100), "x": cells})
    parquet.write_frame(frame, tmp_path / "x.parquet", "x")
    with pq.ParquetFile(tmp_path / "x.parquet") as file:
        pq.write_table(file.read(), tmp_path / "groups.parquet", row_group_size=100)
    for name in ("x", "groups"):
        back = parquet.read_frame(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(back, frame)
        assert back["x"].cat.categories.tolist() == ["z", "m", "a", "never"]


@settings(max_examples=40, deadline=None)
@given(
    cells=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1, max_size=12),
    numbers=st.lists(st.floats(), min_size=12, max_size=12),
)
def test_any_text_and_any_float_come_back(cells, numbers, tmp_path_factory):
    """Control characters, NUL, empty text, NaN and infinities are data."""
    frame = pd.DataFrame({"k": range(len(cells)), "t": pd.Series(cells, dtype="string"), "f": numbers[: len(cells)]})
    pd.testing.assert_frame_equal(round_trip(frame, tmp_path_factory.mktemp("f")), frame)


def test_the_index_is_left_out(tmp_path):
    """Rows are told apart by their key; an index is dropped and never becomes a column."""
    frame = frame_of(COLUMNS["bool"]).set_axis(["q", "r", "s"], axis=0)
    back = round_trip(frame, tmp_path)
    assert back.index.tolist() == [0, 1, 2]
    assert back.columns.tolist() == ["k", "x"]


def test_a_file_larger_than_memory_is_refused_before_it_is_read(tmp_path):
    """A few bytes can stand for billions of equal cells: rows times columns is looked at first."""
    rows = 3_000_000
    table = pa.table({f"c{i}": pa.nulls(rows) for i in range(200)})
    pq.write_table(table, tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 2_000_000
    with pytest.raises(ReferenceInvalid, match=r"bomb.parquet holds 600,000,000 cells; at most 500,000,000 are read"):
        parquet.read_frame(tmp_path / "bomb.parquet")


def forged(key: bytes, value: bytes) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, key: value}), path)

    return forge


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.write_bytes(p.read_bytes()[:-20]),
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(b"PAR1" * 9),
        lambda p: p.write_text("id,x\n1,2\n"),
        lambda p: p.unlink(),
        forged(b"seatrial.categories:x", b"AAAA"),
        forged(b"seatrial.categories:x", b"\xff"),
        forged(b"seatrial.columns", b'{"never": {"kind": "objects"}}'),
        forged(b"seatrial.columns", b"{"),
        forged(b"seatrial.columns", b'{"k": {"kind": "cells"}}'),
    ],
)
def test_a_spoilt_file_is_refused(spoil, tmp_path):
    """Truncated, empty, foreign or forged: one message with the file's name."""
    path = tmp_path / "x.parquet"
    parquet.write_frame(frame_of(COLUMNS["ordered"]), path, "x")
    spoil(path)
    with pytest.raises(ReferenceInvalid, match=r"x\.parquet (cannot be read|has column types)"):
        parquet.read_frame(path)


# --- the directory ---------------------------------------------------------------------------------------


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    root = tmp_path / "bundle"
    (root / "stages").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "stages" / "b.txt").write_text("b")
    bundle.seal(root, {"kind": "thing", "n": 1})
    return root


def edit(root: Path, change: Callable[[dict], None], *, honest: bool = False) -> None:
    """Change the manifest; ``honest`` gives it the digest of its new content."""
    path = root / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if honest:
        manifest = bundle.with_digests(manifest)
    path.write_text(json.dumps(manifest))


def linked(root: Path, name: str, *, to_folder: bool = False) -> None:
    target = root.parent / "elsewhere"
    target.mkdir() if to_folder else target.write_text("a")
    (root / name).unlink(missing_ok=True)
    os.symlink(target, root / name)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda r: (r / "a.txt").write_text("A"), "a.txt of the thing at .* is not what was written"),
        (lambda r: (r / "a.txt").write_text(""), "a.txt of the thing at .* is not what was written"),
        (lambda r: linked(r, "a.txt"), "a.txt of the thing at .* is not what was written"),
        (lambda r: (r / "stages" / "b.txt").unlink(), r"lacks 1 file\(s\): stages/b.txt"),
        (lambda r: (r / "c.txt").write_text("c"), r"holds file\(s\) that do not belong to it: c.txt"),
        (lambda r: (r / "stages" / "manifest.json").write_text("{}"), "do not belong to it: stages/manifest.json"),
        (lambda r: linked(r, "link"), "do not belong to it: link"),
        (lambda r: linked(r, "folder", to_folder=True), "do not belong to it: folder"),
        (lambda r: (r / "manifest.json").unlink(), "There is no thing at .*: it has no manifest.json. Make one with"),
        (lambda r: (r / "manifest.json").write_text("{"), "cannot be read: it is damaged or of another tool"),
        (lambda r: (r / "manifest.json").write_text("[1]"), "cannot be read: it is damaged or of another tool"),
        (lambda r: (r / "manifest.json").write_text("[" * 10**5), "cannot be read: it is damaged or of another tool"),
        (lambda r: (r / "manifest.json").write_bytes(b"\xff\xfe"), "cannot be read: it is damaged"),
        (lambda r: edit(r, lambda m: m.pop("files")), "cannot be read: it is damaged"),
        (lambda r: edit(r, lambda m: m.update(n=float("nan"))), "cannot be read: it is damaged"),
        (lambda r: edit(r, lambda m: m.update(n="\ud800")), "cannot be read: it is damaged"),
        (lambda r: edit(r, lambda m: m.update(n=2)), "was edited after it was written: its digest differs"),
        (lambda r: edit(r, lambda m: m.update(digest="sha256:0")), "was edited after it was written"),
        (lambda r: edit(r, lambda m: m["files"].update({"../elsewhere": "0"}), honest=True), "lacks 1 file"),
    ],
)
def test_a_bundle_that_is_not_as_written_is_refused(sealed, spoil, says):
    """Truncated, edited, added, missing, linked: what is wrong is said."""
    assert bundle.open_manifest(sealed, "thing")["n"] == 1
    spoil(sealed)
    with pytest.raises(ReferenceInvalid, match=says):
        bundle.open_manifest(sealed, "thing")


def test_a_copy_appears_whole_and_replaces_a_bundle_alone(sealed, tmp_path):
    """A bundle is replaced by a bundle; what is no bundle is left as it was."""
    to = bundle.copy(sealed, tmp_path / "deep" / "copy")
    assert bundle.open_manifest(to, "thing") == bundle.open_manifest(sealed, "thing")
    (to / "stale.txt").write_text("stale")
    bundle.copy(sealed, to)
    assert bundle.open_manifest(to, "thing")["n"] == 1
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for name in ("file", "full"):
        with pytest.raises(ReferenceInvalid, match=f"{name} is in use and holds no reference; choose another"):
            bundle.copy(sealed, tmp_path / name)
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "deep", "file", "full"]


def test_a_directorys_digest_is_of_names_and_content(tmp_path):
    """It does not depend on times, or on folders that are left out; it changes with any name or byte."""
    (tmp_path / "a").write_text("1")
    first = bundle.directory_digest(tmp_path, without=is_leftover)
    os.utime(tmp_path / "a", (1, 1))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("cached")
    assert bundle.directory_digest(tmp_path, without=is_leftover) == first
    assert bundle.directory_digest(tmp_path) != first
    (tmp_path / "a").rename(tmp_path / "b")
    assert bundle.directory_digest(tmp_path, without=is_leftover) != first
