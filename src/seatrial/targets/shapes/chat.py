"""Chat completions in OpenAI's schema: what an answer holds, streamed or not, and what is wrong with it.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.errors import AnswerError, nearest
from seatrial.targets.shapes.sse import ServerEvent

DONE = "[DONE]"
REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")


@dataclass(frozen=True)
class ChatProblem:
    """What is wrong with the form of an answer.

    Attributes:
        cause: its slug: ``chat-schema``, ``stream-form``, ``finish-reason``, ``tool-call`` or ``tool-call-schema``.
        message: a sentence without values of the answer.
    """

    cause: str
    message: str


@dataclass(frozen=True)
class ChatAnswer:
    """One answer, streamed or not.

    Attributes:
        content: its text; None where it has none.
        finish_reason: why it ended; None where it does not say.
        tool_calls: the calls as (name, arguments as text).
        tokens: of the answer, as the service counts them; None where it does not.
        problems: what is wrong with its form, as far as it can be told without the request.
        reasoning: how many of the tokens are thought before the answer, as the service counts them.
    """

    content: str | None
    finish_reason: str | None
    tool_calls: Sequence[tuple[str, str]] = ()
    tokens: int | None = None
    problems: Sequence[ChatProblem] = ()
    reasoning: int = 0

    @property
    def row(self) -> dict[str, Any]:
        """The answer as it is compared: ``content``, ``finish_reason``, and ``tool_calls`` where there are some."""
        calls = [{"name": name, "arguments": _arguments(text)} for name, text in self.tool_calls]
        return {"content": self.content, "finish_reason": self.finish_reason} | ({"tool_calls": calls} if calls else {})


def completion(told: Any) -> ChatAnswer:
    """Return the first choice of a completion that was not streamed.

    Raises:
        AnswerError: it holds no message.
    """
    problems = []
    try:
        choice = told["choices"][0]
        message = choice["message"]
        content, calls = message.get("content"), message.get("tool_calls") or []
        found = [(str(c["function"]["name"]), str(c["function"]["arguments"])) for c in calls]
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise AnswerError("The service answered JSON, but no chat completion with a message in 'choices'.") from error
    if content is not None and not isinstance(content, str):
        raise AnswerError(f"The message's 'content' is a {type(content).__name__}, not text.")
    if told.get("object") != "chat.completion":
        problems.append(ChatProblem("chat-schema", "'object' is not 'chat.completion'."))
    if message.get("role") != "assistant":
        problems.append(ChatProblem("chat-schema", "The message's 'role' is not 'assistant'."))
    if any(not isinstance(c["function"]["arguments"], str) for c in calls):
        problems.append(ChatProblem("tool-call-schema", "A tool call's 'arguments' is not the text of a JSON object."))
        found = [(name, json.dumps(c["function"]["arguments"])) for (name, _), c in zip(found, calls, strict=True)]
    reason = _text(choice.get("finish_reason"))
    return ChatAnswer(content, reason, found, _tokens(told), problems, _reasoning(told))


def assembled(events: Sequence[ServerEvent]) -> ChatAnswer:
    """Return the first choice of a streamed completion, put together from its chunks.

    Raises:
        AnswerError: a chunk is no chunk of a completion, or an error.
    """
    texts: list[str] = []
    calls: dict[int, list[str]] = {}
    reasons, problems, ids = list[str](), list[ChatProblem](), set[Any]()
    tokens, reasoning = None, 0
    done = [n for n, event in enumerate(events) if event.data == DONE]
    if not done:
        problems.append(ChatProblem("stream-form", "The stream ends without '[DONE]'."))
    elif done[0] != len(events) - 1:
        problems.append(ChatProblem("stream-form", "The stream goes on after '[DONE]'."))
    for event in events[: done[0] if done else len(events)]:
        chunk = chunk_of(event)
        ids.add(chunk.get("id"))
        if (count := _tokens(chunk)) is not None:  # some services count in every chunk: the last is the whole
            tokens, reasoning = count, _reasoning(chunk)
        choice = next((c for c in chunk.get("choices") or [] if c.get("index", 0) == 0), None)
        if choice is None:
            continue
        delta = choice.get("delta") or {}
        if reasons and (delta.get("content") or delta.get("tool_calls")):
            problems.append(ChatProblem("stream-form", "The stream goes on with content after its finish_reason."))
        if isinstance(delta.get("content"), str):
            texts.append(delta["content"])
        _add_calls(calls, delta.get("tool_calls") or [])
        if choice.get("finish_reason") is not None:
            reasons.append(str(choice["finish_reason"]))
    if len(ids) > 1:
        problems.append(ChatProblem("stream-form", "The chunks of one stream have several ids."))
    if len(reasons) > 1:
        problems.append(ChatProblem("stream-form", "The stream has more than one finish_reason."))
    found = [(name, arguments) for _, (name, arguments) in sorted(calls.items())]
    content = "".join(texts) if texts or not found else None
    content = content or (None if found else "")
    return ChatAnswer(content, reasons[0] if reasons else None, found, tokens, problems, reasoning)


def problems_of(request: Mapping[str, Any], answer: ChatAnswer) -> Iterator[ChatProblem]:
    """Yield what is wrong with an answer, given its request: why it ended, and the tools it calls."""
    yield from answer.problems
    reason, calls = answer.finish_reason, answer.tool_calls
    if reason is None:
        yield ChatProblem("finish-reason", "The answer has no finish_reason.")
    elif reason not in REASONS:
        known = nearest(reason[:40], REASONS)
        yield ChatProblem("finish-reason", f"The finish_reason is none of {', '.join(REASONS)}.{known}")
    elif calls and reason not in ("tool_calls", "stop", "length"):
        yield ChatProblem("finish-reason", f"The answer calls tools and its finish_reason is '{reason}'.")
    elif not calls and reason == "tool_calls":
        yield ChatProblem("finish-reason", "The finish_reason is 'tool_calls' and the answer calls no tool.")
    most = request.get("max_completion_tokens") or request.get("max_tokens")
    if isinstance(most, int) and answer.tokens is not None:
        if answer.tokens > most:
            yield ChatProblem("finish-reason", f"The answer has {answer.tokens:,} tokens; the request allows {most:,}.")
        elif reason == "length" and answer.tokens < most:
            yield ChatProblem(
                "finish-reason",
                f"The finish_reason is 'length' after {answer.tokens:,} tokens; the request allows {most:,}.",
            )
    yield from _tool_problems(request, calls, cut=reason == "length")


def _tool_problems(request: Mapping[str, Any], calls: Sequence[tuple[str, str]], *, cut: bool) -> Iterator[ChatProblem]:
    import jsonschema
    from referencing import Registry

    declared = {
        str(tool["function"]["name"]): tool["function"].get("parameters")
        for tool in request.get("tools") or []
        if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping) and "name" in tool["function"]
    }
    choice = request.get("tool_choice")
    if calls and choice == "none":
        yield ChatProblem("tool-call", "The answer calls a tool and the request says tool_choice 'none'.")
    if not calls and not cut and (choice == "required" or isinstance(choice, Mapping)):
        yield ChatProblem("tool-call", "The answer calls no tool and the request's tool_choice demands one.")
    for name, text in calls:
        if name not in declared:
            yield ChatProblem(
                "tool-call", f"The answer calls a tool that the request does not declare.{nearest(name[:60], declared)}"
            )
            continue
        arguments = _arguments(text)
        if not isinstance(arguments, dict):
            if not cut:
                yield ChatProblem(
                    "tool-call-schema", f"The arguments of tool '{name}' are not the text of a JSON object."
                )
            continue
        try:
            checked = jsonschema.Draft202012Validator(declared[name] or {}, registry=Registry())  # fetches nothing
            found = jsonschema.exceptions.best_match(checked.iter_errors(arguments))
        except Exception:  # noqa: BLE001  whatever a schema that is none leads to
            yield ChatProblem("tool-call-schema", f"The schema that the request declares for '{name}' cannot be used.")
            continue
        if found is not None:
            place = ".".join(map(str, found.absolute_path)) or "the whole"
            yield ChatProblem(
                "tool-call-schema",
                f"The arguments of tool '{name}' break its declared schema: {place} fails '{found.validator}'.",
            )


def chunk_of(event: ServerEvent) -> Mapping[str, Any]:
    """Return the chunk of a completion in an event; AnswerError where it is none, or an error."""
    try:
        chunk = json.loads(event.data)
    except ValueError as error:
        raise AnswerError(f"An event of the stream, up to byte {event.end:,}, is not JSON.") from error
    if not isinstance(chunk, Mapping):
        raise AnswerError(f"An event of the stream, up to byte {event.end:,}, is no object.")
    if "error" in chunk and "choices" not in chunk:
        raise AnswerError("The stream holds an error in place of its next part.")
    choices = chunk.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(c, Mapping) for c in choices):
        raise AnswerError("A chunk of the stream has no list of 'choices'.")
    if any(not isinstance(c.get("delta") or {}, Mapping) for c in choices):
        raise AnswerError("A chunk of the stream has no 'delta' in its choice.")
    return chunk


def _add_calls(calls: dict[int, list[str]], deltas: Any) -> None:
    try:
        for n, part in enumerate(deltas):
            call = calls.setdefault(int(part.get("index", n)), ["", ""])
            function = part.get("function") or {}
            call[0] = call[0] or str(function.get("name") or "")
            call[1] += str(function.get("arguments") or "")
    except (TypeError, AttributeError, ValueError) as error:
        raise AnswerError("A chunk of the stream has tool calls that cannot be read.") from error


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _tokens(told: Any) -> int | None:
    usage = told.get("usage") if isinstance(told, Mapping) else None
    count = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _reasoning(told: Any) -> int:
    usage = told.get("usage") if isinstance(told, Mapping) else None
    details = usage.get("completion_tokens_details") if isinstance(usage, Mapping) else None
    count = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    return count if isinstance(count, int) and count > 0 else 0


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
