"""Hooks, envelopes, compressed answers and polls, without a process or a socket."""

import gzip
import json
import re
import zlib

import httpx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial import HttpAnswer, HttpRequest, Pipeline, Poll, Service
from seatrial.errors import AnswerError, PipelineError
from seatrial.pipeline import LocalReplayer
from seatrial.pipeline.envelopes import ANSWERS, WITHOUT_KEY
from seatrial.targets.compression import check_encoding, decompressed
from seatrial.targets.messages import Response, is_unnamed
from seatrial.targets.shapes.envelope import NamedEnvelope
from seatrial.targets.shapes.shaped import Shaped
from tests.support.paths import ROOT

ROWS = pd.DataFrame({"id": ["a", "b"], "x": [1.5, 2.5], "y": [1, 2]})


class InProcessShaped(Shaped):
    """Its service is a function."""

    def __init__(self, handler, **options):
        super().__init__("http://in-process/predict", key="id", **options)
        self._handler = handler

    def _connect(self, limits):
        return httpx.MockTransport(self._handler)


def service(**shape):
    return Service(["serve", "{port}"], **shape)


def outcomes(handler, requests=ROWS, size=1, **shape):
    told = service(**shape)
    pipeline = Pipeline("p", key="id", raw=lambda f: f, answer=lambda f: f, service=told)
    with InProcessShaped(handler, service=told, hooks=LocalReplayer(pipeline)) as target:
        return target.exchange(requests, size)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("instances", {"instances": [{"x": 1.5, "y": 1}, {"x": 2.5, "y": 2}]}),
        ("inputs", {"inputs": [{"x": 1.5, "y": 1}, {"x": 2.5, "y": 2}]}),
        ("dataframe_split", {"dataframe_split": {"columns": ["x", "y"], "data": [[1.5, 1], [2.5, 2]]}}),
        ("dataframe_records", {"dataframe_records": [{"x": 1.5, "y": 1}, {"x": 2.5, "y": 2}]}),
        ("list", [{"id": "a", "x": 1.5, "y": 1}, {"id": "b", "x": 2.5, "y": 2}]),
        ("values", [[1.5, 1], [2.5, 2]]),
        ("object", [{"id": "a", "x": 1.5, "y": 1}, {"id": "b", "x": 2.5, "y": 2}]),
        ("rows/scores", {"rows": [{"id": "a", "x": 1.5, "y": 1}, {"id": "b", "x": 2.5, "y": 2}]}),
        ("/score", [{"id": "a", "x": 1.5, "y": 1}, {"id": "b", "x": 2.5, "y": 2}]),
    ],
)
def test_an_envelope_holds_requests_of_columns_and_of_payloads_alike(name, body):
    """Model servers get no key; the body is the same whether requests are columns or whole texts."""
    envelope = NamedEnvelope.of(name, "id")
    assert json.loads(envelope.body(ROWS)) == body
    texts = [json.dumps(row) for row in ROWS.to_dict("records")]
    assert json.loads(envelope.body(pd.DataFrame({"payload": texts}, dtype="string"))) == body


def test_the_envelopes_of_the_docs_are_those_that_are_known():
    """Each row of the table can be declared, and none is missing."""
    text = (ROOT / "docs" / "how-to" / "services.md").read_text(encoding="utf-8").partition("## Hooks")[0]
    named = re.findall(r"^\| `([\w/]+)` \| `", text, re.MULTILINE)
    assert {*named} == {*ANSWERS, "rows/scores", "/score"}
    for name in named:
        key = "stays here" if NamedEnvelope.of(name, "id").requests in WITHOUT_KEY else "is sent"
        assert re.search(rf"^\| `{name}` .*\| {key} \|$", text, re.MULTILINE), name


@pytest.mark.parametrize("name", ["instnaces", "predictions", "", "a/b/c", "/", 7])
def test_an_unknown_envelope_is_refused(name):
    """With the known ones, and the nearest."""
    with pytest.raises(PipelineError, match=r"is unknown\. Known: instances, inputs") as told:
        service(envelope=name)
    assert ("Did you mean 'instances'?" in str(told.value)) == (name == "instnaces")


