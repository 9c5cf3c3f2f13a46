"""The load check: a live service under its declared rate, and the maximum sustainable rate."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.load.capacity import drain, find_max_rate
from seatrial.checks.load.check import _diagnosed, check
from seatrial.checks.load.diagnosis import has_event_loop, tree_of
from seatrial.checks.load.runs import session_of
from seatrial.checks.serving.service import serve
from seatrial.events import Attachment, Evaluated, Finding, Measurement, NotEvaluated
from seatrial.events.local import LocalEvidence, Rows, relevant
from seatrial.loadgen import validity
from seatrial.policy.load import Load, Slo
from seatrial.policy.service import service_settings
from seatrial.targets.http import Http
from seatrial.trial import Trial
from tests.support.load_service import answer
from tests.support.paths import SUPPORT
from tests.support.waiting import until

HERE = SUPPORT


def path(frame):
    return pd.DataFrame([answer(r) for r in frame.to_dict(orient="records")])


def trial(fault, **settings):
    pipeline = Pipeline(
        "loaded", key="id", raw=lambda frame: frame, response=path,
        service=Service(
            command=[sys.executable, "-m", "uvicorn", "load_service:app", "--port", "{port}", "--log-level", "warning"],
            env={"FAULT": fault}, cwd=HERE,
        ),
    )  # fmt: skip
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": np.arange(40) / 7})
    return Trial(pipeline, capture(pipeline, requests), policy=Policy(service=service_settings(settings)))


def run_check(made):
    with made:
        (planned,) = plan([check], made)
        return run_case(*planned[:1], made, planned[1])


SMALL = {"runs": 1, "requests": 300, "samples": 60, "timeout_seconds": 5.0, "find_max_rate": False}


def test_a_live_service_is_loaded_and_its_answers_are_compared():
    """All measurements and files exist; the result is a pass, or names what the generator or machine lacked."""
    events = run_check(trial("", slo={"limit_ms": 2_000, "rate": 150, "percentile": 0.9}, load=SMALL))
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert measured["answers compared"] == 60
    assert measured["error share"] == 0
    assert {"p50", "p99", "goodput", "cold start", "first answer", "generator lag p99"} <= set(measured)
    files = {e.name for e in events if isinstance(e, Attachment)}
    assert files == {"load/latencies.parquet", "load/latencies.hdr", "load/histogram.svg", "load/timeline.svg"}
    assert not [e for e in events if isinstance(e, Finding)]
    (result,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(result, Evaluated) or any(w in result.reason for w in ("generator", "settled", "refuted"))


def test_the_rate_follows_a_profile_shared_by_two_processes():
    """A burst every second, shared by two workers: whole repetitions with their peak, after a constant warm-up."""
    turns = {"profile": [[0, 20], [0.5, 20], [0.5, 80], [1, 80]], "workers": 2}
    made = trial("", slo={"limit_ms": 2_000, "rate": 160, "percentile": 0.9}, load={**SMALL, "requests": 150, **turns})
    progress = []
    made.on_progress = lambda *at: progress.append(at)
    events = run_check(made)
    (file,) = [e for e in events if isinstance(e, Attachment) and e.name.endswith("parquet")]
    due = pd.read_parquet(io.BytesIO(file.content))["scheduled_seconds"]
    assert len(due) == 200
    assert 1.9 < due.max() < 2
    assert (due % 1 >= 0.5).mean() == pytest.approx(0.8, abs=0.1)
    assert [(done, of) for done, of, _ in progress] == [(0, 1)]
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert (measured["answers compared"], measured["error share"]) == (60, 0)
    (answer,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(answer, Evaluated) or any(w in answer.reason for w in ("generator", "settled", "refuted"))


def test_answers_that_change_under_load_are_a_finding():
    """Concurrent requests that share state get other answers than one by one, which are kept beside the recorded."""
    made = trial("shares", slo={"limit_ms": 2_000, "rate": 150, "percentile": 0.9}, load=SMALL)
    made.local = LocalEvidence()
    (found,) = [e for e in run_check(made) if isinstance(e, Finding)]
    assert (found.cause, found.column, found.stage) == ("load-changes-answers", "score", "service")
    [kept] = relevant(found, made.local.records)
    assert isinstance(kept, Rows)
    assert kept.rows
    assert all(pair.reference != pair.answer for pair in kept.rows)


def even_when_late(monkeypatch):
    """Evaluate also on a machine that keeps the generator waiting."""
    for name, most in (("MAX_LAG_SHARE", 60), ("MIN_RATE_SHARE", 0.01)):
        monkeypatch.setattr(validity, name, most)


def test_a_blocking_call_in_an_async_route_is_named_as_the_cause(monkeypatch):
    """The service sleeps in its event loop, so that its readiness path waits as well, which shows the cause."""
    even_when_late(monkeypatch)
    events = run_check(
        trial("blocks", slo={"limit_ms": 100, "rate": 20, "percentile": 0.5}, load={**SMALL, "requests": 60})
    )
    (found,) = [e for e in events if isinstance(e, Finding)]
    assert (found.stage, found.cause) == ("service", "blocking-call")
    assert "/health" in found.message
    assert isinstance(events[-1], Evaluated)


def test_a_probe_begins_when_an_overload_is_drained():
    """Requests that timed out are still served, and would count against the next rate."""
    with trial("queues") as made, serve(made) as running, Http(running.url) as http:
        slo, load = Slo(limit_ms=100, rate=5), Load(timeout_seconds=0.2)
        session = session_of(made, running, slo, load)
        session.run(0, 80, 1_000.0)
        left = http.send(path="/under_way", method="GET").json()
        drain(session)
        assert left > 0
        assert http.send(path="/under_way", method="GET").json() == 0


def test_the_search_of_a_service_that_met_its_objective_begins_there(monkeypatch):
    """Its own rate is not probed again; at fifty answers a second the result is at most 10 % above."""
    even_when_late(monkeypatch)
    with trial("queues") as made, serve(made) as running:
        slo, load = Slo(limit_ms=100, rate=10, percentile=0.5), Load(timeout_seconds=0.3)
        session = session_of(made, running, slo, load)
        found = {m.name: m.value for m in find_max_rate("load", session, lambda *_: None, met=True)}
    highest = found["maximum sustainable rate lower bound"]
    assert 10 <= highest <= 55
    assert (
        found.get("maximum sustainable rate upper bound", np.inf) > highest
    )  # on a busy machine a rate may show nothing


def test_a_slow_service_whose_event_loop_is_free_is_not_diagnosed_as_blocking():
    """An answer that waits without blocking the others is slow; no other cause is named."""
    slow = Finding("load", "service", "Slow.", cause="slow")
    with trial("shares") as made, serve(made) as running:
        slo = Slo(limit_ms=10, rate=5)
        session = session_of(made, running, slo, Load(timeout_seconds=2.0), 0.0)
        until(lambda: _diagnosed(session, slow) is slow, "another cause was named")  # a busy machine may block it once


def test_the_event_loop_of_a_process_that_only_watches_is_none_of_its_workers():
    """As in gunicorn's arbiter, which has one for its control socket."""
    watching = (
        "import select, subprocess, sys; poll = select.epoll(); "
        "child = subprocess.Popen([sys.executable, '-c', 'print(flush=True); input()'], stdin=subprocess.PIPE); "
        "input()"
    )
    command = [sys.executable, "-c", watching]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # of the worker
        assert len(tree_of(process.pid)) == 2
        assert not has_event_loop(process.pid)
        process.stdin.close()
