"""Frames that cross between two processes come back as they were, and a hostile file is refused."""

import contextlib
import os
import struct
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.errors import ReferenceInvalid
from seatrial.parity.compare import compare
from seatrial.worker import frames

FRAME = pd.DataFrame(
    {
        "id": ["a", "b", "c"],
        "label": pd.Categorical(["x", None, "y"], categories=["y", "z", "x"], ordered=True),
        "items": [[1, 2], [], None],
        "fields": [{"n": 1}, None, {"n": [2.5, None]}],
        "at": pd.to_datetime(["2026-01-01", None, "2026-01-02"], utc=True),
        "n": pd.array([1, None, 2**53 + 1], dtype="Int64"),
    }
)


def test_a_frame_comes_back_as_it_was(tmp_path: Path) -> None:
    """With its types, categories and their order, lists and mappings."""
    frames.write([FRAME], tmp_path / "0.arrow")
    [back] = frames.read(tmp_path / "0.arrow", 1)
    assert compare(FRAME, back, key="id").ok
    assert [str(t) for t in back.dtypes] == [str(t) for t in FRAME.dtypes]
    assert back["label"].cat.categories.tolist() == ["y", "z", "x"]
    assert back["items"][0] == [1, 2]


def test_the_frames_of_a_stage_follow_each_other_and_share_a_table_whatever_the_batches(tmp_path: Path) -> None:
    """Frames of two stages alternate while they are made, and a batch may end after the first stage."""
    with frames.StageWriter(tmp_path / "w0.arrow", stages=2, batches=4) as written:
        for n in range(4):
            written.add(pd.DataFrame({"id": [n]}), 0, "the first")
            if n != 2:
                written.add(pd.DataFrame({"id": [n], "score": [n / 2]}), 1, "the second")
    assert [p.name for p in tmp_path.iterdir()] == ["w0.arrow"]
    assert (tmp_path / "w0.arrow").read_bytes().count(b"seatrial.lengths") == 2
    back = list(frames.read(tmp_path / "w0.arrow", 7))
    assert [list(f.columns) for f in back] == [["id"]] * 4 + [["id", "score"]] * 3
    assert [f["id"][0] for f in back] == [0, 1, 2, 3, 0, 1, 3]


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    """Another format, a link to another file, a pipe nobody writes to."""
    (tmp_path / "text").write_text("not Arrow")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("text", "as Arrow"), ("link", "cannot be opened"), ("pipe", "no regular file")):
        with pytest.raises(ReferenceInvalid, match=reason):
            list(frames.read(tmp_path / name, 1))


