"""Load is what the service's target would send, and its answers are read by the target: no server is needed for it."""

import json

import pandas as pd
import pytest

from seatrial.checks.serving.messages import messages_of
from seatrial.errors import AnswerError, UsageError
from seatrial.pipeline import HttpRequest, Service
from seatrial.targets import connect
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.oip.grpc import INFER
from seatrial.targets.oip.messages import message
from seatrial.targets.shapes.shaped import Shaped

ROWS = pd.DataFrame({"id": ["a", "b"], "n": [1, 2], "x": [0.5, 1.5]})


def messages(url, columns=("score",), **options):
    return messages_of(connect(url, key="id", **options), ROWS, columns, "id")


def paths(made):
    return {each.path for each in made.requests}


def bodies(made):
    return [json.loads(each.body) for each in made.requests]


def read(made, row, told):
    [found] = made.read([row], [answer(told)])
    if isinstance(found, AnswerError):
        raise found
    return found


def answer(told):
    return Response(200, {}, json.dumps(told).encode(), 0.0)


def test_mlflow_gets_its_split_frame_at_invocations():
    made = messages("mlflow+http://127.0.0.1:5000")
    assert paths(made) == {"/invocations"}
    assert made.requests[0].content_type == "application/json"
    assert [body["dataframe_split"]["data"] for body in bodies(made)] == [[[1, 0.5]], [[2, 1.5]]]
    assert read(made, 1, {"predictions": [0.25]}) == {"id": "b", "score": 0.25}
    with pytest.raises(AnswerError, match="without 'predictions'"):
        read(made, 0, {"error": 1})


def test_requests_as_json_text_reach_a_model_server_as_its_inputs():
    """Their key stays here, and comes back beside the answer."""
    asked = pd.DataFrame({"payload": ['{"id": "a", "n": 1, "x": 0.5}', '{"id": "b", "n": 2, "x": 1.5}']})
    made = messages_of(connect("mlflow+http://127.0.0.1:5000", key="id"), asked, ("score",), "id")
    assert bodies(made)[1] == {"dataframe_split": {"columns": ["n", "x"], "data": [[2, 1.5]]}}
    assert read(made, 1, {"predictions": [0.25]}) == {"id": "b", "score": 0.25}
    tensors = messages_of(connect("oip+http://127.0.0.1:8080/iris", key="id"), asked, ("score",), "id")
    assert [body["inputs"][0]["data"] for body in bodies(tensors)] == [[1.0, 0.5], [2.0, 1.5]]


def test_mlflow_in_csv_says_so():
    made = messages("mlflow+http://127.0.0.1:5000", form="csv")
    assert made.requests[0].content_type == "text/csv"
    assert made.requests[0].body == b"n,x\n1,0.5\n"


def test_the_open_inference_protocol_gets_tensors_at_its_model():
    made = messages("oip+http://127.0.0.1:8080/iris")
    assert paths(made) == {"/v2/models/iris/infer"}
    assert [body["inputs"][0]["data"] for body in bodies(made)] == [[1.0, 0.5], [2.0, 1.5]]
    output = {"name": "predict", "datatype": "FP64", "shape": [1, 1], "data": [0.75]}
    assert read(made, 0, {"outputs": [output]}) == {"id": "a", "score": 0.75}


def test_a_json_service_gets_its_records_where_it_takes_one():
    made = messages("rest+http://127.0.0.1:8000/score?v=2", batch="/scores")
    assert paths(made) == {"/score?v=2"}
    assert [body["id"] for body in bodies(made)] == ["a", "b"]
    assert made.read is None


def test_a_target_of_an_extension_is_loaded_as_it_sends():
    class Echo(Http):
        def step(self, frame):
            told = self.send({"rows": len(frame)}, path="/echo", headers={"x-shape": "rows"}).json()
            return pd.DataFrame({"id": frame["id"], "score": [told["score"]]})

    made = messages_of(Echo("http://127.0.0.1:9000"), ROWS, ["score"], "id")
    first = made.requests[0]
    assert (first.path, first.headers["x-shape"], first.body) == ("/echo", "rows", b'{"rows":1}')
    assert read(made, 0, {"score": 3}) == {"id": "a", "score": 3}


