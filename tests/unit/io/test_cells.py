"""Cells of every kind come back from Parquet and from the worker's files as they were, or are refused by name."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial.errors import ReferenceInvalid
from seatrial.io import parquet
from seatrial.worker import frames

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
import cell_kinds

KINDS, REFUSED = cell_kinds.kinds(), cell_kinds.refused()


def through_parquet(frame, folder):
    parquet.write_frame(frame, folder / "0.parquet", "stage 'raw'")
    return parquet.read_frame(folder / "0.parquet")


def through_the_worker(frame, folder):
    frames.write([frame], folder / "0.arrow")
    return next(frames.read(folder / "0.arrow", 1))


def test_the_catalogue_is_large():
    assert len(KINDS) >= 70


@pytest.mark.parametrize("way", [through_parquet, through_the_worker])
@pytest.mark.parametrize("kind", KINDS)
def test_a_column_comes_back_as_it_was(kind, way, tmp_path):
    """The same types, dtypes, shapes and values, also twice, and of some of its rows."""
    frame = pd.DataFrame({"id": [1, 2, 3], "x": KINDS[kind], "n": [0.5, 1.5, 2.5]})
    back = way(frame, tmp_path)
    assert list(back.columns) == ["id", "x", "n"]
    assert cell_kinds.same_column(back["x"], frame["x"]), [*back["x"]]
    for part in (frame.iloc[:0], frame.iloc[[1]]):
        (folder := tmp_path / str(len(part))).mkdir()
        assert cell_kinds.same_column(way(part, folder)["x"], part["x"])


@pytest.mark.parametrize("kind", REFUSED)
def test_a_cell_that_cannot_be_kept_is_refused(kind, tmp_path):
    """The message names the column, whose it is, the type, and what to return instead; no value is in it."""
    cell, advice = REFUSED[kind]
    for column in (cell_kinds.objects(None, cell), cell_kinds.objects([{"a": cell}], "text")):
        frame = pd.DataFrame({"id": [1, 2], "x": column})
        for way in (through_parquet, through_the_worker):
            with pytest.raises(ReferenceInvalid, match=f"^Column 'x' of .* holds .* which cannot be kept. .*{advice}"):
                way(frame, tmp_path)
            (tmp_path / "0.arrow").unlink(missing_ok=True)


def test_a_type_of_column_that_cannot_be_kept_is_refused(tmp_path):
    for column, says in (
        (pd.Series(np.ones(2, "longdouble")), r"holds the type \w+, .* astype\('float64'\)"),
        (pd.Series(pd.arrays.SparseArray(["a", "b"])), "holds the type Sparse.*, .* Make it dense"),
    ):
        with pytest.raises(ReferenceInvalid, match=f"Column 'x' of stage 'raw' {says}"):
            through_parquet(pd.DataFrame({"id": [1, 2], "x": column}), tmp_path)


def test_large_cells_are_files_of_their_own(tmp_path):
    """Named by their content, once however often they occur; damaged or lost, they are refused."""
    image = np.arange(2**20, dtype="uint8").reshape(1024, 1024)
    cells = cell_kinds.objects(image, image, np.zeros(2, "uint8"), None)
    frame = pd.DataFrame(
        {"id": [1, 2, 3, 4], "image": cells, "raw": cell_kinds.objects(image.tobytes(), b"", b"x", None)}
    )
    back = through_parquet(frame, tmp_path)
    assert all(cell_kinds.same_column(back[c], frame[c]) for c in frame)
    parquet.write_frame(frame, tmp_path / "1.parquet", "another stage")
    files = list((tmp_path / "cells").iterdir())
    assert len(files) == 2  # the image as an array and as bytes
    assert (tmp_path / "0.parquet").stat().st_size < 2**16
    files[0].write_bytes(files[0].read_bytes()[:-1] + b"?")
    with pytest.raises(ReferenceInvalid, match=r"is not what was written: truncated or edited"):
        parquet.read_frame(tmp_path / "0.parquet")
    files[0].unlink()
    with pytest.raises(ReferenceInvalid, match="of a large cell is missing"):
        parquet.read_frame(tmp_path / "1.parquet")


def test_an_array_may_be_written_into(tmp_path):
    frame = pd.DataFrame(
        {"id": [1, 2], "x": cell_kinds.objects(np.ones(2), np.ones(2)), "y": cell_kinds.objects(np.eye(2), 1)}
    )
    back = through_parquet(frame, tmp_path)
    back["x"][0][0] = back["y"][0][0, 0] = 5
    assert back["x"][1].tolist() == [1, 1]
