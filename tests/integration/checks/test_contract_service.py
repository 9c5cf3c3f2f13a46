"""The contract check on services that fail, exit, hang or never start: each gives a finding or reason of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Service, capture, run
from seatrial.checks.contract.generate import GeneratorMissingError, generate
from seatrial.io.loading import load_file
from seatrial.openapi.schemas.conformance import conforms
from seatrial.pipeline import SERVICE
from seatrial.policy.service import service_settings
from tests.support.paths import SUPPORT
from tests.unit.checks.test_contract import DOCUMENT, SCHEMA

TINY = SUPPORT / "tiny_service.py"
tiny = load_file(TINY)


def parse(frame):
    records = [json.loads(text) for text in frame["payload"]]
    return pd.DataFrame({"id": [r["id"] for r in records], "x": [r["x"] for r in records]}).astype({"id": "string"})


def respond(frame):
    return frame.assign(level="low")


def verdict_on(fault, command=None, *, openapi=None, **contract):
    command = command or [sys.executable, str(TINY), "{port}", fault]
    service = Service(command, predict="/score", openapi=openapi, ready_seconds=60 if fault else 1, cwd=TINY.parent)
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=service)
    texts = [json.dumps({"id": f"t{n}", "x": n / 3, "at": "2025-03-01T10:00:00+00:00"}) for n in range(5)]
    reference = capture(pipeline, pd.DataFrame({"payload": texts}, dtype="string"))
    policy = Policy(service=service_settings({"contract": contract}))
    return run(pipeline, reference, ["contract"], policy=policy)


def test_a_service_that_never_starts_is_not_evaluated():
    """A service that is never ready makes the verdict inconclusive, neither fail nor pass."""
    sleeping = [sys.executable, "-c", "import sys, time; time.sleep(60)", "{port}"]
    verdict = verdict_on("", sleeping)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "not ready within 1 s" in verdict.summary


def test_a_service_that_ends_by_itself_is_a_finding():
    """Before it is ready, and in the middle of the probes."""
    verdict = verdict_on("", [sys.executable, "-c", "raise SystemExit(3)", "{port}"])
    assert [(f.stage, f.cause) for f in verdict.errors] == [(SERVICE, "service-broke")]
    verdict = verdict_on("dies")
    assert "service-died" in {f.cause for f in verdict.errors}
    assert "signal 9" in " ".join(f.message for f in verdict.errors)


def test_a_service_that_hangs_is_not_evaluated_after_its_deadline():
    """Without an answered request no probes are sent: the verdict is inconclusive, with the reason."""
    verdict = verdict_on("hangs", timeout_seconds=0.5)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no probes were sent, because the service answers no request of the reference" in verdict.summary


def test_an_openapi_path_that_breaks_http_is_a_finding():
    """A response that breaks HTTP does not count as an unreachable service."""
    talking = (
        "import socket, sys\n"
        "server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "while True:\n"
        "    with server.accept()[0] as client:\n"
        "        request = client.recv(9999)\n"
        "        fine = b'HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n'\n"
        "        client.sendall(fine if b'/health' in request else b'nonsense')\n"
    )
    verdict = verdict_on("x", [sys.executable, "-c", talking, "{port}"], openapi="/openapi.json")
    assert [(f.stage, f.cause) for f in verdict.errors] == [(SERVICE, "no-answer")]


def test_without_schemathesis_the_error_names_the_package_to_install(monkeypatch):
    """Its absence is an error with the next step, and never a pass."""
    monkeypatch.setitem(sys.modules, "schemathesis", None)
    with pytest.raises(GeneratorMissingError, match=r"pip install 'seatrial\[contracts\]'"):
        generate({}, "/score", "POST", count=1, seed=0, seconds=1)


def test_generated_bodies_are_the_same_for_the_same_seed_and_leave_no_files(tmp_path, monkeypatch):
    """Some are allowed by the schema and some are not; nothing is written beside the project."""
    monkeypatch.chdir(tmp_path)
    one, two = (generate(DOCUMENT, "/score", "POST", count=12, seed=5, seconds=60) for _ in range(2))
    assert one == two
    assert one.lacking == ""
    fits = [conforms(DOCUMENT, SCHEMA, json.loads(body)) == "" for body in one.bodies]
    assert any(fits)
    assert not all(fits)
    assert list(tmp_path.iterdir()) == []


def test_what_was_generated_is_kept_and_what_lacks_is_said():
    """Out of time, or a document that cannot be read: never fewer requests in silence."""
    late = generate(DOCUMENT, "/score", "POST", count=500, seed=5, seconds=1e-9)
    assert 0 < len(late.bodies) < 500
    assert "requests for POST /score were generated within 1e-09 s of the processor" in late.lacking
    unreadable = generate({"openapi": "3.1.0", "paths": {}}, "/score", "POST", count=5, seed=5, seconds=60)
    assert unreadable.bodies == []
    assert "0 of 5 requests" in unreadable.lacking


@pytest.mark.parametrize("schema", [{}, True, {"type": "object"}])
def test_a_schema_that_excludes_little_or_nothing_is_no_failure_of_generation(schema):
    """Servers that serve any model document a request as anything."""
    content = {"application/json": {"schema": schema}}
    post = {"requestBody": {"content": content}, "responses": {"200": {"description": "ok"}}}
    document = {"openapi": "3.1.0", "info": {"title": "any", "version": "1"}, "paths": {"/score": {"post": post}}}
    assert generate(document, "/score", "POST", count=20, seed=5, seconds=60).lacking == ""


GENERATES = """
import sys, time
from seatrial.checks.contract.generate import generate

text = {"type": "string", "pattern": "^[a-z]{2}$"}
schema = {"type": "object", "properties": {"name": text}, "required": ["name"]}
body = {"content": {"application/json": {"schema": schema}}, "required": True}
post = {"requestBody": body, "responses": {"200": {"description": "an answer"}}}
document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/p": {"post": post}}}
sys.stdout.write(repr(generate(document, "/p", "post", count=10, seed=1, seconds=60).bodies))
"""


def test_what_generates_requests_keeps_its_tables_and_nothing_else(tmp_path: Path) -> None:
    """In the user's cache and not in the folder where it runs; the requests are the same with and without them."""
    said = []
    for home in (tmp_path / "cache", tmp_path / "cache", Path("/dev/null")):
        (tmp_path / "work").mkdir(exist_ok=True)
        ran = subprocess.run(
            [sys.executable, "-c", GENERATES], cwd=tmp_path / "work", env={**os.environ, "XDG_CACHE_HOME": str(home)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(ran.stdout)
    assert said[0] == said[1] == said[2] != "[]"
    assert not [*(tmp_path / "work").iterdir()]
    kept = {path.name for path in (tmp_path / "cache" / "seatrial" / "hypothesis").iterdir()}
    assert "unicode_data" in kept
    assert "constants" not in kept
