"""Answers that are fetched later: 202, and then an address that is asked until the answer is there or the time over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx

from seatrial.errors import AnswerError
from seatrial.formatting import plural
from seatrial.formatting import seconds as duration
from seatrial.pipeline import HttpRequest, Poll
from seatrial.targets.http import Http
from seatrial.targets.messages import Response

LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Pending:
    """One request on its way to its answer.

    Attributes:
        place: of the request among the others.
        response: the last response; an error, or None where it was not sent.
        path: where the last response was fetched from; None for the response to the request itself.
        polls: how often the answer was asked for.
    """

    place: int
    response: Any
    path: str | None = None
    polls: int = 0


def follow(
    http: Http, responses: Sequence[Any], read: Callable[[Sequence[Pending]], Sequence[Any]]
) -> tuple[list[Any], list[Any]]:
    """Return what is read in the answer to each request, and the last response to each.

    Args:
        http: the open client of the service.
        responses: to the requests themselves.
        read: returns what each response holds, or a ``Poll`` where its answer is to be fetched.
    """
    outcomes: list[Any] = [None] * len(responses)
    last: list[Any] = list(responses)
    active = [Pending(n, response) for n, response in enumerate(responses)]
    begin = time.monotonic()
    while active:
        spent = time.monotonic() - begin
        waiting: list[tuple[Pending, Poll]] = []
        for pending, found in zip(active, read(active), strict=True):
            if not isinstance(found, Poll):
                outcomes[pending.place], last[pending.place] = found, pending.response
                continue
            try:
                waiting.append((replace(pending, path=_next(http.url, pending, found, spent)), found))
            except AnswerError as error:
                outcomes[pending.place] = last[pending.place] = error
        if not waiting:
            break
        time.sleep(min(_pause(pending, poll, poll.seconds - spent) for pending, poll in waiting))
        fetched = http.send_all([HttpRequest(method="GET", path=pending.path) for pending, _ in waiting])
        active = [
            replace(pending, response=each, polls=pending.polls + 1)
            for (pending, _), each in zip(waiting, fetched, strict=True)
        ]
    return outcomes, last


def announced(pending: Pending, seconds: float) -> Poll | None:
    """Return where the answer is, of a service that says so itself: 202, or 303 when it is there.

    Raises:
        AnswerError: it answers 202 without saying where.
    """
    response = pending.response
    if not isinstance(response, Response) or response.status not in (202, 303):
        return None
    names = ("location", "operation-location", "content-location")
    place = next((response.headers[n] for n in names if n in response.headers), None)
    if response.status == 303:
        return Poll(place, seconds) if place else None
    if place is None and pending.path is None:
        raise AnswerError("The service answered 202 without the address of the answer in 'Location'.")
    return Poll(place or str(pending.path), seconds)


def path_of(url: httpx.URL, to: str) -> str:
    """Return the path of an address on the same host; AnswerError where it is on another."""
    try:
        found = url.join(to)
    except (httpx.InvalidURL, ValueError) as error:
        raise AnswerError(f"The address of the answer is no URL: {error}.") from error
    if (found.scheme, found.host, found.port) != (url.scheme, url.host, url.port):
        raise AnswerError(f"The answer is said to be on another host, '{found.host}'; it was not fetched.")
    return found.raw_path.decode("ascii")


def _pause(pending: Pending, poll: Poll, left: float) -> float:
    told = pending.response.headers.get("retry-after", "") if isinstance(pending.response, Response) else ""
    wanted = float(told) if told.isascii() and told.isdigit() else 0.0
    return max(0.0, min(max(poll.every, wanted), left, LONGEST_PAUSE))


def _next(url: httpx.URL, pending: Pending, poll: Poll, spent: float) -> str:
    path = path_of(url, poll.url) if poll.url else pending.path
    if path is None:
        raise AnswerError("The answer is to be fetched, and its address was not given: Poll() has no url.")
    if spent < poll.seconds:
        return path
    status = f" The last status was {pending.response.status}." if isinstance(pending.response, Response) else ""
    raise AnswerError(
        f"The answer was to be fetched and was not there within {duration(poll.seconds)}, asked for "
        f"{plural(pending.polls, 'time')}.{status}"
    )
