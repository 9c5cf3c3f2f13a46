"""Services of other shapes that run already, behind a prefix, a key and a rate limit, are reached all the same."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import ThreadingHTTPServer
from typing import Any

import pandas as pd
import pytest

from seatrial import HttpAnswer, HttpRequest, Outcome, Pipeline, Service, capture, run
from seatrial.policy.consumers import Pinned
from seatrial.policy.policy import Policy
from tests.integration.checks import test_chat_service as chat
from tests.integration.checks import test_service_shapes as shapes
from tests.support import chats
from tests.support.serving import in_thread

KEY = "k-5f1e77"
REFUSED = 5  # the request that is asked to come again


@contextmanager
def gateway(service: Any, *words: str) -> Iterator[str]:
    """Serve what a script serves, below ``/ml``, to who shows the key; one request is told to come later."""
    count, lock = [0], threading.Lock()

    class Gateway(service.Handler):  # type: ignore[misc]
        def do_GET(self) -> None:
            self.through(super().do_GET)

        def do_POST(self) -> None:
            self.through(super().do_POST)

        def through(self, go_on: Callable[[], Any]) -> None:
            with lock:
                count[0] += 1
                late = count[0] == REFUSED
            known = self.headers.get("x-key") == KEY
            if known and not late and self.path.startswith("/ml/"):
                self.path = self.path.removeprefix("/ml")
                go_on()
                return
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(404 if known and not late else 429 if known else 401)
            self.send_header("content-length", "0")
            self.send_header("retry-after", "0.1")
            self.end_headers()

        def send_header(self, name: str, value: str) -> None:
            super().send_header(name, f"/ml{value}" if name == "location" else value)

        def end_headers(self) -> None:
            super().send_header("x-seen-key", self.headers.get("x-key", ""))
            super().end_headers()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["service", "0", *words])
        server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
        with in_thread(server):
            yield f"http://127.0.0.1:{server.server_port}/ml"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_KEY", KEY)


def at(url: str, **settings: Any) -> Service:
    return Service(url=url, headers={"X-Key": "{env:STAGING_KEY}"}, **settings)


def assert_passes_and_tells_the_limit(verdict: Any) -> None:
    assert verdict.outcome is Outcome.PASS, (verdict.findings, verdict.not_evaluated)
    assert "rate-limit" in {f.cause for f in verdict.findings}
    assert KEY not in verdict.to_json()


def read_without_the_key(answer: HttpAnswer) -> Any:
    assert answer.headers["x-seen-key"] == "***", "a hook has the key"
    return shapes.read_csv(answer)


def write_to_its_own_path(rows: pd.DataFrame) -> HttpRequest:
    return replace(shapes.write_csv(rows), path="/own")


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (("csv", "none"), {"request": shapes.write_csv, "response": shapes.read_csv, "batch": "/predict"}),
        (("csv", "none"), {"request": write_to_its_own_path, "response": read_without_the_key}),
        (("job", "none"), {"response": shapes.read_job}),
        (("job", "none"), {"poll_seconds": 5.0}),
        (("envelope", "instances"), {"envelope": "instances"}),
    ],
    ids=["hooks", "path of a hook", "poll", "polled", "envelope"],
)
def test_a_service_of_another_shape_passes_at_its_address(words: tuple[str, ...], settings: dict[str, Any]) -> None:
    """With the key, below the prefix, as fast as it takes; nothing of the key is told."""
    answer = shapes.score_alone if "envelope" in settings else shapes.respond
    with gateway(shapes.served, *words) as url:
        service = at(url, openapi=None, **settings)
        pipeline = Pipeline("shapes", key="id", raw=shapes.keep, response=answer, service=service)
        reference = capture(pipeline, shapes.numbers())
        verdict = run(pipeline, reference, list(shapes.OF_SERVICE.values()))
    assert_passes_and_tells_the_limit(verdict)


def test_a_service_of_chats_passes_at_its_address() -> None:
    """Whole and streamed, at the host and below the prefix of the url."""
    with gateway(chats.served, "none") as url:
        service = at(url, predict="openai+http://127.0.0.1:{port}/v1?model=tiny", openapi=None)
        pipeline = Pipeline("chat", key="id", raw=chats.read, response=chats.answer, service=service)
        verdict = run(pipeline, capture(pipeline, chats.requests()), chat.OF_SERVICE)
    assert_passes_and_tells_the_limit(verdict)
    assert {m.name: m.value for m in verdict.measurements}["streamed answers compared"] == 6


def test_a_refused_key_is_no_fault_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an OpenAPI document is to be compared, which the service does not show to a stranger either."""
    monkeypatch.setenv("STAGING_KEY", "k-other")
    with gateway(shapes.served, "envelope", "object") as url:
        service = at(url, envelope="object", openapi="/openapi.json")
        pipeline = Pipeline("shapes", key="id", raw=shapes.keep, response=shapes.score_alone, service=service)
        pinned = Pinned(openapi={"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}})
        reference = capture(pipeline, shapes.numbers())
        verdict = run(pipeline, reference, list(shapes.OF_SERVICE.values()), policy=Policy(pinned=pinned))
    assert verdict.outcome is Outcome.INCONCLUSIVE, (verdict.findings, verdict.not_evaluated)
    assert {u.check for u in verdict.not_evaluated} == {"golden", "contract"}
    assert all("refuses the client" in u.reason and "x-key" in u.reason for u in verdict.not_evaluated)