@pytest.mark.parametrize("protocol", ["mlflow", "oip", "openai", "rest"])
def test_load_goes_to_the_port_of_the_predictions(protocol):
    """It may be another one than that of the readiness path."""
    assert messages(f"{protocol}+http://127.0.0.1:9001/m").origin == "http://127.0.0.1:9001"


def test_a_model_behind_grpc_is_called_at_its_own_address():
    made = messages("oip+grpc://127.0.0.1:8081/iris")
    assert (made.origin, paths(made)) == ("grpc://127.0.0.1:8081", {INFER})
    asked = [type(message("ModelInferRequest")).FromString(each.body) for each in made.requests]
    assert [list(each.inputs[0].contents.fp64_contents) for each in asked] == [[1.0, 0.5], [2.0, 1.5]]


def test_what_is_sent_by_another_protocol_says_what_to_set():
    class Queue:
        url = "kafka://127.0.0.1:9092/asked"

    with pytest.raises(UsageError, match=r"Set path in \[slo\]"):
        messages_of(Queue(), ROWS, ["score"], "id")


def test_each_request_goes_where_its_target_sends_it():
    class Items(Http):
        def step(self, frame):
            return self.send(None, path=f"/items/{frame['id'].iloc[0]}", method="GET").json()

    made = messages_of(Items("http://127.0.0.1:9000"), ROWS, ["score"], "id")
    assert [(each.method, each.path, each.body) for each in made.requests] == [
        ("GET", "/items/a", b""), ("GET", "/items/b", b""),
    ]  # fmt: skip


class Upload:
    """The hooks of a service that takes a form and answers with text."""

    def write_requests(self, batches):
        return [HttpRequest.form({"x": f"{rows['x'].iloc[0]}"}) for rows in batches]

    def read_answers(self, answers):
        return [
            pd.DataFrame({"score": [float(each.body)]}) if each.headers["content-type"] == "text/plain" else None
            for each in answers
        ]


def shaped(hooks=None, **declared):
    service = Service(url="http://127.0.0.1:8000", **declared)
    return messages_of(
        Shaped("rest+http://127.0.0.1:8000/score", service=service, hooks=hooks, key="id"), ROWS, ["score"], "id"
    )


def test_hooks_write_and_read_what_goes_under_load():
    made = shaped(Upload(), request=len, response=len)
    assert all(each.content_type.startswith("multipart/form-data; boundary=") for each in made.requests)
    assert b"1.5" in made.requests[1].body
    told = [Response(200, {"content-type": "text/plain"}, text, 0.0) for text in (b"0.25", b"0.75")]
    assert made.read([1, 0], told) == [{"id": "b", "score": 0.25}, {"id": "a", "score": 0.75}]


def test_an_envelope_is_written_and_opened_under_load():
    made = shaped(envelope="instances")
    assert bodies(made)[0] == {"instances": [{"n": 1, "x": 0.5}]}
    assert read(made, 1, {"predictions": [{"score": 2.0}]}) == {"id": "b", "score": 2.0}
    with pytest.raises(AnswerError):
        read(made, 1, {"predictions": []})


def test_a_service_that_answers_later_is_not_loaded():
    with pytest.raises(UsageError, match="answers 202"):
        shaped(poll_seconds=5.0)


def test_a_chat_is_loaded_in_the_schema_of_its_target():
    rows = pd.DataFrame({"id": ["a"], "messages": [[{"role": "user", "content": "hello"}]]})
    target = connect("openai+http://127.0.0.1:8000/v1?model=tiny", key="id")
    made = messages_of(target, rows, ["content"], "id")
    assert paths(made) == {"/v1/chat/completions"}
    assert bodies(made) == [{"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}]
    told = {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
    assert read(made, 0, told) == {"id": "a", "content": "hi", "finish_reason": "stop"}
