"""Streams of events and chats in OpenAI's schema: put together in any cut, and their form judged."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import AnswerError
from seatrial.targets.messages import Response
from seatrial.targets.shapes.chat import ChatAnswer, assembled, completion, problems_of
from seatrial.targets.shapes.chat_tokens import has_token, tokens_sent
from seatrial.targets.shapes.openai import OpenAIChat, _streamed
from seatrial.targets.shapes.sse import events_in, times_of

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}}}  # fmt: skip


def stream(*deltas, reason="stop", done=True, **chunk):
    """Return the body of a stream with these deltas."""
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices += [{"index": 0, "delta": {}, "finish_reason": reason}] if reason else []
    lines = [f"data: {json.dumps({'id': 'x', **chunk, 'choices': [c]})}\n\n" for c in choices]
    return ("".join(lines) + ("data: [DONE]\n\n" if done else "")).encode()


def problems(body):
    return [p.message for p in assembled(events_in(body)).problems]


@given(st.lists(st.sampled_from(["", "a", " b", "ü", "\n"]), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_content_is_the_same_in_any_cut_and_any_line_ends(parts, end):
    """Comments and other events in between are none of it."""
    body = b": hello\n\n" + stream({"role": "assistant"}, *({"content": part} for part in parts))
    told = assembled(events_in(body.replace(b"\n", end.encode())))
    assert told.content == "".join(parts)
    assert (told.finish_reason, list(told.problems)) == ("stop", [])


def test_events_have_the_time_of_their_last_byte():
    """Two of them in one part came together."""
    body = b"data: a\n\ndata: b\n\ndata: c\n\n"
    assert times_of(events_in(body), [(0.5, 18), (0.75, 26), (1.0, 27)]) == [0.5, 0.5, 1.0]
    assert times_of(events_in(body), []) == []


def counted(count, thought=0):
    details = {"completion_tokens_details": {"reasoning_tokens": thought}} if thought else {}
    return {"usage": {"completion_tokens": count, **details}}


@pytest.mark.parametrize(
    ("delta", "usages", "sent"),
    [
        ({"content": "a"}, [{}, {}], 2),
        ({"content": "a b"}, [{}, counted(4)], 4),
        ({"content": "a b"}, [counted(0), counted(4)], 4),  # as some services count, in every chunk
        ({"content": "a"}, [{}, counted(102, thought=100)], 2),  # thought in silence
        ({"reasoning_content": "a"}, [{}, counted(102, thought=100)], 102),
    ],
)
def test_tokens_are_those_that_were_sent(delta, usages, sent):
    """A count that is too high or too low makes the time per token too short."""
    chunk = [stream(delta, reason=None, done=False, **usage) for usage in usages]
    events = events_in(b"".join(chunk) + stream(reason="stop"))
    assert [has_token(event) for event in events] == [True, True, False, False]
    assert tokens_sent(assembled(events), events) == sent


def test_tool_calls_are_put_together_by_their_index():
    """Names come once, arguments in parts."""
    calls = [
        {"tool_calls": [{"index": 1, "function": {"name": "b", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"name": "a", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": '"x": 1}'}}]},
    ]
    told = assembled(events_in(stream(*calls, reason="tool_calls")))
    assert told.tool_calls == [("a", "{}"), ("b", '{"x": 1}')]
    assert told.content is None
    assert told.row["tool_calls"][1] == {"name": "b", "arguments": {"x": 1}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (stream({"content": "a"}, done=False), "ends without '[DONE]'"),
        (stream({"content": "a"}) + b"data: {}\n\n", "goes on after '[DONE]'"),
        (stream({"content": "a"}, done=False) + stream({"content": "b"}), "content after its finish_reason"),
        (stream({"content": "a"}, done=False) + stream({"content": "b"}), "more than one finish_reason"),
        (stream({"content": "a"}, reason=None, done=False) + stream({}, id="y"), "several ids"),
    ],
)
def test_a_stream_out_of_form_is_told(body, said):
    """Each by itself."""
    assert any(said in message for message in problems(body)), problems(body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"data: {\n\n", "is not JSON"),
        (b"data: 7\n\n", "is no object"),
        (b'data: {"error": {"message": "secret"}}\n\n', "an error in place"),
        (b'data: {"choices": [7]}\n\n', "no list of 'choices'"),
        (b'data: {"choices": [{"delta": 7}]}\n\n', "no 'delta'"),
        (b'data: {"choices": [{"delta": {"tool_calls": [7]}}]}\n\n', "tool calls that cannot be read"),
        (b"data: \xff\n\n", "not UTF-8 at byte 6"),
    ],
)
def test_a_stream_that_cannot_be_read_is_an_error(body, said):
    """With the place, and nothing of its text."""
    with pytest.raises(AnswerError, match=said):
        assembled(events_in(body))


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_reader(body):
    """Any body is events, or one clear error."""
    with contextlib.suppress(AnswerError):
        assembled(events_in(body + b"\n\n"))


def test_what_is_no_stream_is_told():
    """A service that ignores 'stream' answers JSON."""
    told = _streamed(Response(200, {"content-type": "application/json"}, b"{}", 0.1))
    assert isinstance(told, AnswerError)
    assert "not text/event-stream" in str(told)


@pytest.mark.parametrize(
    ("request_", "answer", "cause"),
    [
        ({}, ChatAnswer("a", "stop"), None),
        ({}, ChatAnswer("a", None), "finish-reason"),
        ({}, ChatAnswer("a", "stopp"), "finish-reason"),
        ({}, ChatAnswer("a", "tool_calls"), "finish-reason"),
        ({"max_tokens": 3}, ChatAnswer("a", "length", tokens=3), None),
        ({"max_tokens": 3}, ChatAnswer("a", "length", tokens=2), "finish-reason"),
        ({"max_tokens": 3}, ChatAnswer("a", "stop", tokens=4), "finish-reason"),
        ({"tools": [TOOL]}, ChatAnswer(None, "tool_calls", [("weather", '{"days": 2}')]), None),
        ({"tools": [TOOL]}, ChatAnswer(None, "tool_calls", [("weather", '{"days": "2"}')]), "tool-call-schema"),
        ({"tools": [TOOL]}, ChatAnswer(None, "tool_calls", [("weather", "{}")]), "tool-call-schema"),
        ({"tools": [TOOL]}, ChatAnswer(None, "tool_calls", [("weather", "{")]), "tool-call-schema"),
        ({"tools": [TOOL]}, ChatAnswer(None, "length", [("weather", "{")]), None),
        ({"tools": [TOOL]}, ChatAnswer(None, "content_filter", [("weather", '{"days": 2}')]), "finish-reason"),
        ({"tools": [TOOL]}, ChatAnswer(None, "tool_calls", [("wether", '{"days": 2}')]), "tool-call"),
        ({"tools": [TOOL], "tool_choice": "required"}, ChatAnswer("a", "stop"), "tool-call"),
        ({"tools": [TOOL], "tool_choice": "none"}, ChatAnswer(None, "stop", [("weather", '{"days": 2}')]), "tool-call"),
        (
            {"tools": [{"function": {"name": "weather", "parameters": {"$ref": "http://127.0.0.1:9/x"}}}]},
            ChatAnswer(None, "tool_calls", [("weather", "{}")]), "tool-call-schema",
        ),
    ],
)  # fmt: skip
def test_the_form_of_an_answer_is_judged_by_its_request(request_, answer, cause):
    """Why it ended, which tools it calls, with which arguments."""
    assert [p.cause for p in problems_of(request_, answer)] == ([cause] if cause else [])


def test_a_completion_that_is_none_is_an_error():
    """Whatever it is instead."""
    for told in ([], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": {"content": 7}}]}, "x"):
        with pytest.raises(AnswerError):
            completion(told)
    whole = {"object": "x", "choices": [{"message": {"role": "user", "content": "a"}, "finish_reason": "stop"}]}
    assert [p.cause for p in completion(whole).problems] == ["chat-schema", "chat-schema"]


def test_the_address_names_the_model_and_needs_no_endpoint():
    """A row's own model goes first, and the key is never sent."""
    import pandas as pd

    target = OpenAIChat("openai+http://127.0.0.1:8000/v1?model=tiny", key="id")
    assert str(target.url) == "http://127.0.0.1:8000/v1/chat/completions"
    frame = pd.DataFrame({"id": ["a", "b"], "messages": [[], []], "model": [None, "big"]})
    assert target.bodies(frame) == [{"model": "tiny", "messages": []}, {"model": "big", "messages": []}]
    assert str(OpenAIChat("openai+https://h").url) == "https://h/v1/chat/completions"
