"""Capture keeps what the path gave, twice the same; a reference of something else is refused with what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Reference, capture
from seatrial.errors import PipelineError, ReferenceInvalid, StageError
from seatrial.io import bundle

REQUESTS = pd.DataFrame(
    {
        "id": [f"t-{i:03d}" for i in range(60)],
        "amount": np.linspace(0.1, 9, 60),
        "tags": [["a"], [], ["b", "a"]] * 20,
        "extra": [{"n": i} if i % 2 else {} for i in range(60)],
    }
)


def same(frame):
    return frame


def features(frame):
    return frame[["id"]].assign(log=np.log(frame["amount"]), many=frame["tags"].map(len), n=frame["extra"].map(len))


def predict(frame, model):
    return frame[["id"]].assign(score=frame["log"] * model)


def made(name="p", key="id", **stages) -> Pipeline:
    stages = stages or {"raw": same, "features": features, "prediction": predict}
    return Pipeline(name, key=key, model=float, **stages)


def taken(**settings) -> Reference:
    return capture(settings.pop("pipeline", None) or made(), REQUESTS, **{"model": 2.0, **settings})


# --- what it keeps ---------------------------------------------------------------------------------------


def test_a_reference_holds_every_stage(tmp_path):
    """Requests, each stage's frame and its input come back from disk as they were."""
    reference = Reference.load(taken(seed=7).save(tmp_path / "reference"))
    assert (reference.pipeline, reference.key, reference.stages) == ("p", "id", ("raw", "features", "prediction"))
    assert reference.manifest["seed"] == 7
    assert reference.requests["tags"].tolist() == REQUESTS["tags"].tolist()
    assert reference.input_of("raw")["extra"].tolist() == REQUESTS["extra"].tolist()
    pd.testing.assert_frame_equal(reference.input_of("prediction"), reference.frame("features"))
    pd.testing.assert_frame_equal(reference.frame("prediction"), predict(features(REQUESTS), 2.0))
    assert reference.columns == {"id", "amount", "tags", "extra", "log", "many", "n", "score"}
    assert reference.labels is None
    assert repr(reference).startswith("Reference('p', raw → features → prediction, sha256:")
    assert json.loads((reference.root / "profile.json").read_text())["features"]["log"]["nulls"] == 0


def test_a_frame_taken_from_a_reference_may_be_written_into():
    """Who changes a frame changes his own."""
    reference = taken()
    frame = reference.frame("features")
    frame["log"] = 0.0
    frame.loc[0, "many"] = 99
    assert reference.frame("features")["log"].iloc[5] != 0
    assert reference.frame("features")["many"].iloc[0] == 1


def test_capture_leaves_the_requests_alone():
    """A first stage that writes into its input does not write into the caller's frame."""

    def greedy(frame):
        frame["amount"] *= 2
        return frame

    before = REQUESTS.copy()
    taken(pipeline=made(raw=greedy, features=features))
    pd.testing.assert_frame_equal(REQUESTS, before)


def test_two_captures_of_the_same_have_the_same_digest(tmp_path):
    """Nothing in a reference depends on when, or where, it was taken; another seed or value is another digest."""
    assert taken().digest == taken().digest
    assert Reference.load(taken().save(tmp_path / "r")).digest == taken().digest
    assert taken(model=2.1).digest != taken().digest
    assert taken(seed=1).digest != taken().digest


def test_the_model_may_be_a_path():
    """A path is loaded by the pipeline, as it is for a registered version."""
    assert taken(model="2.0").digest == taken(model=2.0).digest


# --- given frames and labels -----------------------------------------------------------------------------


def test_a_given_frame_stands_in_its_stages_place():
    """Training's own frame is what the next stage gets and what is compared, in the order training had it."""
    used = features(REQUESTS).assign(log=1.0).sample(frac=1, random_state=0)
    more = pd.concat([used, used.head(1).assign(id="other")])
    reference = taken(given={"features": more.set_index("id")})
    assert reference.frame("features")["id"].tolist() == used["id"].tolist()
    assert reference.frame("prediction")["score"].tolist() == [2.0] * 60
    assert reference.manifest["stages"]["features"]["given"]
    assert not reference.manifest["stages"]["raw"]["given"]


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (features(REQUESTS).head(50), "given for stage 'features' lacks 10 of the 60 keys of the requests"),
        (features(REQUESTS)[["log"]], "given for stage 'features' cannot replace its output. .*lost the key column"),
        (pd.concat([features(REQUESTS)] * 2), "cannot replace its output. .*A key is unique"),
        (features(REQUESTS).rename(columns={"n": 3}), "cannot replace its output. .*not text"),
    ],
)
def test_a_given_frame_that_does_not_fit_is_refused(frame, says):
    """Missing keys, a lost or repeated key: the stage and what is wrong."""
    with pytest.raises(PipelineError, match=says):
        taken(given={"features": frame})


def test_a_frame_given_for_no_stage_is_refused():
    """A misspelt stage does not go by unseen."""
    with pytest.raises(PipelineError, match=r"no stage 'feature'\. .*Did you mean 'features'"):
        taken(given={"feature": features(REQUESTS)})