@pytest.mark.parametrize(
    ("name", "body", "rows"),
    [
        (
            "instances", {"predictions": [0.5, 0.25], "model": "3", "took": [{"ms": 4}]},
            [{"prediction": 0.5}, {"prediction": 0.25}],
        ),
        ("instances", {"predictions": [{"a": 1}, {"a": 2}]}, [{"a": 1}, {"a": 2}]),
        (
            "inputs", {"outputs": [[1, 2], [3, 4]]},
            [{"prediction": 1, "prediction_1": 2}, {"prediction": 3, "prediction_1": 4}],
        ),
        ("list", [1, 2], [{"prediction": 1}, {"prediction": 2}]),
        ("rows/scores", {"scores": ["a", None]}, [{"prediction": "a"}, {"prediction": None}]),
    ],
)  # fmt: skip
def test_answers_are_read_from_the_declared_field_alone(name, body, rows):
    """Whatever stands beside it."""
    read = NamedEnvelope.of(name, "id").read(json.dumps(body).encode(), 2)
    assert read.astype(object).where(read.notna(), None).to_dict("records") == rows
    assert is_unnamed(read) == ("prediction" in rows[0])


def test_one_answer_may_be_a_bare_number_or_its_values():
    """A number, an object, a list of one, and the values of one row."""
    envelope = NamedEnvelope.of("object", "id")
    assert envelope.read(b"0.5", 1).to_dict("records") == [{"prediction": 0.5}]
    assert envelope.read(b"[0.5]", 1).to_dict("records") == [{"prediction": 0.5}]
    assert envelope.read(b'{"items": [{"a": 1}]}', 1).to_dict("records") == [{"items": [{"a": 1}]}]
    assert envelope.read(b"[0.5, 0.25]", 1).to_dict("records") == [{"prediction": 0.5, "prediction_1": 0.25}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"prediction": [1, 2]}', r"without 'predictions'. Its fields: prediction. Did you mean 'prediction'\?"),
        (b'{"predictions": [1]}', "The service gave 1 answers to 2 requests"),
        (b'{"predictions": [1, {"a": 2}]}', "are objects, and those to others are not"),
        (b"[1, 2]", "no object with the field 'predictions'"),
        (b"x", "The answer is not JSON"),
    ],
)
def test_an_answer_out_of_its_envelope_is_told(body, said):
    """With what is there in place of it."""
    with pytest.raises(AnswerError, match=said):
        NamedEnvelope.of("instances", "id").read(body, 2)


def test_every_known_envelope_can_be_declared():
    """Those of the table are those that are understood."""
    for name in ANSWERS:
        assert service(envelope=name).shaped


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (lambda rows: 1 / 0, "The request hook '<lambda>' of the service raised ZeroDivisionError"),
        (lambda rows: b"x", "returned a bytes. Return a seatrial.HttpRequest"),
        (lambda rows: HttpRequest(path="http://other/"), "give a path of the service"),
        (lambda rows: HttpRequest(path="//other/"), "give a path of the service"),
        (lambda rows: HttpRequest(headers={"a b": "c"}), "which HTTP cannot carry"),
        (lambda rows: HttpRequest(headers={"a": "b\r\nc: d"}), "which HTTP cannot carry"),
        (lambda rows: HttpRequest(headers={"Host": "other"}), "has 'Host', which is set for each request"),
        (lambda rows: HttpRequest(headers={"Content-Type": "x"}), "Give it as content_type="),
        (lambda rows: HttpRequest(method="TRACE"), "give one of DELETE, GET"),
        (lambda rows: HttpRequest({"a": 1}), "is a dict. Give bytes, or text"),
        (lambda rows: HttpRequest.json({"a": float("nan")}), "is not JSON"),
    ],
)
def test_a_request_that_is_none_names_the_hook(hook, said):
    """No request leaves, and the error is one of seatrial's."""
    with pytest.raises(PipelineError, match="request hook") as told:
        outcomes(lambda request: httpx.Response(200), request=hook)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (lambda answer: answer.json()["x"], "could not read the answer: it raised KeyError"),
        (lambda answer: 7, "returned a int. Return a DataFrame"),
        (lambda answer: pd.DataFrame([[1, 2]], columns=["a", "a"]), "column name(s) more than once"),
        (lambda answer: Poll("http://other.example/x"), "on another host, 'other.example'"),
        (lambda answer: Poll(), "its address was not given"),
        (lambda answer: Poll("/x", seconds=-1), "above 0"),
    ],
)
def test_an_answer_that_a_hook_cannot_read_is_an_error_of_that_answer(hook, said):
    """It names the hook, and nothing of the answer."""
    found = outcomes(lambda request: httpx.Response(200, json={"id": "a"}), response=hook)
    assert all(isinstance(each, AnswerError) and said in str(each) for each in found), found


def test_hooks_see_their_rows_and_answers_alone():
    """A hook that writes into its rows changes no others; a status of failure is not read."""

    def write(rows):
        rows["x"] = 0
        return HttpRequest.json(rows["id"].tolist(), headers={"x-a": "b"}, method="PUT", path="/other?q=1")

    def respond(request):
        assert (request.method, request.url.path, request.headers["x-a"]) == ("PUT", "/other", "b")
        return httpx.Response(200 if b"a" in request.content else 500, json={"score": 1})

    before = ROWS.copy()
    good, bad = outcomes(respond, request=write, response=lambda answer: answer.json())
    assert good.to_dict("records") == [{"score": 1}]
    assert isinstance(bad, Response)
    assert bad.status == 500
    pd.testing.assert_frame_equal(ROWS, before)


