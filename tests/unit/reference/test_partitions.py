"""A reference in partitions holds what one of a frame holds, parted by request; damage and misuse are told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Reference, Samples, Stage, capture
from seatrial.errors import PipelineError, ReferenceInvalid, StageError, UsageError
from seatrial.io import arrow, bundle
from seatrial.reference.layout.split import Parting, part_requests

ROWS = 1_000
KINDS = ["bird", "cat", "dog"]


def requests(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "id": [f"t-{i:05d}" for i in rng.permutation(rows)],
            "amount": rng.normal(size=rows),
            "count": pd.array(rng.integers(0, 9, rows), dtype="Int64"),
            "kind": pd.Categorical(rng.choice(KINDS, rows), categories=KINDS[::-1]),
            "tags": [[str(n)] * (n % 3) for n in range(rows)],
            "at": pd.Timestamp("2024-01-01", tz="Europe/Rome") + pd.to_timedelta(rng.integers(0, 10**6, rows), "s"),
        }
    )


def same(frame):
    return frame


def features(frame):
    return frame[["id", "kind"]].assign(log=np.log1p(frame["amount"].abs()), many=frame["tags"].map(len))


def items(frame):
    rows = frame.loc[frame.index.repeat(2), ["id", "log"]].reset_index(drop=True)
    return rows.assign(item=rows.groupby("id").cumcount(), score=rows["log"] * (1 + rows.index % 2))


def ranked(frame):
    return frame[["id"]].assign(place=frame["amount"].rank().astype("int64"))


def made(**stages) -> Pipeline:
    return Pipeline("p", key="id", **(stages or {"raw": same, "features": features, "items": ITEMS}))


ITEMS = Stage(items, key=("id", "item"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    requests().to_parquet(tmp_path / "requests.parquet", row_group_size=300)
    return tmp_path / "requests.parquet"


@pytest.fixture
def parted(file: Path) -> Reference:
    return capture(made(), file, partitions=4)


def by_key(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values([c for c in ("id", "item") if c in frame], ignore_index=True)


# --- what it holds ---------------------------------------------------------------------------------------


def test_all_partitions_together_are_what_a_capture_of_the_frame_keeps(parted):
    """Every request is in one partition, with its rows of every stage; cells, types and categories are the same."""
    whole = capture(made(), requests())
    assert (parted.partitions, whole.partitions, parted.whole_stages) == (4, 1, {})
    assert parted.columns == whole.columns
    pd.testing.assert_frame_equal(by_key(parted.requests), by_key(whole.requests))
    for stage in whole.stages:
        pd.testing.assert_frame_equal(by_key(parted.frame(stage)), by_key(whole.frame(stage)))
    ids = [set(parted.part(n).requests["id"]) for n in range(4)]
    assert sum(map(len, ids)) == len(set.union(*ids)) == ROWS
    assert all(set(parted.part(n).frame(stage)["id"]) == ids[n] for n in range(4) for stage in whole.stages)


def test_a_partition_is_a_reference(parted, tmp_path):
    """It replays, saves and loads as any other, and has a digest of its own."""
    part = parted.part(2)
    assert part.partitions == 1
    assert part.part(0) is part
    pd.testing.assert_frame_equal(part.frame("items"), items(features(part.requests)))
    pd.testing.assert_frame_equal(part.input_of("items"), part.frame("features"))
    assert part.manifest["stages"]["items"]["rows"] == len(part.frame("items"))
    loaded = Reference.load(part.save(tmp_path / "part"))
    assert loaded.digest == part.digest not in {parted.digest, parted.part(1).digest}
    pd.testing.assert_frame_equal(loaded.frame("items"), part.frame("items"))


def test_two_captures_have_one_digest_and_survive_storage(parted, file, tmp_path):
    """Partitions depend on the keys alone: not on the order of files, and not on the process."""
    folder = tmp_path / "requests"
    folder.mkdir()
    rows = pd.read_parquet(file)
    rows[:400].to_parquet(folder / "a.parquet")
    rows[400:].to_parquet(folder / "b.parquet")
    assert capture(made(), folder, partitions=4).digest == parted.digest
    loaded = Reference.load(parted.save(tmp_path / "reference"))
    assert (loaded.digest, loaded.partitions) == (parted.digest, 4)
    del parted
    pd.testing.assert_frame_equal(loaded.part(3).frame("raw"), loaded.part(3).requests)


def test_a_partition_outlives_the_reference_it_is_of(file):
    """Its files are those of the reference, which it keeps."""
    part = capture(made(), file, partitions=2).part(1)
    assert len(part.frame("items")) == 2 * len(part.requests)


def test_large_cells_are_of_every_partition(tmp_path):
    """Cells of a megabyte have files of their own; each partition finds them."""
    frame = pd.DataFrame({"id": list("abcd"), "picture": [bytes([n]) * (2**20 + 1) for n in range(4)]})
    frame.to_parquet(tmp_path / "r.parquet")
    reference = capture(made(raw=same, more=lambda f: f.assign(size=f["picture"].map(len))), tmp_path / "r.parquet")
    assert reference.part(0).frame("more")["size"].tolist() == [2**20 + 1] * 4
    again = Reference.load(reference.part(0).save(tmp_path / "part"))
    assert again.requests["picture"].tolist() == frame["picture"].tolist()


def test_empty_partitions_are_left_out(tmp_path):
    """Few requests fill few of many partitions; none is empty."""
    requests(5).to_parquet(tmp_path / "r.parquet")
    reference = capture(made(), tmp_path / "r.parquet", partitions=64)
    assert 1 < reference.partitions <= 5
    assert all(len(reference.part(n).requests) for n in range(reference.partitions))


def test_what_dependencies_answered_is_there_in_every_partition(tmp_path, file):
    """A partition replays with the record of all."""
    prices = requests()[["id"]].assign(price=np.arange(ROWS) / 7)

    def priced(frame, store):
        return frame[["id"]].merge(store.prices(frame["id"]), on="id", how="left")

    class Store:
        def prices(self, ids):
            return prices[prices["id"].isin(ids)]

    pipeline = Pipeline(
        "p", key="id", raw=same, priced=priced, dependencies=[Dependency("store", url="a", connect=lambda _: Store())]
    )
    reference = capture(pipeline, file, partitions=3)
    clients = reference.part(1).clients()
    part = reference.part(1)
    again = pipeline.step("priced", clients=clients)(part.input_of("priced"))
    pd.testing.assert_frame_equal(again, part.frame("priced"))
    assert reference.answers("store").size == ROWS


# --- stages that look across requests --------------------------------------------------------------------


@pytest.mark.parametrize("why", ["", "places are within the day"])
def test_a_stage_that_looks_across_requests_runs_on_all_rows(file, why):
    """Found out where it is not declared; what it returned is what it returns for the whole frame."""
    pipeline = made(raw=same, ranked=Stage(ranked, batch_dependent=why), double=lambda f: f.assign(two=f["place"] * 2))
    reference = capture(pipeline, file, partitions=4)
    assert set(reference.whole_stages) == {"ranked"}
    assert (why or "asked alone, column 'place' of ") in reference.whole_stages["ranked"]
    pd.testing.assert_frame_equal(by_key(reference.frame("ranked")), by_key(ranked(requests())))
    assert reference.frame("double")["two"].sum() == ROWS * (ROWS + 1)


def test_a_stage_whose_columns_follow_from_its_rows_runs_on_all_rows(file):
    """Partitions of one table have one set of columns."""

    def counted(frame):
        return frame[["id"]].join(pd.get_dummies(frame["id"].where(frame["id"] == "t-00007")))

    reference = capture(made(raw=same, counted=counted), file, partitions=4)
    assert reference.whole_stages == {"counted": "it returned other columns for some requests than for others"}
    assert reference.frame("counted")["t-00007"].sum() == 1


def test_keys_of_another_type_cannot_be_parted(tmp_path):
    """A stage that runs on all rows must return the key as it came."""
    pd.DataFrame({"id": range(50), "amount": np.arange(50.0)}).to_parquet(tmp_path / "r.parquet")
    texts = Stage(lambda f: ranked(f).assign(id=f["id"].astype(str)), batch_dependent="ranks")
    with pytest.raises(PipelineError, match=r"returns key 'id' as .*; the requests have int64"):
        capture(made(raw=same, ranked=texts), tmp_path / "r.parquet", partitions=2)


# --- what is refused -------------------------------------------------------------------------------------


def test_a_stage_that_does_not_repeat_itself_is_refused(file):
    """As of a frame: a second run on the stored input gives other values."""

    def jittery(frame):
        return features(frame).assign(log=np.random.default_rng().normal(size=len(frame)))

    with pytest.raises(StageError, match=r"'features' is not repeatable"):
        capture(made(raw=same, features=jittery), file, partitions=2)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"labels": pd.DataFrame({"id": ["t-00001"], "y": [1]})}, r"capture\(labels=...\) needs requests as a frame"),
        ({"given": {"raw": requests()}}, r"capture\(given=...\) needs requests as a frame"),
        ({"noise": "record"}, r"capture\(noise=...\) needs requests as a frame"),
        ({"partitions": 0}, r"partitions=0\): give a whole number, 1 to 512"),
        ({"partitions": True}, "partitions=True"),
        ({"partitions": 513}, "partitions=513"),
    ],
)
def test_what_a_reference_in_partitions_cannot_hold_is_refused(file, how, says):
    """Each with what to do instead."""
    with pytest.raises(PipelineError, match=says):
        capture(made(), file, **how)


def test_other_misuse_is_refused(file, tmp_path):
    """A frame in partitions, samples, requests without key or rows, and files that are none."""
    with pytest.raises(PipelineError, match=r"partitions=...\) is for requests in Parquet files"):
        capture(made(), requests(), partitions=2)
    with pytest.raises(PipelineError, match=r"Stage 'text' declares samples="):
        capture(made(raw=same, text=Stage(features, samples=Samples(5))), file)
    with pytest.raises(PipelineError, match=r"have no column 'idd'.* Did you mean 'id'"):
        capture(Pipeline("p", key="idd", raw=same, features=features), file)
    requests(0).to_parquet(tmp_path / "none.parquet")
    with pytest.raises(PipelineError, match=r"holds no request rows"):
        capture(made(), tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no Parquet")
    with pytest.raises(UsageError, match=r"cannot be read"):
        capture(made(), str(tmp_path / "text.parquet"))
    with pytest.raises(StageError, match=r"Stage 'features' returned no row"):
        capture(made(raw=same, features=lambda f: features(f).head(0)), file, partitions=2)


def test_a_damaged_reference_is_refused(parted, tmp_path):
    """A partition that is missing, edited or not accounted for is named."""
    with pytest.raises(ReferenceInvalid, match=r"no partition 4; its partitions: 0 to 3"):
        parted.part(4)
    root = parted.save(tmp_path / "missing")
    (root / "stages/features/part-00002.parquet").unlink()
    with pytest.raises(ReferenceInvalid, match=r"lacks 1 file.*: stages/features/part-00002.parquet"):
        Reference.load(root)
    root = parted.save(tmp_path / "edited")
    other = (root / "requests/part-00001.parquet").read_bytes()
    (root / "requests/part-00000.parquet").write_bytes(other)
    with pytest.raises(ReferenceInvalid, match=r"part-00000.parquet .* is not what was written"):
        Reference.load(root)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"partitions": 5}, "it lacks requests/part-00004.parquet"),
        ({"partitions": 3}, "does not say which requests are in which partition"),
        ({"partitions": "4"}, "its number of partitions is '4'"),
        ({"parting": None}, "does not say which requests are in which partition"),
        ({"stages": None}, "how many rows of 'features'"),
    ],
)
def test_a_manifest_that_does_not_fit_its_files_is_refused(parted, tmp_path, change, says):
    """However it came about: its digests are right."""
    root = parted.save(tmp_path / "reference")
    manifest = json.loads((root / bundle.MANIFEST).read_text())
    if "stages" in change:
        stages = manifest["stages"]
        change = {"stages": {**stages, "features": {**stages["features"], "parts": [1]}}}
    bundle.seal(root, {**manifest, **change})
    with pytest.raises(ReferenceInvalid, match=says):
        Reference.load(root)


# --- parting ---------------------------------------------------------------------------------------------


def test_a_request_is_in_one_partition_whatever_holds_its_key(tmp_path):
    """Text of pandas, of Python and of categories, and integers with and without a mask, are parted alike."""
    parting = Parting(8, tuple(range(8)))
    text = pd.Series([f"k{n}" for n in range(200)], dtype=object)
    kinds = [text, text.astype("string"), text.astype("category"), text.astype(str)]
    numbers = [pd.Series(range(200)), pd.Series(range(200), dtype="Int64")]
    for columns in (kinds, numbers):
        found = [parting.of(column.to_frame("id")).tolist() for column in columns]
        assert all(each == found[0] for each in found)
        assert set(found[0]) == set(range(8))


def test_by_default_a_partition_has_a_bounded_number_of_rows(tmp_path, monkeypatch):
    """Its size follows from the bytes and the rows of the requests."""
    monkeypatch.setattr("seatrial.reference.layout.split.PART_ROWS", 300)
    requests().to_parquet(tmp_path / "r.parquet")
    found = part_requests(tmp_path / "r.parquet", ("id",), None, tmp_path / "by-rows")
    assert len(found.files) == 4
    monkeypatch.setattr("seatrial.reference.layout.split.PART_BYTES", 20_000)
    assert len(part_requests(tmp_path / "r.parquet", ("id",), None, tmp_path / "by-bytes").files) > 4


def test_a_frame_may_be_written_into_and_leaves_the_reference_alone(parted, monkeypatch):
    """However many rows it has, and though nobody else holds its partition."""
    monkeypatch.setattr(arrow, "LONG", 1)
    for number in range(parted.partitions):
        frame = parted.part(number).requests
        was = parted.part(number, read_only=True).requests
        frame.loc[0, ["amount", "at"]] = [1.0, pd.Timestamp("2030-01-01", tz="Europe/Rome")]
        frame.loc[0, "id"] = "another"
        pd.testing.assert_frame_equal(parted.part(number).requests, was)
