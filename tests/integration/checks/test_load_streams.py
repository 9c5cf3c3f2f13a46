"""Streams under load: goodput of first and further tokens, and answers long enough for their times to count."""

from functools import cache

import pytest

from seatrial import Outcome, Policy, capture, run
from seatrial.checks.load.check import check as load
from seatrial.loadgen import validity
from seatrial.policy.service import service_settings
from tests.support.chats import requests, trained
from tests.support.load_shapes import passes_or_lacks_a_core

LIMITS = {"limit_ms": 3_000, "first_token_ms": 300, "per_token_ms": 60, "rate": 20, "percentile": 0.5}
SETTINGS = {"slo": LIMITS, "load": {"runs": 1, "requests": 60, "samples": 20, "find_max_rate": False}}


@cache
def reference():
    return capture(trained("none"), requests())


def verdict_on(fault, **slo):
    settings = {**SETTINGS, "slo": {**LIMITS, **slo}}
    return run(trained(fault), reference(), [load], policy=Policy(service=service_settings(settings)))


def test_a_clean_stream_keeps_its_limits_and_its_answers_are_those_recorded():
    verdict = verdict_on("none")
    assert passes_or_lacks_a_core(verdict), (verdict.findings, verdict.not_evaluated)
    told = {m.name: m.value for m in verdict.measurements}
    assert told["answers compared"] == 20
    assert 0 < told["time per output token p50"] < told["time to first token p99"] < 1
    assert told["length relative to the reference"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("late-first", "got their first token late"), ("slow-tokens", "got their further tokens too slowly")],
)
def test_tokens_that_come_late_break_the_objective_though_the_answers_come_in_time(fault, words, monkeypatch):
    monkeypatch.setattr(validity, "MAX_LAG_SHARE", 60)  # a busy machine is no part of it
    verdict = verdict_on(fault)
    assert verdict.outcome is Outcome.FAIL, verdict.not_evaluated
    (found,) = [f for f in verdict.findings if f.cause == "slow"]
    assert words in found.message
    assert "first token within 300 ms and 60 ms per output token" in found.message


@pytest.mark.parametrize("fault", ["cut-stream", "error-in-stream"])
def test_a_stream_that_breaks_is_no_answer_however_fast_it_was(fault, monkeypatch):
    monkeypatch.setattr(validity, "MAX_LAG_SHARE", 60)
    verdict = verdict_on(fault)
    (found,) = [f for f in verdict.findings if "does not meet" in f.message]
    assert found.cause == "no-answer"
    assert "ended with 'stream broken'" in found.message
    assert "late" not in found.message
    assert {m.name: m.value for m in verdict.measurements}["error share"] == 1


@pytest.mark.parametrize("fault", ["several-a-part", "strict"])
def test_tokens_are_counted_by_the_service_where_it_does_so(fault):
    """A part with several tokens is not one slow token; a service that refuses to count is asked without it."""
    verdict = verdict_on(fault)
    assert passes_or_lacks_a_core(verdict), (verdict.findings, verdict.not_evaluated)


def test_short_answers_are_no_fast_ones():
    causes = {f.cause for f in verdict_on("short-stream").findings}
    assert causes == {"short-answers", "load-changes-answers"}


def test_limits_of_tokens_need_a_chat_service():
    verdict = verdict_on("none", path="/v1/chat/completions")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "streams of a chat service" in verdict.not_evaluated[0].reason
