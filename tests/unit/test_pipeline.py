"""A pipeline is put together, or refused with a message; a stage that breaks the rule is named."""

from __future__ import annotations

import functools
import importlib
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Samples, Service, Stage
from seatrial.errors import PipelineError, StageError
from seatrial.pipeline import describe
from seatrial.worker.loading import load_pipeline

FRAME = pd.DataFrame({"id": ["a", "b", "c"], "x": [1.0, 2.0, 3.0]})


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def scored(frame: pd.DataFrame, model: Any) -> pd.DataFrame:
    return frame.assign(score=model)


def made(features: Any, **settings: Any) -> Pipeline:
    return Pipeline("p", **{"key": "id", "model": float, "raw": same, "features": features, **settings})


def ran(features: Any, frame: pd.DataFrame = FRAME, *, columns: Any = ()) -> pd.DataFrame:
    return made(features).step("features", model=2.0, columns=columns)(frame)


# --- putting one together --------------------------------------------------------------------------------


class Scorer:
    def __init__(self, factor: float = 3.0) -> None:
        self.factor = factor

    def __call__(self, frame, model):
        return frame.assign(score=model * self.factor)

    def method(self, frame, *, model):
        return frame.assign(score=model * self.factor)


def positional(*frames):
    return frames[0].assign(score=2.0)


def optional(frame, factor=1.0, *rest, model=None, **more):
    return frame.assign(score=factor * model)


@pytest.mark.parametrize(
    ("function", "score"),
    [
        (scored, 2.0),
        (lambda frame, model: frame.assign(score=model), 2.0),
        (Scorer(), 6.0),
        (Scorer(5.0).method, 10.0),
        (functools.partial(scored, model=7.0), 7.0),
        (functools.partial(lambda frame, model, by: frame.assign(score=model * by), by=4.0), 8.0),
        (positional, 2.0),
        (optional, 2.0),
        (functools.lru_cache(maxsize=1)(functools.partial(positional)), None),
    ],
    ids=["function", "lambda", "object", "method", "bound", "partial", "args", "defaults", "wrapped"],
)
def test_any_plain_callable_is_a_stage(function, score):
    """Functions, methods, objects, lambdas, partials: what a partial has bound stays bound."""
    if score is None:
        assert made(function).stage("features").needs == ()
    else:
        assert ran(function)["score"].tolist() == [score] * 3


async def later(frame):
    return frame


class Later:
    async def __call__(self, frame):
        return frame


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (later, "Stage 'features' is a coroutine function"),
        (Later(), "Stage 'features' is a coroutine function"),
        (functools.partial(later), "Stage 'features' is a coroutine function"),
        (lambda: FRAME, "'features' takes no frame"),
        (lambda *, frame: frame, "'features' takes no frame"),
        (
            lambda frame, modle: frame,
            r"has a parameter 'modle' that the pipeline cannot fill. It can fill: model, store. Did you mean 'model'",
        ),
        (lambda frame, model, /: frame, "has a parameter 'model' that the pipeline cannot fill"),
        ("features.py", "'features' is a str; a stage is a function"),
        (None, "'features' is a NoneType"),
        (FRAME, "'features' is a DataFrame"),
    ],
)
def test_what_cannot_be_a_stage_is_refused(function, says):
    """A coroutine function, a parameter that cannot be filled, or no function at all is named with its stage."""
    with pytest.raises(PipelineError, match=says):
        made(function, dependencies=[Dependency("store", "", connect=str)])


def test_a_pipeline_without_model_can_fill_nothing():
    """The message lists the parameters that can be filled, even when there is none."""
    with pytest.raises(PipelineError, match=r"It can fill: nothing .it has no model and no dependencies"):
        Pipeline("p", key="id", raw=same, features=scored)


@pytest.mark.parametrize("stages", [{}, {"raw": same}])
def test_a_path_has_two_stages(stages):
    """A pipeline of one stage is refused."""
    with pytest.raises(PipelineError, match=rf"has {len(stages)} stage\(s\); it needs two or more"):
        Pipeline("p", key="id", **stages)


def test_names_are_unique():
    """Two dependencies of one name, or one with the name of a stage or a setting, are refused."""
    store = Dependency("store", "", connect=str)
    with pytest.raises(PipelineError, match=r"has two dependencies of one name: store, store\. Rename one"):
        made(same, dependencies=[store, store])
    for name in ("raw", "model", "key"):
        with pytest.raises(PipelineError, match=f"Dependency '{name}' .* has the name of a stage or a setting"):
            made(same, dependencies=[Dependency(name, "", connect=str)])


