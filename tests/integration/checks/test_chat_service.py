"""A service of chats in OpenAI's schema, whole and streamed: a clean one passes, and each bug has its cause."""

from dataclasses import replace
from functools import cache

import pytest

from seatrial import Outcome, capture, run
from seatrial.checks.contract.check import check as contract
from seatrial.checks.golden.check import check as golden
from seatrial.events import Severity
from tests.support.chats import requests, trained

OF_SERVICE = [replace(c, stages=lambda _: ["service"]) for c in (golden, contract)]  # their part over the wire


@cache
def reference():
    return capture(trained("none"), requests())


def verdict_on(fault):
    return run(trained(fault), reference(), OF_SERVICE)


def test_a_clean_chat_service_passes_whole_and_streamed():
    """Text, tool calls and cut answers; times to tokens are measured."""
    verdict = verdict_on("none")
    assert verdict.outcome is Outcome.PASS, (verdict.findings, verdict.not_evaluated)
    told = {m.name: m.value for m in verdict.measurements}
    assert told["streamed answers compared"] == 6
    assert told["time to first token, median"] > 0
    assert told["time per output token, median"] >= 0


@pytest.mark.parametrize(
    ("fault", "check", "cause", "column"),
    [
        ("other-stream", "golden", "stream-differs", "content"),
        ("stream-stop", "golden", "finish-reason", "finish_reason"),
        ("always-stop", "golden", None, "finish_reason"),
        ("endless-stream", "golden", "stream-form", None),
        ("text-days", "contract", "tool-call-schema", None),
        ("other-tool", "contract", "tool-call", None),
    ],
)
def test_each_bug_of_a_chat_service_is_found(fault, check, cause, column):
    """At the service, with its cause."""
    verdict = verdict_on(fault)
    assert verdict.outcome is Outcome.FAIL, (verdict.findings, verdict.not_evaluated)
    assert verdict.first_failing_stage == "service"
    errors = [f for f in verdict.findings if f.severity is Severity.ERROR and f.check == check]
    assert any(f.column == column and cause in (None, f.cause) for f in errors), errors
    assert not [f for f in errors if f.cause in ("missing-column", "extra-column")]


def test_answers_that_are_drawn_each_time_are_no_difference_of_the_stream():
    """What differs between two requests that are not streamed says nothing of a stream."""
    verdict = verdict_on("drawn")
    assert "stream-differs" not in {f.cause for f in verdict.findings}
    assert any("different answers" in told.reason for told in verdict.not_evaluated)