def test_labels_are_kept_for_the_keys_of_the_requests():
    """Labels may be indexed by the key, and may be of more rows than were asked for."""
    labels = pd.DataFrame({"id": [*REQUESTS["id"], "other"], "fraud": 1}).set_index("id")
    kept = taken(labels=labels).labels
    assert kept is not None
    assert kept["id"].tolist() == REQUESTS["id"].tolist()
    assert kept.columns.tolist() == ["id", "fraud"]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (pd.DataFrame({"id": ["t-001"]}), "Labels need the key column 'id' and a label; got: id"),
        (pd.DataFrame({"ID": ["t-001"], "y": [1]}), "Labels need the key column 'id' and a label; got: ID, y"),
        (pd.DataFrame({"id": ["t-001"] * 2, "y": [1, 0]}), "null or repeated key in 'id'"),
        (pd.DataFrame({"id": ["t-001", None], "y": [1, 0]}), "null or repeated key in 'id'"),
        (pd.DataFrame({"id": ["other"], "y": [1]}), "None of the labels' keys is a key of the requests"),
        (pd.DataFrame([["t-001", 1]], columns=["id", 0]), "Labels have .* not text"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, says):
    """Labels without key, with repeated keys, or of other rows."""
    with pytest.raises(PipelineError, match=says):
        taken(labels=labels)


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        (REQUESTS.head(0), "no request rows; a reference of nothing would pass anything"),
        (REQUESTS.to_dict("list"), "requests as dict; it takes a pandas DataFrame"),
        (pd.DataFrame({0: ["a"], "id": ["b"]}), "The requests have .* not text"),
        (pd.DataFrame([["a", "b"]], columns=["id", "id"]), r"The requests have 1 column name\(s\) more than once: id"),
    ],
)
def test_requests_that_are_none_are_refused(requests, says):
    """No rows, no frame, or names that cannot be kept."""
    with pytest.raises(PipelineError, match=says):
        capture(made(), requests, model=2.0)


# --- what is not repeatable ------------------------------------------------------------------------------


def jittery(frame):
    return features(frame).assign(log=np.log(frame["amount"]) + np.random.default_rng().normal(scale=1e-7, size=60))


def clocked(frame):
    return features(frame).assign(at=[str(np.random.default_rng().random())] * 60)


def indexed(frame):
    moved = frame.set_axis(range(100, 160), axis=0)
    return moved if "seen" not in frame else frame


def by_index(frame):
    return frame[["id"]].assign(rank=frame.index.to_numpy())


def shrinking(frame):
    return frame.sample(frac=0.9, random_state=int(np.random.default_rng().integers(2**31)))


def objects(frame):
    return frame[["id"]].assign(cells=[{int(np.random.default_rng().integers(2**31))} for _ in range(60)])


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ({"raw": same, "features": jittery}, "'features' is not repeatable: .* in column.s. log.*noise='record'"),
        ({"raw": same, "features": clocked}, "'features' is not repeatable: .* in column.s. at"),
        ({"raw": indexed, "features": by_index}, "'features' is not repeatable: .* in column.s. rank"),
        ({"raw": same, "features": shrinking}, "'features' is not repeatable: .* in its rows or columns"),
        ({"raw": same, "features": objects}, "'features' is not repeatable: .* in column.s. cells"),
    ],
)
def test_a_stage_that_differs_from_itself_is_refused(stages, says):
    """Random choices, clocks, an index with a meaning, types that storage loses: stage and column are named."""
    with pytest.raises(StageError, match=says):
        taken(pipeline=made(**stages))


def test_noise_of_numbers_can_be_recorded():
    """The standard deviation of a row is kept for that column and for no other, with the runs it is from."""
    reference = taken(pipeline=made(raw=same, features=jittery), noise="record")
    assert list(reference.noise) == ["features"]
    assert list(reference.noise["features"]) == ["log"]
    assert 0 < reference.noise["features"]["log"] < 1e-5
    assert reference.manifest["noise"]["features"]["runs"] >= 10


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"runs": 4}, r"runs=4.*5 runs or more"),
        ({"noise": "recorded"}, "noise='recorded'.*Allowed: 'refuse', 'record'"),
    ],
)
def test_settings_of_noise_are_checked(settings, says):
    """Too few runs hold no bound; a misspelt mode is no refusal."""
    with pytest.raises(PipelineError, match=says):
        taken(**settings)


@pytest.mark.parametrize("stage", [clocked, shrinking, objects])
def test_what_no_floor_can_describe_is_refused_all_the_same(stage):
    """Text, rows and types have no tolerance: asking to record does not help, and the message does not advise it."""
    with pytest.raises(StageError, match="is not repeatable") as caught:
        taken(pipeline=made(raw=same, features=stage), noise="record")
    assert "noise='record'" not in str(caught.value)


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        (lambda f: f.head(0), "'features' returned no row; there would be nothing to compare"),
        (lambda f: f[["id"]], "'features' returned no column beside the key"),
        (lambda f: f.assign(x=object()), "Column 'x' of stage 'features' holds an object, which cannot be kept"),
    ],
)
def test_a_stage_that_leaves_nothing_to_keep_is_refused(stage, says):
    """A reference of nothing would pass anything; one that cannot be stored would fail later."""
    with pytest.raises((StageError, ReferenceInvalid), match=says):
        taken(pipeline=made(raw=same, features=stage))


