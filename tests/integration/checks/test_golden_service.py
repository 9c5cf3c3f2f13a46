"""Golden against services in processes of their own: clean ones pass, and those that die, hang or break are told."""

import re
import sys
import threading
from dataclasses import replace

import psutil
import pytest

from seatrial import Outcome, Pipeline, Service, Trial, capture, run
from seatrial.checks.serving.service import begin_service, live_service
from seatrial.errors import AnswerError
from seatrial.events import Case, Severity
from seatrial.pipeline import SERVICE
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from tests.support.tiny import ROWS, parse, process, requests, respond
from tests.support.waiting import until


def validate(fault, golden=None, *, batch="/batch", checks=("golden",)):
    """Capture a clean reference, start the service with a fault, and return the verdict of the checks."""
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=process(fault, batch=batch))
    contract = {"timeout_seconds": (golden or {}).get("timeout_seconds", 10), "generated_requests": 0}
    policy = Policy(service=service_settings({"golden": {"batch_size": 16, **(golden or {})}, "contract": contract}))
    return run(pipeline, capture(pipeline, requests()), list(checks), policy=policy)


def origins(verdict):
    return [f for f in verdict.findings if f.severity is Severity.ERROR and not f.downstream]


def test_a_clean_service_passes():
    """Asked in batches and one by one."""
    for batch in ("/batch", None):
        verdict = validate("none", batch=batch)
        assert verdict.outcome is Outcome.PASS, (verdict.findings, verdict.not_evaluated)
        evaluated = next(j for j in verdict.evaluated if j.stage == "service")
        assert evaluated.compared >= ROWS * 6 * (2 if batch else 1)


def test_a_fault_of_the_wire_is_found_over_sockets_too():
    """As tests/unit finds it, with its cause; each of the others is there."""
    verdict = validate("narrow")
    assert verdict.first_failing_stage == "service"
    assert [(f.column, f.cause) for f in origins(verdict)] == [("score", "float32-round-trip")]


def test_a_service_killed_in_the_middle_is_a_finding_and_leaves_nothing():
    """The finding says how it ended and after how many answers."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    verdict = validate("dies", batch=None)
    died = next(f for f in origins(verdict) if f.cause == "service-died")
    assert "The service ended with signal 9 after" in died.message
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("gigabyte", "The response is 1,073,741,824 bytes long; at most"),
        ("endless", "The response is longer than|did not send a complete response within 1 s"),
        ("drips", "did not send a complete response within 1 s"),
        ("cut", "The answer is not JSON"),
        ("elsewhere", "redirects to another host, '203.0.113.7'"),
    ],
)
def test_an_answer_that_cannot_be_read_ends_as_a_finding_and_leaves_nothing(fault, said):
    """Golden fails with the words, contract finds nothing that it could probe, and no process is left."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    ends = fault not in ("endless", "drips")  # contract waits for each of its requests by itself
    checks = ("golden", "contract") if ends else ("golden",)
    verdict = validate(fault, {"timeout_seconds": 30 if ends else 1}, batch=None, checks=checks)
    assert verdict.outcome is Outcome.FAIL
    found = [f.message for f in origins(verdict) if f.check == "golden"]
    assert found
    assert all(re.search(said, words) for words in found), found
    if ends:
        told = [u.check for u in verdict.not_evaluated if "were not sent" not in u.reason]
        assert told == ["contract"] or "not-json" in {f.cause for f in verdict.errors}
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before


def test_a_service_that_hangs_is_given_up():
    """A few requests run into their deadline and the rest are not waited for."""
    verdict = validate("hangs", {"timeout_seconds": 0.3}, batch=None)
    finding = origins(verdict)[0]
    assert finding.cause == "no-answer"
    assert "did not send a complete response within 0.3 s" in finding.message


