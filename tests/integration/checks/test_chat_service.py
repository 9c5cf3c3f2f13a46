"""A service of chats in OpenAI's schema, whole and streamed: a clean one passes, and each bug has its cause."""

import json
import sys
from dataclasses import replace
from functools import cache

import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, capture, run
from seatrial.checks.contract.check import check as contract
from seatrial.checks.golden.check import check as golden
from seatrial.events import Severity
from seatrial.io.loading import load_file
from tests.support.documented import documented
from tests.support.paths import SUPPORT

FILE = SUPPORT / "chat_service.py"
served = load_file(FILE)
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}
OF_SERVICE = [replace(c, stages=lambda _: ["service"]) for c in (golden, contract)]  # their part over the wire


def read(frame):
    records = [json.loads(text) for text in frame["payload"]]
    names = ("id", "messages", "tools", "max_tokens")
    return pd.DataFrame({name: [record.get(name) for record in records] for name in names})


def answer(frame):
    rows = []
    for row in frame.to_dict("records"):
        most = None if pd.isna(row["max_tokens"]) else int(row["max_tokens"])
        content, reason, calls = served.reply(row["messages"], row["tools"], most)
        told = [{"name": name, "arguments": arguments} for name, arguments in calls] or None
        rows.append({"id": row["id"], "content": content, "finish_reason": reason, "tool_calls": told})
    return pd.DataFrame(rows)


def requests():
    chats = []
    for n, said in enumerate(["paris", "rome and milan", "oslo", "a long way to tipperary", "bonn", "cork"]):
        chat = {"id": f"r{n}", "messages": [{"role": "user", "content": said}], "temperature": 0}
        if n % 3 == 0:
            chat |= {"tools": [WEATHER], "tool_choice": "required"}
        if n == 3 or n == 1:
            chat = {k: v for k, v in chat.items() if k not in ("tools", "tool_choice")} | {"max_tokens": 3}
        chats.append(json.dumps(chat))
    return pd.DataFrame({"payload": chats}, dtype="string")


@cache
def trained(fault):
    documented_service = documented("services.md")["service"]
    service = replace(documented_service, command=[sys.executable, str(FILE), "{port}", fault])
    return Pipeline("chat", key="id", raw=read, response=answer, service=service)


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