def test_a_path_has_each_dependency_before_the_stage_that_uses_it():
    """The path is the places where a difference can originate, in order, each once."""
    pipeline = made(
        lambda frame, store, rates: frame, response=lambda frame, rates: frame, service=Service(["run"]),
        dependencies=[Dependency("rates", "", connect=str), Dependency("store", "", connect=str)],
    )  # fmt: skip
    assert pipeline.path == ("raw", "store", "rates", "features", "response")
    assert pipeline.stages == ("raw", "features", "response")
    assert (pipeline.before("raw"), pipeline.before("response")) == (None, "features")
    assert repr(pipeline) == "Pipeline('p': raw → features → response)"


def test_an_unknown_stage_is_refused_with_the_nearest():
    """The message lists the stages and names the one that was meant."""
    with pytest.raises(PipelineError, match=r"no stage 'feature'. Its stages: raw, features. Did you mean 'features'"):
        made(same).stage("feature")


def test_a_stage_is_not_run_without_what_it_needs():
    """A missing model or client is a mistake of the caller, and no finding about the stage."""
    asking = made(lambda frame, model, store: frame, dependencies=[Dependency("store", "", connect=str)])
    for handed, lacks in (({}, "model"), ({"clients": {"store": 1}}, "model"), ({"model": 1}, "store")):
        with pytest.raises(PipelineError, match=f"Stage 'features' needs '{lacks}', and none was given") as caught:
            asking.step("features", **handed)
        assert not isinstance(caught.value, StageError)


# --- running a stage -------------------------------------------------------------------------------------


def repeated(frame):
    return pd.concat([frame, frame.head(1)])


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (
            repeated,
            "returned 4 rows for 3 keys, 1 too many: 'id' repeats a. A key is unique: look for a join that fans out",
        ),
        (lambda f: f.assign(id=["a", None, "c"]), "returned 1 row with a null key 'id'; a key is never null"),
        (lambda f: f.assign(id=[1.0, np.nan, np.nan]), "returned 2 rows with a null key 'id'; a key is never null"),
        (
            lambda f: f.rename(columns={"id": "ids"}),
            "lost the key column 'id'. It returned: ids, x. Did you mean 'ids'",
        ),
        (lambda f: f.set_index("id"), "lost the key column 'id'. It returned: x."),
        (lambda f: None, "returned NoneType; a stage returns a pandas or polars DataFrame, .* Does it lack a 'return'"),
        (lambda f: f["x"], "returned pandas.Series"),
        (lambda f: f.to_numpy(), "returned an array"),
        (lambda f: (f, f), "returned tuple"),
        (lambda f: (row for row in f), "returned generator"),
        (lambda f: pd.concat([f, f[["x"]]], axis=1), r"returned 1 column name\(s\) more than once: x"),
        (lambda f: f.rename(columns={"x": 0}), r"1 column name\(s\) that are not text, the first a int; name columns"),
        (lambda f: f.set_axis([("id", "a"), ("x", "b")], axis=1), r"2 column name\(s\) that are not text"),
        (lambda f: f.rename(columns={"x": None}), r"1 column name\(s\) that are not text"),
    ],
)
def test_a_frame_that_breaks_the_rule_names_its_stage(function, says):
    """The message names the stage and what is wrong: no frame, a lost, null or repeated key, odd column names."""
    with pytest.raises(StageError, match=f"^Stage 'features' .*{says}") as caught:
        ran(function)
    assert caught.value.stage == "features"


@pytest.mark.parametrize("key", ["transaction", "k e y", "naïve", "<b>"])
def test_a_stage_may_return_no_rows(key):
    """A frame without rows keeps the rule: it has a key column, and no key is null or repeated."""
    empty = pd.DataFrame({key: []})
    assert len(Pipeline("p", key=key, raw=same, features=same).step("raw")(empty)) == 0


def secret(frame):
    raise ValueError(f"cannot parse {frame['id'].tolist()} for alice@example.org")


def test_what_a_stage_raised_is_reported_without_its_text():
    """The message has the type, the function and the line; the text may hold values of rows."""
    with pytest.raises(StageError, match=r"^Stage 'features' raised ValueError in secret \(test_pipeline.py:\d+\)$"):
        ran(secret)


def quits(frame):
    raise SystemExit(0)