def test_capture_without_its_model_says_so():
    """The stage that asks for the model is named."""
    with pytest.raises(PipelineError, match="'prediction' needs 'model', and none was given"):
        taken(model=None)


# --- references of something else ------------------------------------------------------------------------


def edited(root: Path, **changes: object) -> None:
    """Forge the manifest, its digest included."""
    path = root / "manifest.json"
    manifest = {**json.loads(path.read_text()), **changes}
    manifest = {name: value for name, value in manifest.items() if value is not None}
    manifest = bundle.with_digests(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda r: edited(r, format=99), "holds a reference of format 99; this seatrial reads references of format 1"),
        (lambda r: edited(r, kind="fixture"), "holds a fixture of format 1"),
        (lambda r: edited(r, kind=None), "holds a bundle of format 1"),
        (lambda r: edited(r, key=None), "is not whole: it lacks key"),
        (lambda r: edited(r, path=["raw", "other"]), "is not whole: it lacks stages/other.parquet"),
        (lambda r: edited(r, path=["raw", "../../secret"]), "is not whole: it lacks stages/../../secret.parquet"),
        (lambda r: (r / "stages/raw.parquet").write_bytes((r / "stages/raw.parquet").read_bytes()[:99]),
         "stages/raw.parquet of the reference at .* is not what was written: truncated or edited"),
        (lambda r: (r / "stages/raw.parquet").unlink(), r"lacks 1 file\(s\): stages/raw.parquet"),
        (lambda r: (r / "model.pkl").write_bytes(b"x"), "do not belong to it: model.pkl"),
    ],
)  # fmt: skip
def test_a_reference_that_is_not_one_is_refused(spoil, says, tmp_path):
    """Another format or kind, missing parts, forged stages, truncated, added: what is wrong is said."""
    root = taken().save(tmp_path / "r")
    Reference.load(root)
    spoil(root)
    with pytest.raises(ReferenceInvalid, match=says):
        Reference.load(root)


@pytest.mark.parametrize(
    ("pipeline", "says"),
    [
        (made(name="other"), "captured with pipeline 'p', and this is 'other'. Each model version carries"),
        (made(key="order"), "keyed by 'id', and the pipeline by 'order'"),
        (made(raw=same, features=features, predictions=predict), "It lacks 'predictions'. Did you mean 'prediction'"),
        (made(raw=same, features=features), "They differ. Capture the reference again"),
        (made(features=features, raw=same, prediction=predict), "has the stages raw, features, prediction; the pip"),
    ],
)
def test_a_reference_of_another_pipeline_is_refused(pipeline, says):
    """Another name, key, order or set of stages."""
    reference = taken()
    reference.matches(made())
    with pytest.raises(ReferenceInvalid, match=says):
        reference.matches(pipeline)


def test_what_a_reference_does_not_hold_is_answered_with_the_nearest():
    """A misspelt stage or dependency is told what there is."""
    reference = taken()
    with pytest.raises(ReferenceInvalid, match=r"no stage 'feature'\. .*raw, features, prediction. Did you mean"):
        reference.frame("feature")
    with pytest.raises(ReferenceInvalid, match="no stage 'feature'"):
        reference.input_of("feature")
    with pytest.raises(ReferenceInvalid, match=r"no answers of dependency 'store'. Recorded: none."):
        reference.answers("store")


def test_a_reference_of_nothing_names_the_command(tmp_path):
    """Who has no reference is told how to make one."""
    with pytest.raises(ReferenceInvalid, match=r"There is no reference at .*Make one with 'seatrial capture'"):
        Reference.load(tmp_path)


def test_huge_and_empty_columns_have_a_profile():
    """Values whose sum overflows, and columns that hold nothing, do not stop a capture."""

    def extreme(frame):
        return frame[["id"]].assign(huge=[1e308, -1e308, 1e308] * 20, none=None, nan=np.nan, inf=np.inf)

    reference = taken(pipeline=made(raw=same, features=extreme))
    facts = json.loads((reference.root / "profile.json").read_text())["features"]
    assert facts["huge"]["quantiles"][0] == -1e308
    assert (facts["none"]["nulls"], facts["nan"]["nulls"], facts["inf"]["distinct"]) == (60, 60, 1)


def test_an_unused_dependency_is_recorded_as_silent():
    """A dependency that no stage asked is there and answered nothing."""
    pipeline = Pipeline(
        "p", key="id", raw=same, features=features, dependencies=[Dependency("store", "", connect=lambda url: object())]
    )
    assert capture(pipeline, REQUESTS).answers("store").size == 0
