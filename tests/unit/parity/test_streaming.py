"""Tables that are compared a part after the other: what is found is what the comparison in memory finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.errors import PipelineError, UsageError
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.parity.streaming import Streamed, compare_datasets, comparison, dataset
from seatrial.parity.tolerance import Tolerance

ROWS = 3_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few hundred rows."""
    monkeypatch.setattr("seatrial.parity.streaming.tables.BATCH_ROWS", 250)


def table(keys: Any = None, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": np.arange(rows) if keys is None else keys,
            "x": rng.random(rows),
            "y": rng.normal(size=rows),
            "place": rng.choice(["north", "south", "west"], rows),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), "s"),
            "list": [list(map(float, row)) for row in rng.random((rows, 3))],
        }
    )


def written(frame: pd.DataFrame, path: Path, group: int) -> Path:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=group)
    return path


def streamed(expected: pd.DataFrame, actual: pd.DataFrame, folder: Path, **how: Any) -> Streamed:
    files = written(expected, folder / "expected.parquet", 700), written(actual, folder / "actual.parquet", 900)
    return compare_datasets(*map(dataset, files), **{"key": "id", "part_bytes": 20_000, **how})


def in_memory(folder: Path, **how: Any) -> Parity:
    frames = [
        pq.read_table(folder / f"{name}.parquet").to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
        for name in ("expected", "actual")
    ]
    return compare(*frames, **{"key": "id", **how})


