"""A stage may return what people return: frames of several libraries, tables, arrays, dicts, images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seatrial import Pipeline, Reference, Stage, capture, run
from seatrial.errors import PipelineError, StageError
from seatrial.pipeline import LocalReplayer, Returned
from seatrial.worker import frames

pl = pytest.importorskip("polars")
Image = pytest.importorskip("PIL.Image")

N = 12
REQUESTS = pd.DataFrame({"id": [f"r{n}" for n in range(N)], "x": np.linspace(0.5, 4, N), "n": range(N)})
SEEN = []


def as_polars(frame):
    xs = [None if i == "r0" else x for i, x in zip(frame["id"], frame["x"], strict=True)]
    vectors = [[x, float("nan"), None] for x in frame["x"]]
    return pl.DataFrame({"id": frame["id"].tolist(), "x": xs, "n": frame["n"].tolist(), "v": vectors})


def from_polars(k=1.0):
    def stage(frame):
        SEEN.append(type(frame))
        return frame.with_columns(score=pl.col("x").fill_null(7.0) * k).drop("v")

    return stage


def array(frame):
    return np.column_stack([frame["x"], frame["n"]]).astype("float32")


def from_array(k=1.0):
    def stage(array):
        SEEN.append((type(array), array.dtype.name, array.shape[1:]))
        return array[:, 0] * np.float32(k) + array[:, 1]

    return stage


def records(frame):
    return [
        {"id": row.id, "x": float(row.x), "items": [{"a": row.n}], **({"odd": 1} if row.n % 2 else {})}
        for row in frame.itertuples()
    ]


def from_records(k=1.0):
    def stage(rows):
        SEEN.append(type(rows))
        return [{"id": r["id"], "score": r["x"] * k, "odd": bool(r.get("odd"))} for r in rows]

    return stage


def table(frame):
    ns = [None if i == "r3" else n for i, n in zip(frame["id"], frame["n"], strict=True)]
    return pa.table({"id": frame["id"].tolist(), "x": frame["x"].to_numpy(), "n": pa.array(ns)})


def from_table(k=1.0):
    def stage(table):
        SEEN.append(type(table))
        xs = [x * k for x in table["x"].to_pylist()]
        return pa.RecordBatch.from_arrays([table["id"].combine_chunks(), pa.array(xs)], ["id", "score"])

    return stage


def images(frame):
    modes = ["RGB", "L", "1", "P", "RGBA", "I", "F", "I;16", "CMYK"]
    made = [Image.fromarray(np.full((3, 4, 3), n * 9, "uint8")) for n in frame["n"]]
    cells = [image.convert(modes[n % 9]) for n, image in zip(frame["n"], made, strict=True)]
    return frame[["id"]].assign(image=pd.Series(cells, index=frame.index, dtype=object),
                                crops=[[c, c] for c in cells])  # fmt: skip


def from_images(k=1):
    def stage(frame):
        SEEN.append(
            {type(cell).__module__ for cell in frame["image"]} | {type(c[0]).__module__ for c in frame["crops"]}
        )
        light = [float(np.asarray(cell.convert("L"), dtype="float64").mean()) for cell in frame["image"]]
        return frame[["id"]].assign(light=light).assign(light=lambda f: f["light"] * k)

    return stage


FORMS = {
    "polars": (as_polars, from_polars, pl.DataFrame),
    "lazy": (lambda f: as_polars(f).lazy(), from_polars, pl.LazyFrame),
    "array": (
        Stage(array, columns=["a", "b"]), lambda k=1.0: Stage(from_array(k), columns=["score"]),
        (np.ndarray, "float32", (2,)),
    ),
    "records": (records, from_records, list),
    "table": (table, from_table, pa.Table),
    "images": (images, from_images, {"PIL.Image"}),
}  # fmt: skip


def pipeline(form, k=1.0):
    first, second, _ = FORMS[form]
    return Pipeline("p", key="id", raw=first, score=second(k))


@pytest.mark.parametrize("form", FORMS)
def test_a_clean_pipeline_passes_and_a_changed_one_fails(form, tmp_path):
    """In every replay, and from a reference on disk, the next stage gets what the stage before returns."""
    SEEN.clear()
    reference = Reference.load(capture(pipeline(form), REQUESTS).save(tmp_path / "r"))
    verdict = run(pipeline(form), reference)
    assert verdict.outcome.value == "pass", [f.message for f in verdict.findings]
    assert all(seen == FORMS[form][2] for seen in SEEN if seen), SEEN  # of no rows there are no images
    changed = run(pipeline(form, 1.5), reference)
    assert changed.outcome.value == "fail"
    assert changed.findings[0].stage == "score"


def test_the_next_stage_gets_the_very_object():
    kept = []

    def first(frame):
        kept.append(as_polars(frame))
        return kept[-1]

    def second(frame):
        assert frame is kept[-1]
        return frame

    pipeline = Pipeline("p", key="id", raw=first, score=second)
    steps = [pipeline.step(s) for s in pipeline.stages]
    [[_, last]] = LocalReplayer(pipeline).replay(pipeline.stages, [REQUESTS])
    assert isinstance(last, pd.DataFrame)
    assert isinstance(steps[0](REQUESTS), pd.DataFrame)


@pytest.mark.parametrize("form", FORMS)
def test_the_form_crosses_to_another_process(form, tmp_path):
    """Also of small batches, which share a table on their way."""
    step = pipeline(form).step("raw")
    parts = [step(REQUESTS.iloc[n : n + 3]) for n in (0, 3, 6)]
    frames.write([REQUESTS, *parts, REQUESTS], tmp_path / "0.arrow")
    plain, *back, last = frames.read(tmp_path / "0.arrow", 5)
    assert type(Returned.of(plain).given) is type(Returned.of(last).given) is pd.DataFrame
    for part in back:
        SEEN.clear()
        pipeline(form).step("score")(part)
        assert [FORMS[form][2]] == SEEN


def test_a_stream_is_read_once():
    stream = lambda f: table(f).to_reader()  # noqa: E731
    reference = capture(Pipeline("p", key="id", raw=stream, score=from_table()), REQUESTS)
    assert reference.frame("raw")["x"].tolist() == REQUESTS["x"].tolist()


def test_nulls_and_nan_of_a_table_are_told_apart():
    frame = capture(pipeline("polars"), REQUESTS).frame("raw")
    assert pa.array(frame["x"].array).null_count == 1
    assert pa.array(frame["v"].array)[0].as_py()[2] is None
    assert np.isnan(pa.array(frame["v"].array)[0].as_py()[1])


@pytest.mark.parametrize(
    ("out", "says"),
    [
        (None, "returned NoneType; a stage returns a pandas or polars DataFrame, .* Does it lack a 'return'"),
        (REQUESTS["x"], r"returned pandas.Series; .* out.to_frame\(\)"),
        (pl.Series([1]), r"returned polars.Series; .* out.to_frame\(\)"),
        ({"id": ["r0"]}, r"returned dict; .* Return pd.DataFrame\(out\)"),
        ((n for n in ()), r"returned generator; .* Return list\(out\)"),
        ([("r0", 1)], "returned a list that holds tuple; a list holds a dict for each row"),
        (np.ones((N, 2)), r"returned an array \(12 × 2\), whose columns have no names.*score=Stage\(..., columns"),
        ("text", "returned str; a stage returns"),
        ([{"id": [1]}], "returned a key that is none. Key column 'id' holds"),
        ([{1: 2, "id": "a"}], "column name.s. that are not text"),
        ([], "lost the key column 'id'"),
    ],
)
def test_what_is_no_frame_is_refused(out, says):
    with pytest.raises(StageError, match=f"Stage 'score' .*{says}"):
        capture(Pipeline("p", key="id", raw=lambda f: f, score=lambda f: out), REQUESTS)


@pytest.mark.parametrize(
    ("out", "says"),
    [
        (np.ones((N, 3)), "an array of 12 × 3, and its Stage names 2 columns"),
        (np.ones(N), "an array of 12, and its Stage names 2 columns|cannot reshape"),
        (np.ones((N, 2, 1)), "an array of 12 × 2 × 1, and its Stage names 2 columns"),
        (np.ones((3, 2)), "an array of 3 rows for 12 rows, so it cannot be told whose they are"),
        (np.array(1.0), "no dimension"),
        (np.zeros(N, dtype=[("a", "i4"), ("b", "i4")]), "names 2 columns"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(out, says):
    with pytest.raises(StageError, match=says):
        capture(Pipeline("p", key="id", raw=lambda f: f, score=Stage(lambda f: out, columns=["a", "b"])), REQUESTS)


@pytest.mark.parametrize("columns", ["score", ["a", "a"], [1], [None]])
def test_columns_are_different_names(columns):
    with pytest.raises(PipelineError, match="give a list of different names"):
        Stage(lambda f: f, columns=columns)
