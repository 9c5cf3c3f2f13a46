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


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
