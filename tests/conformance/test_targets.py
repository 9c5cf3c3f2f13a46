"""What every target promises, asked of real servers: frames out, frames in, keyed, in order, within their time."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from linear_steps import linear, pipeline

from seatrial import Outcome, capture, run
from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.parity.compare import compare
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.targets import connect
from seatrial.targets.inprocess import InProcess
from seatrial.targets.mlflow import Form, MLflow
from seatrial.targets.oip.tensors import tensors_of
from seatrial.testing import target_conforms
from tests.support.ports import free_port

pytestmark = pytest.mark.server

REMOTE = ["rest", "mlflow", "kserve-rest", "kserve-grpc", "mlserver-rest", "mlserver-grpc"]
EVERY = pytest.mark.parametrize("target", ["inprocess", *REMOTE], indirect=True)
WIRED = pytest.mark.parametrize("target", REMOTE, indirect=True)


def rows(count=50, seed=3):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": pd.array([f"k{n}" for n in rng.permutation(count)], dtype="string"),
            "a": rng.normal(size=count),
            "b": rng.normal(size=count) * 1e-3,
        }
    )


def named(answers):
    """The answers under the name that the path in process gives them; a model's server has its own."""
    return answers.rename(columns={c: "y" for c in answers.columns if c != "id"})[["id", "y"]]


@EVERY
def test_a_step_keeps_every_key_in_order_and_every_digit(target):
    """Answers stand beside the keys of their rows, within the default tolerance of float64."""
    frame = rows()
    answers = named(target.step(frame))
    assert answers["id"].tolist() == frame["id"].tolist()
    parity = compare(linear(frame), answers, key="id")
    assert parity.ok, parity.columns


@WIRED
def test_the_target_passes_the_suite_for_extensions(target, target_url, request):
    """What a package of another author is held to."""
    kind = request.node.callspec.params["target"]
    url = target_url(kind)
    nobody = re.sub(r"(127\.0\.0\.1):\d+", rf"\1:{free_port()}", url)
    target_conforms(url, rows(6), key="id", nobody=nobody)


@EVERY
def test_one_row_is_answered_as_in_a_batch(target):
    """A batch of one is a batch."""
    frame = rows(4)
    whole = named(target.step(frame))
    parts = pd.concat([named(target.step(frame.iloc[[n]])) for n in range(4)], ignore_index=True)
    assert compare(whole, parts, key="id").ok


@EVERY
def test_a_frame_is_not_changed_by_being_sent(target):
    """A step reads its input and leaves it."""
    frame = rows(5)
    before = frame.copy(deep=True)
    target.step(frame)
    pd.testing.assert_frame_equal(frame, before)


@WIRED
def test_what_cannot_be_understood_is_a_response_and_no_exception(target):
    """``send`` hands back whatever status the service chose, with its time."""
    response = target.send(b"\x00 not a request")
    assert response.status >= 400
    assert not response.ok
    assert response.seconds > 0
    assert all(name == name.lower() for name in response.headers)


@WIRED
def test_a_deadline_holds_for_a_real_server(target):
    """A deadline too short for any answer ends the call with an error."""
    with pytest.raises(TargetError):
        target.send(target.payload(rows(2)) if hasattr(target, "payload") else {"id": "k", "a": 1.0, "b": 1.0},
                    seconds=1e-5)  # fmt: skip


@pytest.mark.parametrize("kind", REMOTE)
def test_a_target_is_used_in_its_block(kind, target_url):
    """Outside, a call says what to type."""
    with pytest.raises(UsageError, match="with block"):
        connect(target_url(kind), key="id").send(b"{}")


@pytest.mark.parametrize("kind", REMOTE)
def test_a_well_formed_model_passes_golden_and_another_model_does_not(kind, services):
    """The same check on every server: the right model passes, one whose slope is another fails at the service."""
    service = replace(services(kind), serves=None if kind == "rest" else "prediction")
    reference = capture(pipeline(), rows(30))
    policy = Policy(service=service_settings({"golden": {"single_requests": 5, "batch_size": 10}}))
    verdict = run(pipeline(service), reference, ["golden"], policy=policy)
    assert verdict.outcome is Outcome.PASS, (verdict.findings, verdict.not_evaluated)
    if kind not in ("rest", "kserve-grpc"):  # to start each again would say the same
        return
    other = run(pipeline(replace(service, env={"SLOPE": "2.001"})), reference, ["golden"], policy=policy)
    assert other.outcome is Outcome.FAIL
    assert other.first_failing_stage == "service"
    assert {f.column for f in other.errors} == {"y"}