def test_answers_are_fetched_where_the_service_says():
    """By Location, then by itself while it is 202, then through 303; each at its own time."""
    asked = []

    def respond(request):
        asked.append(request.url.path)
        if request.method == "POST":
            return httpx.Response(202, headers={"location": "/jobs/" + json.loads(request.content)["id"]})
        if asked.count(request.url.path) < 3:
            return httpx.Response(202)
        if request.url.path == "/jobs/b":
            return httpx.Response(303, headers={"location": "/results/b"})
        return httpx.Response(200, json={"id": request.url.path[-1], "score": 1})

    def quick(request):
        return respond(request) if asked.count(request.url.path) < 9 else httpx.Response(200, json={})

    found = outcomes(quick, poll_seconds=20)
    assert found[0].json() == {"id": "a", "score": 1}
    assert asked.count("/jobs/b") == 3
    assert asked.count("/results/b") == 3


def test_an_answer_that_never_comes_ends_in_time():
    """And 202 without an address is no answer."""
    [late, _] = outcomes(lambda request: httpx.Response(202, headers={"location": "/j"}), poll_seconds=0.05)
    assert "was not there within 50 ms, asked for" in str(late)
    [nowhere, _] = outcomes(lambda request: httpx.Response(202), poll_seconds=5)
    assert "without the address of the answer" in str(nowhere)


def test_both_directions_are_compressed_where_a_hook_says_so():
    """And an answer is compressed where its request accepted that alone."""

    def respond(request):
        assert gzip.decompress(request.content) == b"x"
        return httpx.Response(200, content=gzip.compress(b'{"score": 1}'), headers={"content-encoding": "gzip"})

    def read(answer):
        return answer.json()

    packed = outcomes(respond, request=lambda rows: HttpRequest("x").gzipped(), response=read)
    assert packed[0].to_dict("records") == [{"score": 1}]
    check_encoding("identity", {})
    for encoding, accepted in (("gzip", "identity"), ("br", "br"), ("gzip", "")):
        with pytest.raises(AnswerError, match=f"encoded as {encoding}"):
            check_encoding(encoding, {"Accept-Encoding": accepted})


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_compressed_body_is_read_whole_or_refused(body, limit):
    """Never more bytes than allowed, never a part of it."""
    if len(body) <= limit:
        assert decompressed(gzip.compress(body), "gzip", limit) == body
        assert decompressed(zlib.compress(body), "deflate", limit) == body
    else:
        with pytest.raises(AnswerError, match="longer than"):
            decompressed(gzip.compress(body), "gzip", limit)
    with pytest.raises(AnswerError, match=r"ends in the middle|not gzip"):
        decompressed(gzip.compress(body)[:-9], "gzip", 10**6)


@given(st.dictionaries(st.sampled_from(["a", "b c", "ä"]), st.binary(max_size=20)))
def test_a_form_holds_its_parts(parts):
    """As the standard library reads it; written twice it is the same."""
    from email.parser import BytesParser

    form = HttpRequest.form({**parts, "file": ("a.png", b"\x89PNG\r\n--", "image/png")})
    assert form == HttpRequest.form({**parts, "file": ("a.png", b"\x89PNG\r\n--", "image/png")})
    boundary = form.content_type.partition("boundary=")[2].encode()
    assert form.body.count(b"--" + boundary) == len(parts) + 2
    head = f"content-type: {form.content_type}\r\n\r\n".encode()
    read = BytesParser().parsebytes(head + form.body).get_payload()
    assert len(read) == len(parts) + 1
    assert read[-1].get_payload(decode=True) == b"\x89PNG\r\n--"


@pytest.mark.parametrize("shape", [{"envelope": "instances"}, {"poll_seconds": 1.0}, {"response": lambda a: a.json()}])
def test_a_protocol_has_its_own_shape(shape):
    """Another kind of target beside a shape is refused when the service is declared."""
    with pytest.raises(PipelineError, match="names a protocol"):
        service(predict="mlflow+http://127.0.0.1:{port}", **shape)
    with pytest.raises(PipelineError, match="Give a function"):
        service(request="write")


def test_an_answer_has_its_text_and_json():
    """What a hook mostly wants."""
    answer = HttpAnswer(200, {}, b'{"a": 1}')
    assert (answer.json(), answer.text, answer.polls) == ({"a": 1}, '{"a": 1}', 0)
