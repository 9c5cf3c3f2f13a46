"""Which events of a streamed chat carry tokens, and how many tokens they carried."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.errors import AnswerError
from seatrial.targets.shapes.chat import DONE, ChatAnswer, chunk_of
from seatrial.targets.shapes.sse import ServerEvent

THOUGHTS = ("reasoning_content", "reasoning")  # as vLLM, DeepSeek and others name them


def has_token(event: ServerEvent) -> bool:
    """Whether an event of a stream carries a part of the answer, or of what is thought before it."""
    return _carries(event, ("content", "tool_calls", *THOUGHTS))


def tokens_sent(answer: ChatAnswer, events: Sequence[ServerEvent]) -> int:
    """Return how many tokens the events carried, by the service's count, or one an event.

    What is thought in silence is counted by the service, and not sent.
    """
    if answer.tokens is None:
        return sum(map(has_token, events))
    thought = any(_carries(event, THOUGHTS) for event in events)
    return answer.tokens if thought else answer.tokens - answer.reasoning


def _carries(event: ServerEvent, names: Sequence[str]) -> bool:
    try:
        choices = chunk_of(event).get("choices") or [] if event.data != DONE else []
    except AnswerError:
        return False
    return any((c.get("delta") or {}).get(name) for c in choices for name in names)
