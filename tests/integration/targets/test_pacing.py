"""How many requests a service takes at once and in a second is found out, and no healthy request is blamed for it."""

from __future__ import annotations

import email.utils
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Service, capture, run
from seatrial.errors import TargetError
from seatrial.events import Severity
from seatrial.pipeline.access import Access
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.targets import pacing, sending
from seatrial.targets.http import Http
from seatrial.targets.pacing import Pace
from tests.support.serving import in_thread
from tests.support.staging import certificate


class Handler(BaseHTTPRequestHandler):
    """Doubles a number. It keeps connections open, as HTTP/1.1 does."""

    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            told = self.server.answer(self, json.loads(body))  # type: ignore[attr-defined]
        except (ValueError, KeyError, TypeError, RecursionError):
            told = 422, {"detail": "no request"}, {}
        self.tell(*told)

    def do_GET(self) -> None:
        self.tell(200, {"status": "ok"}, {})

    def tell(self, status: int, content: Any, headers: dict[str, str]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(text)), "content-type": "application/json"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def double(_: Handler, record: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
    return 200, {"id": record["id"], "y": record["x"] * 2}, {}


@contextmanager
def served(kind: type[HTTPServer], answer: Any = double, context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = kind(("127.0.0.1", 0), Handler)
    server.answer = answer  # type: ignore[attr-defined]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with in_thread(server):
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"


class Limited:
    """Answers 429 to every request past ``most`` until the pause is over."""

    def __init__(self, most: int, retry_after: Any, times: int = 2) -> None:
        self.most, self.retry_after, self.times, self.count, self.lock = most, retry_after, times, 0, threading.Lock()
        self.until = 0.0

    def __call__(self, handler: Handler, record: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        with self.lock:
            self.count += 1
            if time.monotonic() < self.until or (self.count > self.most and self.times):
                if time.monotonic() >= self.until:
                    self.times, self.count, self.until = self.times - 1, 0, time.monotonic() + 0.2
                return 429, {"detail": "slow down"}, self.retry_after()
        return double(handler, record)


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame([json.loads(text) for text in frame["payload"]]).astype({"id": "string"})


def respond(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"id": frame["id"], "y": frame["x"] * 2})


def validate(url: str, checks: tuple[str, ...] = ("golden",), **settings: Any) -> Any:
    service = Service(url=url, predict="/score", openapi=None)
    pipeline = Pipeline("double", key="id", raw=parse, response=respond, service=service)
    texts = [json.dumps({"id": f"t{n}", "x": n + 0.5}) for n in range(40)]
    reference = capture(pipeline, pd.DataFrame({"payload": texts}, dtype="string"))
    return run(pipeline, reference, list(checks), policy=Policy(service=service_settings(settings)))


def told(verdict: Any) -> list[tuple[str, str]]:
    return [(f.cause, f.message) for f in verdict.findings if f.severity is not Severity.ERROR]


def test_a_server_of_one_connection_passes_golden(monkeypatch: pytest.MonkeyPatch) -> None:
    """``http.server`` with keep-alive serves one connection at a time: no key is blamed, and it is told."""
    monkeypatch.setattr(sending, "PATIENCE_SECONDS", 0.5)
    with served(HTTPServer) as url:
        verdict = validate(url, ("golden", "contract"))
    assert not [f for f in verdict.findings if f.cause == "no-answer"], verdict.findings
    golden = [e for e in verdict.errors if e.check == "golden"]
    assert not golden
    assert any(cause == "concurrency-limit" and "one connection at a time" in said for cause, said in told(verdict))


def test_a_stall_while_a_request_is_sent_alone_blames_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of one connection that stalls just then: those that waited with it are sent alone before they fail."""
    monkeypatch.setattr(sending, "PATIENCE_SECONDS", 0.2)
    seen: set[str] = set()
    stalled: set[str] = set()

    def answer(handler: Handler, record: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if record["id"] in seen:
            stalled.add(record["id"])
            threading.Event().wait(0.5)
        seen.add(record["id"])
        return double(handler, record)

    with served(HTTPServer, answer) as url, Http(url, seconds=10.0, pace=(pace := Pace(8))) as http:
        bodies = [{"id": f"t{n}", "x": 1.0} for n in range(40)]
        answers = http.send_all(bodies, path="/score")
    assert [a.json()["id"] for a in answers] == [b["id"] for b in bodies]  # type: ignore[union-attr]
    assert stalled, pace.told


def test_a_slow_request_is_not_taken_for_one_without_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request that takes longer than all others is answered, and the rest go on side by side."""
    monkeypatch.setattr(sending, "PATIENCE_SECONDS", 0.2)

    def answer(handler: Handler, record: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if record["id"] == "t3":
            threading.Event().wait(2.0)
        return double(handler, record)

    with served(ThreadingHTTPServer, answer) as url, Http(url, pace=(pace := Pace(8))) as http:
        bodies = [{"id": f"t{n}", "x": 1.0} for n in range(40)]
        answers = http.send_all(bodies, path="/score")
    assert [a.json()["id"] for a in answers] == [b["id"] for b in bodies]  # type: ignore[union-attr]
    assert (pace.width, pace.told) == (8, "")


def test_a_server_of_three_connections_gets_three_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of three threads that each keep a connection: every request is answered, three or fewer at once."""
    monkeypatch.setattr(sending, "PATIENCE_SECONDS", 0.5)
    threads = threading.BoundedSemaphore(3)

    class Pool(ThreadingHTTPServer):
        def process_request_thread(self, *connection: Any) -> None:
            with threads:
                super().process_request_thread(*connection)

    with served(Pool) as url, Http(url, pace=(pace := Pace(8))) as http:
        bodies = [{"id": f"t{n}", "x": 1.0} for n in range(300)]
        answers = http.send_all(bodies, path="/score")
    assert [a.json()["id"] for a in answers] == [b["id"] for b in bodies]  # type: ignore[union-attr]
    assert 1 <= pace.width <= 3
    assert "instead of 8 requests were sent at once" in pace.told or pace.alone


@pytest.mark.parametrize(
    "retry_after",
    [
        lambda: {"retry-after": "0.2"},
        lambda: {"retry-after": email.utils.formatdate(time.time() + 1, usegmt=True)},
        lambda: {},
    ],
    ids=["seconds", "date", "none"],
)
def test_429_is_waited_for_and_told(retry_after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with a rate limit passes golden; how often it asked to wait is information."""
    monkeypatch.setattr(pacing, "_FIRST_SECONDS", 0.2)
    with served(ThreadingHTTPServer, Limited(15, retry_after)) as url:
        verdict = validate(url)
    assert verdict.outcome is Outcome.PASS, verdict.findings
    [(cause, said)] = told(verdict)
    assert cause == "rate-limit"
    assert "asked to wait" in said


def test_a_limit_past_the_bounds_is_inconclusive_and_says_so() -> None:
    """Who asks to wait an hour is not waited for, and no key is blamed: it is the server's limit."""
    with served(ThreadingHTTPServer, Limited(10, lambda: {"retry-after": "3600"}, times=99)) as url:
        verdict = validate(url, ("golden", "contract"))
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.findings
    reasons = " ".join(u.reason for u in verdict.not_evaluated)
    assert "limits their rate (status 429)" in reasons
    assert "requests_per_second" in reasons


def test_a_declared_rate_and_concurrency_are_kept() -> None:
    """With ``[service]`` declared, no request is refused that fits."""
    most, under_way, lock = [0], [0], threading.Lock()

    def answer(handler: Handler, record: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        result = double(handler, record)
        with lock:
            under_way[0] -= 1
        return result

    begin = time.monotonic()
    with served(ThreadingHTTPServer, answer) as url:
        verdict = validate(url, service={"concurrency": 2, "requests_per_second": 80})
    assert verdict.outcome is Outcome.PASS
    assert most[0] <= 2
    assert time.monotonic() - begin > 39 / 80


def test_tls_needs_the_authority_and_the_client_certificate(tmp_path: Path) -> None:
    """A self-signed certificate is refused unless named, and so is a client without the one that is asked for."""
    (cert, key), (client, client_key) = certificate(tmp_path), certificate(tmp_path, "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(client)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = (str(client), str(client_key))
    with served(ThreadingHTTPServer, context=context) as url:
        for access, said in (
            (Access(cert=mine), "cannot be verified"),
            (Access(verify=str(cert)), "client certificate"),
        ):
            with Http(url, access=access) as http, pytest.raises(TargetError, match=said):
                http.send({"id": "a", "x": 1.0})
        for verify in (str(cert), False):
            with Http(url, access=Access(verify=verify, cert=mine)) as http:
                assert http.send({"id": "a", "x": 1.0}).json()["y"] == 2.0
