"""Golden over the wire for services of other shapes: filtering, several rows a request, requests of several rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Service, Stage, capture, run
from seatrial.checks.serving.answers import AnswerForm
from seatrial.checks.serving.requests import send_requests
from seatrial.errors import AnswerError, PipelineError, UsageError
from seatrial.events import Severity, Verdict
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.targets.inprocess import InProcessService
from seatrial.targets.messages import Response
from tests.support.shapes import FAN_IN, FAN_OUT, FILTER, RANKING, Shape, same

Rows = list[dict[str, Any]]
Form = Callable[[Rows], httpx.Response]


def plain(rows: Rows) -> httpx.Response:
    return httpx.Response(200, json=rows)


def enveloped(rows: Rows) -> httpx.Response:
    shared = {k: rows[0][k] for k in ("user", "asked_at", "request") if k in rows[0]}
    items = [{k: v for k, v in row.items() if k not in shared} for row in rows]
    return httpx.Response(200, json={**shared, "model": "m/3", "items": items})


def one(rows: Rows) -> httpx.Response:
    return httpx.Response(200, json=rows[0]) if rows else httpx.Response(404, json={"detail": "not paid"})


def validated(shape: Shape, form: Form, *, served: Pipeline | None = None, batch: str | None = None) -> Verdict:
    """Return the verdict of golden on a service that runs a pipeline on each message."""
    pipeline = served or shape.pipeline()

    def handle(request: httpx.Request) -> httpx.Response:
        told = json.loads(request.content)
        frame = pd.DataFrame(told if isinstance(told, list) else [told])
        for stage in pipeline.stages:
            frame = pipeline.step(stage)(frame)
        rows = json.loads(frame.to_json(orient="records", double_precision=15))
        return plain(rows) if request.url.path == batch else form(rows)

    service = InProcessService(handle, path="/score", key=shape.key, batch=batch)  # type: ignore[arg-type]
    policy = Policy(service=service_settings({"golden": {"batch_size": 7}}))
    reference = capture(shape.pipeline(), shape.requests)
    return run(shape.pipeline(), reference, ["golden"], policy=policy, service=service)


@pytest.mark.parametrize(
    ("shape", "form", "batch"),
    [
        pytest.param(FILTER, one, None, id="a filter that refuses"),
        pytest.param(FILTER, one, "/batch", id="a filter in batches"),
        pytest.param(FILTER, lambda r: httpx.Response(200, json=r[0]) if r else httpx.Response(204), None, id="204"),
        pytest.param(FILTER, lambda r: httpx.Response(200, json=r[0] if r else None), None, id="null"),
        pytest.param(FAN_OUT, plain, None, id="several rows as a list"),
        pytest.param(FAN_OUT, enveloped, None, id="several rows in an envelope"),
        pytest.param(FAN_OUT, plain, "/batch", id="several rows in batches"),
        pytest.param(FAN_IN, one, None, id="requests of several rows"),
        pytest.param(RANKING, plain, None, id="a ranking"),
        pytest.param(RANKING, enveloped, None, id="a ranking in an envelope"),
    ],
)
def test_the_right_service_of_every_shape_passes(shape: Shape, form: Form, batch: str | None) -> None:
    verdict = validated(shape, form, batch=batch)
    assert verdict.outcome is Outcome.PASS, (verdict.summary, verdict.findings, verdict.not_evaluated)
    assert next(e for e in verdict.evaluated if e.stage == "service").compared > 0


@pytest.mark.parametrize(
    ("shape", "form", "changed", "cause"),
    [
        pytest.param(
            FILTER, one, {"paid": FILTER.bugs["too many"][1]}, "extra-keys", id="answers what training refused"
        ),
        pytest.param(FAN_OUT, plain, {"candidates": FAN_OUT.bugs["an item lost"][1]}, "missing-keys", id="items lost"),
        pytest.param(FAN_IN, one, {"totals": FAN_IN.bugs["lines not counted"][1]}, None, id="lines not counted"),
        pytest.param(RANKING, plain, {"ranking": RANKING.bugs["not sorted"][1], "page": same}, "extra-keys", id="page"),
        pytest.param(
            RANKING, plain, {"page": lambda f: f.groupby("request").head(4)[::-1]}, "row-order", id="turned round"
        ),
    ],
)
def test_a_wrong_service_of_every_shape_fails(shape: Shape, form: Form, changed: Any, cause: str | None) -> None:
    verdict = validated(shape, form, served=shape.pipeline(**changed))
    assert verdict.outcome is Outcome.FAIL, verdict.summary
    found = [f for f in verdict.findings if f.severity is Severity.ERROR and f.stage == "service"]
    assert found
    assert cause is None or cause in [f.cause for f in found]


def test_a_request_that_training_answered_must_be_answered() -> None:
    verdict = validated(FILTER, lambda rows: httpx.Response(404, json={"detail": "no"}))
    assert verdict.outcome is Outcome.FAIL
    answered = len(capture(FILTER.pipeline(), FILTER.requests).frame("response"))
    assert any(f"{answered} of 40 requests" in f.message for f in verdict.findings), verdict.findings


@pytest.mark.parametrize(
    ("told", "keys", "rows"),
    [
        ([[{"item": 1}], []], ["a", "b"], [{"id": "a", "item": 1}]),
        ([{"id": "b", "item": 1}, {"id": "a"}], ["a", "b"], [{"id": "b", "item": 1}, {"id": "a"}]),
        ({"answers": [{"items": [{"item": 1}]}, None]}, ["a", "b"], [{"id": "a", "item": 1}]),
        ({"items": [], "took_ms": 3}, ["a"], []),
        ({"score": 0.5, "items": [{"item": 1}], "took_ms": 3}, ["a"], [{"id": "a", "score": 0.5, "item": 1}]),
    ],
)
def test_rows_of_requests_are_read_from_lists_and_envelopes(told: Any, keys: list[str], rows: Rows) -> None:
    form = AnswerForm("id", several=True, columns={"id", "item", "score"})
    assert form.rows(Response(200, {}, json.dumps(told).encode(), 0.0), keys) == rows


@pytest.mark.parametrize("told", [[{"item": 1}, {"item": 2}, {"item": 3}], {"one": [{"i": 1}], "two": [{"i": 1}]}, 5])
def test_rows_that_belong_to_no_request_for_certain_are_no_answer(told: Any) -> None:
    form = AnswerForm("id", several=True, columns={"id", "item"})
    with pytest.raises(AnswerError):
        form.rows(Response(200, {}, json.dumps(told).encode(), 0.0), ["a", "b"])


def test_what_a_protocol_cannot_carry_is_refused() -> None:
    with pytest.raises(PipelineError, match="'candidates' of pipeline 'p' has several rows a request"):
        Pipeline(
            "p", key="id", raw=same, candidates=Stage(same, key=("id", "item")),
            service=Service(["serve"], predict="mlflow+http://127.0.0.1:{port}"),
        )  # fmt: skip

    class OneRow:
        batch = None

        def exchange(self, requests: pd.DataFrame, size: int = 1) -> list[Any]:
            raise AssertionError

    with pytest.raises(UsageError, match="have several rows, and OneRow sends one row a request"):
        send_requests(OneRow(), pd.DataFrame({"id": ["a", "a"]}), [[0, 1]], ["a"], AnswerForm("id"))  # type: ignore[arg-type]
