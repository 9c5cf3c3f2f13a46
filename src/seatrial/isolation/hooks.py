"""The hooks of a service that run in a worker: what it returns is data, checked before it is sent or compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from seatrial.errors import IsolationError, PipelineError, ReferenceInvalid, SeatrialError
from seatrial.isolation import messages
from seatrial.pipeline import HttpRequest, Poll
from seatrial.worker.hooks import requests_in

Unreadable = Callable[[str], IsolationError]
MOST_CHARACTERS = 2_000  # of an error that may quote hostile code


def requests_of(found: Sequence[pd.DataFrame], count: int, unreadable: Unreadable) -> list[HttpRequest]:
    """Return the requests in the frame of a worker, one a batch; ``unreadable`` makes the error to raise."""
    try:
        [frame] = found
        requests = requests_in(frame)
    except (PipelineError, ValueError, TypeError, KeyError) as error:
        raise unreadable(f"requests that are none: {type(error).__name__}") from error
    if len(requests) != count:
        raise unreadable("requests of other rows than were given")
    return requests


def answers_of(
    reply: messages.ReadReply, frames: Sequence[pd.DataFrame], count: int, unreadable: Unreadable
) -> list[pd.DataFrame | Poll | SeatrialError]:
    """Return what a worker read in each answer; ``unreadable`` makes the error to raise."""
    if len(reply.results) != count:
        raise unreadable("answers to other requests than were given")
    left = iter(frames)
    return [_one(result, left, unreadable) for result in reply.results]


def _one(result: messages.ReadRecord, left: Any, unreadable: Unreadable) -> pd.DataFrame | Poll | SeatrialError:
    if result.error:
        return PipelineError(result.error[:MOST_CHARACTERS])
    if result.poll is None:
        try:
            frame: pd.DataFrame = next(left)
        except (StopIteration, ReferenceInvalid) as error:
            raise unreadable("fewer frames than answers") from error
        return frame
    try:
        return Poll(result.poll.url, result.poll.seconds, result.poll.every)
    except PipelineError as error:
        raise unreadable("a poll that is none") from error