def test_a_service_that_cannot_start_is_never_a_pass():
    """One that ends by itself fails the version; one that is not there is inconclusive."""
    for command, outcome in (
        ([sys.executable, "-c", "raise SystemExit(2)", "{port}"], Outcome.FAIL),
        (["not-installed", "{port}"], Outcome.INCONCLUSIVE),
    ):
        pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=Service(command))
        assert run(pipeline, capture(pipeline, requests()), ["golden"]).outcome is outcome


def test_a_service_that_was_begun_is_the_one_that_is_asked():
    """Once, for the cases that ask it; none for those that start their own."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=process("none"))
    with Trial(pipeline, capture(pipeline, requests())) as trial:
        for cases in ([Case("golden", "raw")], [Case("load", SERVICE), Case("resilience", "store")]):
            begin_service(trial, cases)
            assert {p.pid for p in psutil.Process().children(recursive=True)} <= before
        begin_service(trial, [Case("golden", SERVICE)])
        until(lambda: {p.pid for p in psutil.Process().children(recursive=True)} > before)
        begun = live_service(trial).running
        assert begun is not None
        assert begun.ended() is None
    until(lambda: {p.pid for p in psutil.Process().children(recursive=True)} <= before)


def test_a_trial_that_ends_before_its_service_is_there_leaves_none():
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=process("none"))
    with Trial(pipeline, capture(pipeline, requests())) as trial:
        begin_service(trial, [Case("golden", SERVICE)])
        until(lambda: {p.pid for p in psutil.Process().children(recursive=True)} > before)
    until(lambda: {p.pid for p in psutil.Process().children(recursive=True)} <= before)


def begun(tmp_path, script, *, ready_seconds=60.0):
    """A trial whose service runs a script first, begun."""
    (tmp_path / "first.py").write_text(script + "\nrunpy.run_path(sys.argv[0], run_name='__main__')\n")
    service = process("none")
    python, *rest = service.command
    command = [python, str(tmp_path / "first.py"), str(tmp_path / "once"), *rest]
    declared = replace(service, command=command, ready_seconds=ready_seconds)
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=declared)
    trial = Trial(pipeline, capture(pipeline, requests()))
    begin_service(trial, [Case("golden", SERVICE)])
    return trial


ONCE = """
import pathlib, runpy, sys, time

_, once, *sys.argv = sys.argv
if not pathlib.Path(once).exists():
    pathlib.Path(once).touch()
    {first}
"""


def test_a_service_that_was_not_ready_beside_others_is_started_again(tmp_path):
    """A machine that is busy for a while is no fault of the version."""
    with begun(tmp_path, ONCE.format(first="time.sleep(60)"), ready_seconds=2) as trial:
        until((tmp_path / "once").exists)
        assert live_service(trial).ended() is None


def test_a_service_that_ends_at_its_first_start_has_failed(tmp_path):
    """It is not started until it is lucky."""
    with begun(tmp_path, ONCE.format(first="sys.exit(3)")) as trial:
        until((tmp_path / "once").exists)
        with pytest.raises(AnswerError, match="ended with code 3 before it was ready"):
            live_service(trial)


def test_a_service_that_is_still_starting_ends_with_its_trial(tmp_path):
    """As soon as its process is known, and long before it is ready."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    with begun(tmp_path, ONCE.format(first="time.sleep(600)"), ready_seconds=600):
        until((tmp_path / "once").exists)
    until(lambda: {p.pid for p in psutil.Process().children(recursive=True)} <= before)


def test_what_cannot_be_started_is_told_to_the_case_alone(tmp_path, monkeypatch):
    """No traceback of a thread."""
    seen = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    service = replace(process("none"), cwd=tmp_path / "nowhere")
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=service)
    with Trial(pipeline, capture(pipeline, requests())) as trial:
        begin_service(trial, [Case("golden", SERVICE)])
        until(lambda: not any(thread.name == "seatrial service" for thread in threading.enumerate()))
        with pytest.raises(OSError, match="nowhere"):
            live_service(trial)
    assert not seen
