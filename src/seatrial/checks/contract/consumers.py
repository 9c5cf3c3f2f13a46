"""Replay the consumer examples of ``expectations/contract/``: the request, its status, and the fields that are read."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.checks.contract.matching import example_mismatches
from seatrial.checks.contract.session import Session
from seatrial.checks.exchanges import keep_exchange
from seatrial.errors import AnswerError
from seatrial.events import Event, Finding, NotEvaluated
from seatrial.pipeline import SERVICE
from seatrial.policy.consumers import Example
from seatrial.targets.pacing import is_limit

ADVICE = {
    "unit-factor": "Agree with the consumer on the new scale, or give the new scale a field of its own.",
    "class-order": "Name the classes in the answer, or restore their order.",
    "null-meaning": "Restore the meaning of null, or report the new state in a field of its own.",
}


def replay_examples(name: str, session: Session) -> Iterator[Event]:
    """Send every example and yield a finding for each expectation of its consumer that the answer does not meet.

    Raises:
        TargetError: the service is not reachable.
    """
    for example in session.trial.policy.pinned.examples:
        yield from _replay(name, session, example)


def _replay(name: str, session: Session, example: Example) -> Iterator[Event]:
    path = session.live.path(example.path) if example.path else session.path
    if path is None:
        detail = "The example has no path, and the service's own path takes no JSON record."
        yield _finding(name, example, None, "no-path", detail)
        return
    try:
        response = session.http.send(example.body, path=path, method=example.method, headers=example.headers)
        if is_limit(response) and example.status != response.status:
            reason = f"The example '{example.name}' was not answered. {session.http.pace.told}"
            yield NotEvaluated(name, SERVICE, reason)
            return
        if response.status != example.status:
            keep_exchange(session.trial, name, f"status-{response.status}", response, how=f"example '{example.name}'")
            detail = f"Expected status {example.status}, got {response.status}."
            yield _finding(name, example, None, f"status-{response.status}", detail)
            return
        if example.response is None:
            return
        answer = response.json()
    except AnswerError as error:
        keep_exchange(session.trial, name, "no-answer", error, how=f"example '{example.name}'")
        yield _finding(name, example, None, "no-answer", str(error))
        return
    for mismatch in example_mismatches(example.response, answer, tolerance=example.tolerance):
        field = f"Field '{mismatch.field}'" if mismatch.field else "The answer"
        column = mismatch.field.split("[")[0] or None
        keep_exchange(
            session.trial, name, mismatch.cause, response, column=column, how=f"example '{example.name}'"
        )  # fmt: skip
        yield _finding(name, example, column, mismatch.cause, f"{field} {mismatch.detail}.")


def _finding(name: str, example: Example, column: str | None, cause: str, detail: str) -> Finding:
    default = f"Agree on the change with the consumer, who maintains expectations/contract/{example.name}.json."
    return Finding(
        name, SERVICE, f"Consumer '{example.consumer}', example '{example.name}': {detail}", column=column, cause=cause,
        advice="Set 'path' in the request of the example." if cause == "no-path" else ADVICE.get(cause, default),
        evidence={"consumer": example.consumer, "example": example.name},
    )  # fmt: skip