@pytest.mark.parametrize("form", Form.__args__)
def test_mlflow_takes_rows_in_each_of_its_forms(form, target_url):
    """Split, records, instances, inputs and CSV give the same answers."""
    frame = rows(6)
    with connect(target_url("mlflow"), key="id", seconds=30.0, form=form) as target:
        answers = named(target.step(frame))
    assert compare(linear(frame), answers, key="id").ok


def test_mlflow_s_server_cuts_what_its_model_refuses(served_long, long_model):
    """1.5 for a ``long`` column is answered as 1 over the wire, and ``"1"`` as 1; in process both are refused."""
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(long_model))
    in_process = InProcess(lambda f: pd.DataFrame({"id": f["id"], "prediction": model.predict(f[["n"]])}))
    with connect(served_long, key="id", seconds=30.0) as target:
        whole = target.step(pd.DataFrame({"id": ["k"], "n": [1]}))["n"].tolist()
        for value in (1.5, "1"):
            frame = pd.DataFrame({"id": ["k"], "n": [value]})
            assert target.step(frame)["n"].tolist() == whole
            with pytest.raises(Exception, match=r"[Ii]ncompatible|[Cc]onvert"):
                in_process.step(frame)


def test_mlflow_says_what_its_server_refused(target_url):
    """A missing column is a status, told as an error of the answer."""
    with (
        MLflow(target_url("mlflow").removeprefix("mlflow+"), key="id", seconds=30.0) as target,
        pytest.raises(AnswerError, match="answered 400"),
    ):
        target.step(rows(2).drop(columns="b"))


def test_numbers_go_over_grpc_as_they_are(target_url):
    """NaN and infinity travel, which JSON cannot carry: REST refuses them here, before they are sent."""
    frame = pd.DataFrame({"id": ["x", "y"], "a": [np.nan, np.inf], "b": [0.0, 0.0]})
    with connect(target_url("kserve-grpc"), key="id", seconds=30.0) as target:
        answered = named(target.step(frame))["y"].tolist()
    assert np.isnan(answered[0])
    assert answered[1] == np.inf
    with connect(target_url("kserve-rest"), key="id") as target, pytest.raises(UsageError, match=r"use oip\+grpc"):
        target.step(frame)


def test_grpc_tells_a_model_that_is_ready_from_one_that_is_not_there(target_url):
    """Readiness is asked of the model; an unknown one is a status that gateways would give."""
    url = target_url("kserve-grpc")
    with connect(url, key="id") as target:
        assert target.ready()
    with connect(url.rpartition("/")[0] + "/nosuch", key="id") as target:
        assert target.send(target.payload(rows(1))).status == 404


def test_columns_become_tensors_by_kind():
    """Numbers are one matrix; mixed columns one tensor each; a null that the protocol cannot say is refused."""
    matrix = tensors_of(pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}))
    assert [(t.datatype, t.shape, t.data) for t in matrix] == [("FP64", (2, 2), [1.0, 0.5, 2.0, 1.5])]
    mixed = tensors_of(pd.DataFrame({"a": [1, 2], "c": ["x", "y"], "d": [True, False]}))
    assert [(t.name, t.datatype, t.shape) for t in mixed] == [
        ("a", "INT64", (2, 1)), ("c", "BYTES", (2, 1)), ("d", "BOOL", (2, 1)),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="Column 'c' has nulls"):
        tensors_of(pd.DataFrame({"c": ["x", None]}))


def test_in_process_answers_requests_as_a_service_would():
    """One object for one, a list for a list, 422 for what is no JSON and 500 for what the step raises."""
    with connect(f"inprocess:{__file__.replace('test_targets', 'linear_steps')}:linear") as target:
        one = target.send({"id": "k", "a": 1.0, "b": 2.0})
        assert (one.status, one.json()) == (200, {"id": "k", "y": 7.0})
        assert len(target.send(json.dumps([{"id": "k", "a": 1.0, "b": 2.0}] * 3)).json()) == 3
        assert target.send(b"{").status == 422
        assert target.send({"id": "k"}).status == 500
