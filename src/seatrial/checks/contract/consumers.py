"""What consuming teams keep in ``expectations/contract/``, replayed: each request, its status, and what they read."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.checks.contract.matching import misses
from seatrial.checks.contract.session import Session
from seatrial.errors import AnswerError
from seatrial.events import Event, Finding
from seatrial.pipeline import SERVICE
from seatrial.policy.consumers import Example

ADVICE = {
    "unit-factor": "The scale changed: agree on it with the consumer, or give the new scale a name of its own.",
    "class-order": "The order of classes changed: name them in the answer, or restore the order.",
    "null-meaning": "What null means changed: say it in another field.",
}


def replay(name: str, ground: Session) -> Iterator[Event]:
    """Send every example and yield what its consumer would not find.

    Raises:
        TargetError: nobody answers any more.
    """
    for example in ground.trial.policy.pinned.examples:
        yield from _one(name, ground, example)


def _one(name: str, ground: Session, example: Example) -> Iterator[Finding]:
    path = example.path or ground.path
    if path is None:
        yield _finding(name, example, None, "no-path", "It names no path, and the service's own takes no JSON record.")
        return
    try:
        response = ground.http.send(example.body, path=path, method=example.method, headers=example.headers)
        if response.status != example.status:
            words = f"It answers {response.status} where {example.status} is expected."
            yield _finding(name, example, None, f"status-{response.status}", words)
            return
        if example.response is None:
            return
        told = response.json()
    except AnswerError as error:
        yield _finding(name, example, None, "no-answer", str(error))
        return
    for miss in misses(example.response, told, tolerance=example.tolerance):
        field = f"'{miss.field}'" if miss.field else "The answer"
        column = miss.field.split("[")[0] or None
        yield _finding(name, example, column, miss.cause, f"{field} {miss.words}.")


def _finding(name: str, example: Example, column: str | None, cause: str, words: str) -> Finding:
    return Finding(
        name, SERVICE, f"Consumer '{example.consumer}', example '{example.name}': {words}", column=column, cause=cause,
        advice=ADVICE.get(cause, f"Ask those who keep expectations/contract/{example.name}.json before changing it."),
        evidence={"consumer": example.consumer, "example": example.name},
    )  # fmt: skip