def test_a_stage_that_quits_has_failed():
    """``sys.exit(0)`` in a stage does not end the run as a success."""
    with pytest.raises(StageError, match="raised SystemExit in quits"):
        ran(quits)


def wants(frame):
    return frame[["id", "device", "alice@example.org"]]


def wants_one(frame):
    return frame.assign(y=frame["device"])


def wants_attribute(frame):
    return frame.assign(y=frame.device)


def wants_value(frame):
    return {"known": 1}["alice@example.org"]


def wants_number(frame):
    return {"known": 1}[4111111111111111]


@pytest.mark.parametrize("function", [wants, wants_one, wants_attribute])
def test_a_missing_column_is_named_where_it_is_a_column(function):
    """Column names of the reference are no values: the message names the missing one."""
    with pytest.raises(StageError, match=r"raised (Key|Attribute)Error 'device' in wants") as caught:
        ran(function, columns={"id", "device"})
    assert "alice" not in str(caught.value)


@pytest.mark.parametrize("function", [wants, wants_one, wants_attribute, wants_value, wants_number])
def test_a_key_that_is_no_known_column_is_not_reported(function):
    """A key that a mapping lacks may be a value of a row."""
    with pytest.raises(StageError) as caught:
        ran(function, columns={"id", "x", "known"})
    assert not any(word in str(caught.value) for word in ("alice", "4111", "'device'"))


def test_an_exception_without_a_traceback_is_reported_by_type():
    """Its text is left out."""
    assert describe(ValueError("secret")) == "ValueError"
    assert describe(KeyError("x" * 61), {"x" * 61}) == "KeyError"
    assert describe(KeyError(), {"x"}) == "KeyError"


def test_a_stage_says_more_of_itself() -> None:
    """The pipeline fills in its name and what it needs; a key of several columns begins with that of the request."""
    ranking = Stage(lambda frame, model: frame, key=("id", "item"), ordered=True, samples=Samples(5))
    pipeline = Pipeline("shop", key="id", model=float, raw=lambda frame: frame, ranking=ranking)
    assert pipeline.stage("ranking").name == "ranking"
    assert pipeline.stage("ranking").needs == ("model",)
    assert pipeline.key_of() == pipeline.key_of("raw") == ("id",)
    assert pipeline.key_of("ranking") == ("id", "item")
    composite = Pipeline("shop", key=["user", "at"], raw=lambda f: f, score=lambda f: f)  # type: ignore[arg-type]
    assert composite.key_of("score") == composite.key == ("user", "at")


@pytest.mark.parametrize(
    ("key", "of_stage", "found"),
    [
        ("id", ("item", "id"), "begin with it, such as ('id', 'item')"),
        ("id", ("item",), "does not begin with the key"),
        (("user", "at"), ("user",), "does not begin with"), ("", None, "A key is the name of a column"),
        (("id", "id"), None, "different names"), ((), None, "A key is"), (("id", 3), None, "A key is"),
    ],
)  # fmt: skip
def test_a_key_that_names_no_rows_is_refused(key: Any, of_stage: Any, found: str) -> None:
    """With what it should be."""
    with pytest.raises(PipelineError, match=re.escape(found)):
        Pipeline("shop", key=key, raw=lambda f: f, score=Stage(lambda f: f, key=of_stage))


@pytest.mark.parametrize(
    "made",
    [
        lambda: Samples(0),
        lambda: Samples(5, at_least=0),
        lambda: Samples(5, at_least=1.1),
        lambda: Samples(5, confidence=0.5),
        lambda: Stage(len, calls=0),
    ],
)
def test_numbers_out_of_range_are_refused(made: Any) -> None:
    """With what is allowed."""
    with pytest.raises(PipelineError, match=r"\(.*=.*\): "):
        made()


def test_a_service_runs_beside_the_file_of_its_pipeline(tmp_path, monkeypatch):
    """Whether a project loads the file or somebody imports it; only what is typed into a prompt has no file."""
    text = "from seatrial import Pipeline\npipeline = Pipeline('p', key='id', raw=lambda f: f, response=lambda f: f)\n"
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "imported_path.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "app")
    assert importlib.import_module("imported_path").pipeline.folder == tmp_path / "app"
    assert load_pipeline(tmp_path / "app" / "imported_path.py", "pipeline").folder == tmp_path / "app"
    monkeypatch.chdir(tmp_path)
    typed = {}
    exec(text, typed)
    assert typed["pipeline"].folder == tmp_path