def few(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[17, "y"], frame.loc[2_400, "y"] = 9.0, np.nan
    return frame


def nested(frame: pd.DataFrame) -> pd.DataFrame:
    frame.at[77, "list"] = [0.0, 0.0, 99.0]
    return frame


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "nothing": lambda frame: frame,
    "a factor": lambda frame: frame.assign(x=frame["x"] * 2),
    "few values": few,
    "one in a list": nested,
    "noise": lambda frame: frame.assign(x=frame["x"] + 1e-13 * np.random.default_rng(2).random(len(frame))),
    "an hour": lambda frame: frame.assign(at=frame["at"] + pd.Timedelta(hours=1)),
    "a name": lambda frame: frame.rename(columns={"x": "z"}),
    "rows missing": lambda frame: frame.drop(index=[3, 1_000]),
    "rows repeated": lambda frame: pd.concat([frame, frame.iloc[[5, 6]]]),
    "another order": lambda frame: frame.sample(frac=1, random_state=1),
    "another order and a factor": lambda frame: frame.sample(frac=1, random_state=1).assign(y=lambda f: f["y"] * 100),
    "two neighbours": lambda frame: frame.iloc[[1, 0, *range(2, len(frame))]],
    "rows missing in order": lambda frame: frame.iloc[7:],
    "keys as int32": lambda frame: frame.astype({"id": "int32"}),
    "keys as floats": lambda frame: frame.astype({"id": "float64"}),
    "keys as text": lambda frame: frame.astype({"id": "str"}),
    "a null key": lambda frame: frame.assign(id=frame["id"].astype("Int64").mask(frame["id"] == 3)),
    "no rows": lambda frame: frame.iloc[:0],
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_finds_what_is_found_in_memory(change: str, tmp_path: Path) -> None:
    found = streamed(table(), CHANGES[change](table()), tmp_path)
    assert dataclasses.asdict(found.parity) == dataclasses.asdict(in_memory(tmp_path))


def test_keys_of_text_in_no_order(tmp_path: Path) -> None:
    keys = [f"k{n:05d}" for n in np.random.default_rng(5).permutation(ROWS)]
    found = streamed(table(keys), table(keys).assign(x=lambda f: f["x"] + 1), tmp_path)
    assert dataclasses.asdict(found.parity) == dataclasses.asdict(in_memory(tmp_path))
    assert found.parity.row_order_ok


def test_keys_of_several_columns(tmp_path: Path) -> None:
    frame = table().assign(shop=lambda f: f["id"] % 7, id=lambda f: f["id"] // 7)
    found = streamed(frame, frame.sample(frac=1, random_state=2), tmp_path, key=["shop", "id"])
    assert dataclasses.asdict(found.parity) == dataclasses.asdict(in_memory(tmp_path, key=["shop", "id"]))
    assert found.parity.ok


def test_tolerances_and_noise_hold_as_in_memory(tmp_path: Path) -> None:
    how: dict[str, Any] = {"tolerances": {"x": Tolerance(atol=1e-3), "y": Tolerance(share=0.5)}, "floors": {"x": 1e-3}}
    moved = table().assign(x=lambda f: f["x"] + 1.5e-3, y=lambda f: np.where(f["y"] > 1, 0.0, f["y"]))
    found = streamed(table(), moved, tmp_path, **how)
    assert dataclasses.asdict(found.parity) == dataclasses.asdict(in_memory(tmp_path, **how))
    assert found.parity.ok


cells = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.0, 1.5, float("inf"), 1e300]))
rows = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 12)), cells), max_size=30)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expected=rows, actual=rows)
def test_any_two_tables(
    expected: list[Any], actual: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows missing, added, repeated, without a key, in any order, with nulls: counts and keys are the same."""
    monkeypatch.setattr("seatrial.parity.streaming.tables.BATCH_ROWS", 4)
    e, a = (
        pd.DataFrame({"id": pd.array([k for k, _ in side], "Int64"), "v": pd.array([v for _, v in side], "Float64")})
        for side in (expected, actual)
    )
    found = streamed(e, a, tmp_path, part_bytes=64)
    assert dataclasses.asdict(found.parity) == dataclasses.asdict(in_memory(tmp_path))
    assert found.repeated == int(e["id"].dropna().duplicated().sum())
    assert found.nameless == int(e["id"].isna().sum())


def test_beyond_the_sample_counts_are_exact_and_causes_say_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "SAMPLE", 400)
    monkeypatch.setattr(comparison, "EACH", 50)
    changed = table().assign(x=lambda f: f["x"] * 100, y=lambda f: f["y"].where(f["id"] != 2_345, 50.0))
    found = streamed(table(), changed, tmp_path)
    want = {c.column: c for c in in_memory(tmp_path).columns}
    for column in found.parity.columns:
        whole = want[column.column]
        for name in ("rows", "mismatches", "null_flips", "max_abs_diff", "max_rel_diff", "worst_keys", "direction"):
            assert getattr(column, name) == getattr(whole, name)
        assert (column.cause and column.cause.name) == (whole.cause and whole.cause.name)
    x = found.parity.columns[0]
    assert x.cause is not None
    assert x.cause.detail.endswith("in the rows looked at, of 3,000 that differ in 3,000")
    assert x.drifted
    assert 300 < found.sample <= 400


def test_a_change_in_one_row_of_many_is_kept_for_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the sample is, rows that differ are in it."""
    monkeypatch.setattr(comparison, "SAMPLE", 20)
    monkeypatch.setattr("seatrial.parity.streaming.kept._MANY", 30)
    late = table().assign(at=lambda f: f["at"] + pd.to_timedelta((f["id"] % 500 == 7) * 1, "h"))
    found = streamed(table(), late, tmp_path)
    (column,) = [c for c in found.parity.columns if not c.ok]
    assert (column.column, column.mismatches) == ("at", 6)
    assert column.worst_keys == ("7", "507", "1007", "1507", "2007")


def test_a_folder_is_one_table(tmp_path: Path) -> None:
    """Files in the order of their names."""
    frame = table()
    (tmp_path / "expected").mkdir()
    for n, start in enumerate(range(0, ROWS, 1_000)):
        written(frame.iloc[start : start + 1_000], tmp_path / "expected" / f"part-{n}.parquet", 300)
    whole = dataset(written(frame, tmp_path / "actual.parquet", 900))
    parity = compare_datasets(dataset(tmp_path / "expected"), whole, key="id").parity
    assert parity.ok
    assert parity.row_order_ok
    assert parity.rows_compared == ROWS


def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    files = [
        dataset(written(frame, tmp_path / name, 900))
        for name, frame in (("a.parquet", table()), ("b.parquet", table().sample(frac=1, random_state=1)))
    ]
    assert compare_datasets(*files, key="id", folder=pairs).parity.ok
    assert not list(pairs.iterdir())


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PipelineError, match="has no key column 'nr'"):
        streamed(table(), table(), tmp_path, key="nr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no file"):
        dataset(tmp_path / "empty")
    (tmp_path / "empty" / "a.parquet").write_text("no Parquet")
    with pytest.raises(UsageError, match="cannot be read"):
        dataset(tmp_path / "empty")
    written(table(), tmp_path / "empty" / "a.parquet", 900)
    written(table().drop(columns="x"), tmp_path / "empty" / "b.parquet", 900)
    with pytest.raises(UsageError, match="has other columns"):
        dataset(tmp_path / "empty")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_000})())
    with pytest.raises(UsageError, match="set TMPDIR to a folder with more room"):
        streamed(table(), table().sample(frac=1, random_state=1), tmp_path)
