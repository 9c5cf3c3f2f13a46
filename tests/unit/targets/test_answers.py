"""What an answer holds: one object or an envelope, columns with names or without, a connection that was closed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, capture, run
from seatrial.errors import AnswerError
from seatrial.events import NotEvaluated, Severity, Verdict
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.targets.inprocess import InProcessService
from seatrial.targets.messages import Response, is_unnamed
from seatrial.targets.mlflow import MLflow
from seatrial.targets.oip.rest import Oip
from seatrial.targets.rest import answers_of
from seatrial.targets.sending import FAILURES

REQUESTS = pd.DataFrame({"id": [f"r{n}" for n in range(20)], "x": [n / 8 for n in range(20)]})
ITEMS = [{"sku": f"s{n}", "price": n / 4} for n in range(3)]


def score(frame: pd.DataFrame) -> pd.DataFrame:
    """Two columns a request, as at training."""
    return pd.DataFrame({"id": frame["id"], "score": frame["x"] * 3, "band": frame["x"] + 7})


def one(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": record["id"], "score": record["x"] * 3, "band": record["x"] + 7}


PIPELINE = Pipeline("scored", key="id", raw=lambda frame: frame, response=score)
REFERENCE = capture(PIPELINE, REQUESTS)


def causes(verdict: Verdict) -> dict[str | None, set[str | None]]:
    """The columns of each cause among the errors."""
    found: dict[str | None, set[str | None]] = {}
    for f in verdict.findings:
        if f.severity is Severity.ERROR:
            found.setdefault(f.cause, set()).update(f.evidence.get("columns", [f.column]))
    return found


def validated(service: Any, **settings: Any) -> Verdict:
    policy = Policy(service=service_settings({"golden": {"batch_size": 6, **settings}}))
    return run(PIPELINE, REFERENCE, ["golden"], policy=policy, service=service)


# --- one object, or an envelope ----------------------------------------------------------------------------


def response(told: Any) -> Response:
    return Response(200, {}, json.dumps(told).encode(), 0.0)


OBJECT = {"id": "a", "items": ITEMS}


@pytest.mark.parametrize(
    ("told", "asked", "columns", "batch", "found"),
    [
        (OBJECT, 1, {"items"}, False, [OBJECT]),
        (OBJECT, 1, (), False, [OBJECT]),
        ({"id": "a", "items": ITEMS[:1]}, 1, {"items"}, False, [{"id": "a", "items": ITEMS[:1]}]),
        ({"id": "a", "score": 1, "reasons": ITEMS[:1]}, 1, {"score"}, False,
         [{"id": "a", "score": 1, "reasons": ITEMS[:1]}]),
        ({"predictions": [{"score": 1}], "model": "m", "took_ms": 3, "v": 2}, 1, {"score"}, False, [{"score": 1}]),
        ({"results": [{"score": 1}]}, 1, (), True, [{"score": 1}]),
        ({"results": [{"score": 1}]}, 1, (), False, [{"results": [{"score": 1}]}]),
        ({"results": [OBJECT]}, 1, {"items"}, True, [OBJECT]),
        ({"items": [OBJECT, OBJECT]}, 2, {"items"}, True, [OBJECT, OBJECT]),
        ({"answers": [OBJECT, OBJECT], "model": "m", "took_ms": 3, "version": 2, "node": "n"}, 2, (), True,
         [OBJECT, OBJECT]),
        ({"answers": [OBJECT, OBJECT], "warnings": ITEMS}, 2, (), True, [OBJECT, OBJECT]),
        ([OBJECT], 1, {"items"}, False, [OBJECT]),
    ],
)  # fmt: skip
def test_an_envelope_is_told_from_an_object_with_a_list(told, asked, columns, batch, found):
    assert answers_of(response(told), asked, columns=columns, batch=batch) == found


@pytest.mark.parametrize(
    ("told", "asked"), [({"answers": ITEMS, "warnings": ITEMS}, 2), ({"answers": ITEMS}, 2), ([], 1), ([OBJECT], 2)]
)
def test_answers_that_are_too_few_or_too_many_are_refused(told, asked):
    with pytest.raises(AnswerError):
        answers_of(response(told), asked)


def orders(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"id": frame["id"], "items": [ITEMS] * len(frame)})


@pytest.mark.parametrize("wrap", [lambda a: a, lambda a: {"answers": a, "model": "m", "took_ms": 1.5, "node": "n"}])
def test_a_service_whose_answers_hold_lists_of_objects_passes(wrap):
    """Three items of one answer are not three answers; a batch may come in an envelope with further fields."""
    pipeline = Pipeline("orders", key="id", raw=lambda frame: frame, response=orders)

    def handle(request: httpx.Request) -> httpx.Response:
        told = json.loads(request.content)
        rows = [{"id": each["id"], "items": ITEMS} for each in (told if isinstance(told, list) else [told])]
        return httpx.Response(200, json=wrap(rows) if isinstance(told, list) else rows[0])

    service = InProcessService(handle, path="/score", key="id", batch="/batch")
    policy = Policy(service=service_settings({"golden": {"batch_size": 19}}))  # the last batch has one request
    verdict = run(pipeline, capture(pipeline, REQUESTS), ["golden"], policy=policy, service=service)
    assert verdict.outcome is Outcome.PASS, (verdict.summary, verdict.findings)


# --- names -------------------------------------------------------------------------------------------------


def test_renamed_fields_are_missing_and_new():
    """Training had ``score`` and ``band``: a consumer of the service that reads those finds neither."""

    def handle(request: httpx.Request) -> httpx.Response:
        told = one(json.loads(request.content))
        return httpx.Response(200, json={"id": told["id"], "fraudScore": told["score"], "riskBand": told["band"]})

    verdict = validated(InProcessService(handle, path="/score", key="id"))
    assert verdict.outcome is Outcome.FAIL
    named = {c for columns in causes(verdict).values() for c in columns}
    assert {"score", "band"} <= named, causes(verdict)
    assert set(causes(verdict)) <= {"missing-column", "extra-column", "renamed-column"}


def scoring(answer: Callable[[list[list[float]]], Any]) -> Callable[[httpx.Request], httpx.Response]:
    def handle(request: httpx.Request) -> httpx.Response:
        rows = json.loads(request.content)["dataframe_split"]["data"]
        return httpx.Response(200, json={"predictions": answer(rows)})

    return handle


def inferring(*names: str) -> Callable[[httpx.Request], httpx.Response]:
    """An inference server with an output for each name, or one of two columns."""

    def handle(request: httpx.Request) -> httpx.Response:
        (tensor,) = json.loads(request.content)["inputs"]
        values = [[x * 3, x + 7] for x in tensor["data"]]
        if len(names) == 1:
            data: list[tuple[str, int, list[float]]] = [(names[0], 2, [v for row in values for v in row])]
        else:
            data = [(name, 1, [row[n] for row in values]) for n, name in enumerate(names)]
        outputs = [{"name": n, "shape": [len(values), w], "datatype": "FP64", "data": d} for n, w, d in data]
        return httpx.Response(200, json={"model_name": "m", "outputs": outputs})

    return handle


def in_process(kind: type, url: str, handler: Callable[[httpx.Request], httpx.Response]) -> Any:
    """A target of this kind, whose messages a function answers."""

    class Local(kind):  # type: ignore[misc]
        def _connect(self, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
            return httpx.MockTransport(handler)

    return Local(url, key="id")


RENAMED = {"fraudScore", "riskBand"}


@pytest.mark.parametrize(
    ("kind", "handler", "passes"),
    [
        pytest.param(MLflow, scoring(lambda rows: [[x * 3, x + 7] for (x,) in rows]), True, id="bare lists"),
        pytest.param(
            MLflow, scoring(lambda rows: [{"score": x * 3, "band": x + 7} for (x,) in rows]), True, id="by name"
        ),
        pytest.param(
            MLflow, scoring(lambda rows: [{"0": x * 3, "1": x + 7} for (x,) in rows]), True, id="numbered columns"
        ),
        pytest.param(
            MLflow, scoring(lambda rows: [{"band": x + 7, "score": x * 3} for (x,) in rows]), True, id="another order"
        ),
        pytest.param(
            MLflow, scoring(lambda rows: [{"fraudScore": x * 3, "riskBand": x + 7} for (x,) in rows]), False,
            id="renamed",
        ),
        pytest.param(MLflow, scoring(lambda rows: [[x + 7, x * 3] for (x,) in rows]), False, id="lists turned round"),
        pytest.param(Oip, inferring("predict"), True, id="one output"),
        pytest.param(Oip, inferring("output-0", "output-1"), True, id="numbered outputs"),
        pytest.param(Oip, inferring("score", "band"), True, id="outputs by name"),
        pytest.param(Oip, inferring("fraudScore", "riskBand"), False, id="outputs renamed"),
    ],
)  # fmt: skip
def test_columns_are_matched_by_name_and_by_place_only_without_names(kind, handler, passes):
    url = "http://in-process/m" if kind is Oip else "http://in-process"
    verdict = validated(in_process(kind, url, handler))
    assert verdict.outcome is (Outcome.PASS if passes else Outcome.FAIL), (verdict.summary, verdict.findings)
    assert next(e for e in verdict.evaluated if e.stage == "service").compared > 0


def test_a_bare_number_is_the_only_column():
    """One prediction a row has no name: it is that of the stage."""
    with in_process(MLflow, "http://in-process", scoring(lambda rows: [x * 3 for (x,) in rows])) as target:
        told = target.step(REQUESTS)
    assert is_unnamed(told)
    assert list(told.columns) == ["id", "prediction"]


# --- connections -------------------------------------------------------------------------------------------


class Closing(httpx.AsyncBaseTransport):
    """A service that closes the connections of some requests; ``times`` says how often for each."""

    def __init__(self, keys: set[str], times: int = 1) -> None:
        self.left = dict.fromkeys(keys, times)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        record = json.loads(await request.aread())
        if self.left.get(record["id"], 0) > 0:
            self.left[record["id"]] -= 1
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return httpx.Response(200, json=one(record))


def test_a_request_whose_connection_was_closed_is_sent_again_and_counted():
    """After an unhandled error a server closes the connection, and the healthy request on it is lost."""
    keys = {f"r{n}" for n in range(7)}
    verdict = validated(InProcessService(Closing(keys), path="/score", key="id"))
    assert verdict.outcome is Outcome.PASS, (verdict.summary, verdict.findings)
    (finding,) = [f for f in verdict.findings if f.cause == "closed-connection"]
    assert finding.severity is Severity.WARNING
    assert finding.evidence["retried"] == 7


def test_what_fails_again_is_a_failure_and_the_others_are_asked():
    """More than five failures, but not in a row: every other request is asked."""
    keys = {f"r{n}" for n in range(0, 20, 3)}
    assert len(keys) > FAILURES
    service = InProcessService(Closing(keys, times=9), path="/score", key="id", connections=1)
    verdict = validated(service)
    (finding,) = [f for f in verdict.findings if f.severity is Severity.ERROR]
    assert (finding.cause, finding.evidence["missing"]) == ("no-answer", 7)
    assert "7 of 20 requests" in finding.message


def test_what_was_not_asked_is_told():
    """After so many failures in a row the others are left, and the verdict says how many."""
    service = InProcessService(
        Closing({f"r{n}" for n in range(20)}, times=9), path="/score", key="id", connections=1
    )  # fmt: skip
    verdict = validated(service)
    assert verdict.outcome is Outcome.FAIL
    told = [e for e in verdict.not_evaluated if isinstance(e, NotEvaluated) and e.stage == "service"]
    assert "15 of 20 requests (75 %) were not sent one by one: 5 in a row got no answer" in told[0].reason