def test_buffers_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """Offsets of text beyond its bytes would be read from elsewhere in memory."""
    batch = pa.RecordBatch.from_arrays([pa.array(["hello", "there", "again"])], ["id"])
    with pa.OSFile(os.fspath(tmp_path / "bad"), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    sound, planted = (struct.pack("<4i", 0, 5, 10, end) for end in (15, 10**6))
    content = (tmp_path / "bad").read_bytes()
    assert content.count(sound) == 1
    (tmp_path / "bad").write_bytes(content.replace(sound, planted))
    with pytest.raises(ReferenceInvalid, match="as Arrow"):
        list(frames.read(tmp_path / "bad", 1))


def test_a_frame_of_too_many_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is a frame."""
    monkeypatch.setattr(frames, "MAX_CELLS", 10)
    frames.write([FRAME], tmp_path / "0.arrow")
    with pytest.raises(ReferenceInvalid, match="more than 10 cells"):
        list(frames.read(tmp_path / "0.arrow", 1))


def test_frames_of_different_columns_share_a_file(tmp_path: Path) -> None:
    """Each batch of a probe is read back by itself; a frame too few is refused."""
    other = pd.DataFrame({"other": [1.5]})
    frames.write([FRAME, other, FRAME.iloc[:0]], tmp_path / "0.arrow")
    first, second, third = frames.read(tmp_path / "0.arrow", 3)
    assert compare(FRAME, first, key="id").ok
    assert second.equals(other)
    assert third.empty
    assert list(third.columns) == list(FRAME.columns)
    with pytest.raises(ReferenceInvalid, match="as Arrow"):
        list(frames.read(tmp_path / "0.arrow", 4))


PLAIN = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "n": [1, 2, 3, 4],
        "score": [1.5, None, -0.0, float("inf")],
        "at": pd.to_datetime(["2026-01-01", None, "2026-01-02", "2026-01-03"]),
        "on": [True, False, True, False],
    }
)
OTHER_TYPES = PLAIN.assign(n=PLAIN["n"].astype("int8"))
LABELS = PLAIN.assign(label=pd.Categorical(["x", "y", None, "x"], categories=["y", "x"]))
LABELS_ELSEWHERE = PLAIN.assign(label=pd.Categorical(["x", "y", None, "x"], categories=["x", "y"]))
NESTED = PLAIN.assign(items=[[1], [], None, [2.5]])
MIXED = PLAIN.assign(
    n=pd.array([1, None, 2**53 + 1, -1], dtype="Int64"),
    on=pd.array([True, None, False, True], dtype="boolean"),
    at=pd.to_datetime(["2026-01-01", None, "2026-01-02", "2026-01-03"], utc=True),
    any=pd.Series([1, "one", None, 2.5], dtype=object),
    reasons=pd.Series([["a", "b"], [], None, ["c"]], dtype=object),
)
SHAPES = (PLAIN, MIXED, OTHER_TYPES, LABELS, LABELS_ELSEWHERE, NESTED, PLAIN[["n", "id"]])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_small_frames_come_back_one_by_one(tmp_path: Path, data: st.DataObject) -> None:
    """However many share a table: each with its own rows, types, and order of categories."""
    shape = st.sampled_from(SHAPES)
    cut = st.tuples(shape, st.lists(st.integers(0, len(PLAIN) - 1), max_size=3))
    given = [frame.iloc[rows] for frame, rows in data.draw(st.lists(cut, max_size=12))]
    path = tmp_path / "0.arrow"
    path.unlink(missing_ok=True)
    frames.write(given, path)
    back = list(frames.read(path, len(given)))
    assert len(back) == len(given)
    for before, after in zip(given, back, strict=True):
        pd.testing.assert_frame_equal(before.reset_index(drop=True), after, check_column_type=False)
        if "label" in before:
            assert after["label"].cat.categories.tolist() == before["label"].cat.categories.tolist()


def test_a_frame_that_is_changed_after_it_was_written_is_kept_as_it_was(tmp_path: Path) -> None:
    """The next stage may write into it."""
    frame = PLAIN.copy()
    with (tmp_path / "0.arrow").open("xb") as file, frames.FrameWriter(file) as writer:
        writer.add(frame, "a frame")
        frame.loc[0, "n"] = 99
    [back] = frames.read(tmp_path / "0.arrow", 1)
    assert back["n"].tolist() == [1, 2, 3, 4]


def test_a_list_that_is_changed_after_it_was_written_is_kept_as_it_was(tmp_path: Path) -> None:
    """The next stage may write into a cell; a cell that holds more than values is written at once."""
    frame = pd.DataFrame({"reasons": [["a"], ["b"]]})
    deep = pd.DataFrame({"reasons": [[["a"]], [["b"]]]})
    with (tmp_path / "0.arrow").open("xb") as file, frames.FrameWriter(file) as writer:
        writer.add(frame, "a frame")
        frame.loc[0, "reasons"].append("late")
        writer.add(deep, "another")
        deep.loc[0, "reasons"][0].append("late")
    first, second = frames.read(tmp_path / "0.arrow", 2)
    assert first["reasons"].tolist() == [["a"], ["b"]]
    assert second["reasons"].tolist() == [[["a"]], [["b"]]]


def test_single_requests_of_nullable_numbers_and_lists_share_a_table(tmp_path: Path) -> None:
    """A table for each of hundreds takes longer than what is done with it."""
    frames.write([MIXED.iloc[[n]] for n in range(4)], tmp_path / "0.arrow")
    assert (tmp_path / "0.arrow").read_bytes().count(b"seatrial.lengths") == 1


@pytest.mark.parametrize(
    "lengths", [b"[3]", b"[1, 4]", b"[-1, 5]", b"[]", b"[2.0, 2]", b"[true, 3]", b"{}", b"[1, 1", b"[0, 0, 4]"]
)
def test_lengths_that_do_not_add_up_are_refused(tmp_path: Path, lengths: bytes) -> None:
    """They are what another process says."""
    table = pa.table({"id": [1, 2, 3, 4]}).replace_schema_metadata({frames._LENGTHS: lengths})
    with (tmp_path / "0.arrow").open("wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ReferenceInvalid, match="as Arrow"):
        list(frames.read(tmp_path / "0.arrow", 2))


HOSTILE = {
    "compressed": (pa.table({"id": pa.nulls(1), "n": [0]}), {"compression": "zstd"}),
    "of 10^9 nulls": (pa.table({"id": pa.nulls(10**9)}), {}),
    "of a list of 10^9 nulls": (
        pa.table({"id": pa.ListArray.from_arrays(pa.array([0, 10**9], pa.int32()), pa.nulls(10**9))}), {},
    ),
    "of 10^9 runs": (
        pa.table({"id": pa.RunEndEncodedArray.from_arrays([10**9], ["x"])}), {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_file_of_a_huge_frame_is_refused(tmp_path: Path, name: str) -> None:
    """A few hundred bytes may stand for more than the memory there is."""
    table, options = HOSTILE[name]
    with (
        (tmp_path / "0.arrow").open("wb") as file,
        pa.ipc.new_stream(file, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer,
    ):
        writer.write_table(table)
    assert (tmp_path / "0.arrow").stat().st_size < 2_000
    with pytest.raises(ReferenceInvalid, match=r"as Arrow"):
        list(frames.read(tmp_path / "0.arrow", 1))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever bytes change, no other error is raised."""
    path = tmp_path / "0.arrow"
    path.unlink(missing_ok=True)
    frames.write([FRAME], path)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(ReferenceInvalid):
        list(frames.read(path, 1))
