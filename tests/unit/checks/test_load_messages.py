"""Load is what the service's target would send, and its answers are read by the target: no server is needed for it."""

import json

import pandas as pd
import pytest

from seatrial import HttpRequest, Pipeline, Poll, Service
from seatrial.checks.load.messages import messages_of
from seatrial.errors import AnswerError, UsageError
from seatrial.pipeline import LocalReplayer
from seatrial.targets import connect
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.shapes.shaped import Shaped

ROWS = pd.DataFrame({"id": ["a", "b"], "n": [1, 2], "x": [0.5, 1.5]})


def messages(url, columns=("score",), **options):
    return messages_of(connect(url, key="id", **options), ROWS, columns, "id")


def answer(told):
    return Response(200, {}, json.dumps(told).encode(), 0.0)


def test_mlflow_gets_its_split_frame_at_invocations():
    made = messages("mlflow+http://127.0.0.1:5000")
    assert made.path == "/invocations"
    assert made.headers["content-type"] == "application/json"
    assert [json.loads(body)["dataframe_split"]["data"] for body in made.payloads] == [[[1, 0.5]], [[2, 1.5]]]
    assert made.read(1, answer({"predictions": [0.25]})) == {"id": "b", "score": 0.25}
    with pytest.raises(AnswerError, match="without 'predictions'"):
        made.read(0, answer({"error": 1}))


def test_mlflow_in_csv_says_so():
    made = messages("mlflow+http://127.0.0.1:5000", form="csv")
    assert made.headers["content-type"] == "text/csv"
    assert made.payloads[0] == b"n,x\n1,0.5\n"


def test_the_open_inference_protocol_gets_tensors_at_its_model():
    made = messages("oip+http://127.0.0.1:8080/iris")
    assert made.path == "/v2/models/iris/infer"
    assert [json.loads(body)["inputs"][0]["data"] for body in made.payloads] == [[1.0, 0.5], [2.0, 1.5]]
    output = {"name": "predict", "datatype": "FP64", "shape": [1, 1], "data": [0.75]}
    assert made.read(0, answer({"outputs": [output]})) == {"id": "a", "score": 0.75}


def test_a_json_service_gets_its_records_where_it_takes_one():
    made = messages("rest+http://127.0.0.1:8000/score?v=2", batch="/scores")
    assert made.path == "/score?v=2"
    assert [json.loads(body)["id"] for body in made.payloads] == ["a", "b"]
    assert made.read is None


def test_requests_as_json_text_reach_a_model_server_as_its_inputs():
    """Their key stays here, and comes back beside the answer."""
    asked = pd.DataFrame({"payload": ['{"id": "a", "n": 1, "x": 0.5}', '{"id": "b", "n": 2, "x": 1.5}']})
    made = messages_of(connect("mlflow+http://127.0.0.1:5000", key="id"), asked, ("score",), "id")
    assert json.loads(made.payloads[1]) == {"dataframe_split": {"columns": ["n", "x"], "data": [[2, 1.5]]}}
    assert made.read(1, answer({"predictions": [0.25]})) == {"id": "b", "score": 0.25}
    tensors = messages_of(connect("oip+http://127.0.0.1:8080/iris", key="id"), asked, ("score",), "id")
    assert [json.loads(body)["inputs"][0]["data"] for body in tensors.payloads] == [[1.0, 0.5], [2.0, 1.5]]


def shaped(**shape):
    service = Service(["serve", "{port}"], **shape)
    pipeline = Pipeline("p", key="id", raw=lambda f: f, score=lambda f: f, service=service)
    target = Shaped("http://127.0.0.1:9000/predict", service=service, hooks=LocalReplayer(pipeline), key="id")
    return messages_of(target, ROWS, ("score",), "id")


def test_an_envelope_is_loaded_as_it_is_sent():
    made = shaped(envelope="instances")
    assert (made.path, made.payloads[0]) == ("/predict", b'{"instances":[{"n":1,"x":0.5}]}')
    assert made.read(0, answer({"predictions": [3.5]})) == {"id": "a", "score": 3.5}
    with pytest.raises(AnswerError, match="without 'predictions'"):
        made.read(0, answer({"answers": [3.5]}))


def test_hooks_write_what_is_sent_under_load_and_read_the_answers():
    made = shaped(
        request=lambda rows: HttpRequest(rows.to_csv(index=False), "text/csv", path="/csv"),
        response=lambda told: {"id": told.json()["id"], "score": 2.0},
    )
    assert (made.path, made.headers["content-type"], made.payloads[1]) == ("/csv", "text/csv", b"id,n,x\nb,2,1.5\n")
    assert made.read(1, answer({"id": "b"})) == {"id": "b", "score": 2.0}


def test_an_answer_that_a_hook_fetches_later_is_not_waited_for():
    made = shaped(response=lambda _: Poll("/later", seconds=60, every=0.001))
    with pytest.raises(AnswerError, match="fetched later"):
        made.read(0, answer({}))


def test_a_request_that_is_no_post_is_refused():
    with pytest.raises(UsageError, match="are GET"):
        shaped(request=lambda rows: HttpRequest(path=f"/{rows['id'].iloc[0]}", method="GET"))


def test_a_target_of_an_extension_is_loaded_as_it_sends():
    class Echo(Http):
        def step(self, frame):
            told = self.send({"rows": len(frame)}, path="/echo", headers={"x-shape": "rows"}).json()
            return pd.DataFrame({"id": frame["id"], "score": [told["score"]]})

    made = messages_of(Echo("http://127.0.0.1:9000"), ROWS, ["score"], "id")
    assert (made.path, made.headers["x-shape"], made.payloads[0]) == ("/echo", "rows", b'{"rows":1}')
    assert made.read(0, answer({"score": 3})) == {"id": "a", "score": 3}


def test_what_cannot_be_sent_over_http_says_what_to_set():
    with pytest.raises(UsageError, match=r"Set path in \[slo\]"):
        messages("oip+grpc://127.0.0.1:8081/iris")


def test_requests_to_different_paths_are_refused():
    class Many(Http):
        def step(self, frame):
            return self.send(None, path=f"/{frame['id'].iloc[0]}")

    with pytest.raises(UsageError, match="differ in their body alone"):
        messages_of(Many("http://127.0.0.1:9000"), ROWS, ["score"], "id")
