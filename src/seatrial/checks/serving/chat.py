"""The form of chat answers: why each ended, and whether the tools it calls are declared and their arguments valid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seatrial.checks.serving.answers import key_text
from seatrial.errors import AnswerError
from seatrial.events import Finding
from seatrial.formatting import part_of
from seatrial.pipeline import SERVICE
from seatrial.targets.messages import Response
from seatrial.targets.shapes.chat import ChatAnswer, ChatProblem, completion, problems_of

NAMED = 5  # keys named in a finding
ADVICE = {
    "chat-schema": "Return the fields of a chat completion as its schema has them: clients read them by name.",
    "stream-form": "Send the chunks of one answer under one id, one finish_reason after the last of them, then [DONE].",
    "finish-reason": "Say why the answer ended: 'stop', 'length' where max_tokens cut it, 'tool_calls' where it calls.",
    "tool-call": "Call the tools that a request declares alone, as its tool_choice says.",
    "tool-call-schema": "Constrain the arguments to the tool's schema, or check them before they are returned.",
}


def chat_findings(
    name: str,
    asked: Sequence[tuple[Any, dict[str, Any], ChatAnswer]],
    *,
    how: str,
    causes: Sequence[str] = tuple(ADVICE),
) -> Iterator[Finding]:
    """Yield one finding for each problem of the answers, with the keys of their requests.

    Args:
        name: of the check that reports.
        asked: for each request its key, None where it is not known, its body and the answer.
        how: the requests were sent, such as ``streamed``.
        causes: of the problems that are reported.
    """
    found: dict[ChatProblem, list[Any]] = {}
    for key, body, answer in asked:
        for problem in dict.fromkeys(problems_of(body, answer)):
            found.setdefault(problem, []).append(key)
    for problem, keys in found.items():
        if problem.cause in causes:
            named = [key_text(key) for key in keys if key is not None][:NAMED]
            yield Finding(
                name, SERVICE, f"Requests sent {how}: {part_of(len(keys), len(asked), 'answers')}. {problem.message}",
                cause=problem.cause, advice=ADVICE[problem.cause],
                evidence={"rows": len(asked), "mismatches": len(keys), "keys": named},
            )  # fmt: skip


def answer_in(result: Any) -> ChatAnswer | None:
    """Return the chat answer in a response; None where it holds none, which other findings report."""
    try:
        return completion(result.json()) if isinstance(result, Response) and result.ok else None
    except AnswerError:
        return None
