"""Requests to a model's process and the replies to each, side by side, until something is not as it should be."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from seatrial import errors
from seatrial.errors import IsolationError, SeatrialError
from seatrial.isolation import messages
from seatrial.isolation.channel import LineChannel
from seatrial.isolation.process import Process

REPLY_BYTES = 256 * 2**20  # of the replies to one request, together
REPLIES = 100_000  # to one request
CLOSED_SECONDS = 60.0  # between the end of the channel and that of the process, on a machine that has much to do
MESSAGE_CHARACTERS = 2000  # of an error
CLOSED = "The trial was closed."

R = TypeVar("R", bound=messages.Message)


@dataclass
class _Call:
    replies: queue.SimpleQueue[messages.Reply | None] = field(default_factory=queue.SimpleQueue)
    received_bytes: int = 0
    received: int = 0


class RpcClient:
    """Both directions of the channel to a process.

    Attributes:
        broken: why no request can be sent any more, as a sentence; None while it can. The process of a broken client
            is ended.
    """

    def __init__(self, process: Process) -> None:
        self.broken: str | None = None
        self._process, self._channel = process, LineChannel(process.socket)
        self._calls: dict[int, _Call] = {}
        self._lock, self._last, self._closing = threading.Lock(), 0, False
        for work in (self._receive, self._watch):
            threading.Thread(target=work, name="seatrial trial", daemon=True).start()

    def begin(self, kind: type[messages.Message], **fields: Any) -> int:
        """Send a request of this kind and return its id.

        Raises:
            IsolationError: none can be sent any more.
            UsageError: a field has the wrong type.
        """
        with self._lock:
            if self.broken is not None or self._closing:
                raise IsolationError(self.broken or CLOSED)
            self._last += 1
            number = self._last
            message = messages.request(kind, id=number, **fields)
            self._calls[number] = _Call()
        with contextlib.suppress(OSError):  # the process just ended: the wait for the reply raises with the reason
            self._channel.send(message)
        return number

    def replies(self, number: int, seconds: float, what: str) -> Generator[messages.Reply, None, None]:
        """Yield the replies to a request, up to ``done``.

        Args:
            number: the id of the request.
            seconds: for all of them together.
            what: the request and the setting of its limit, for the message where the time is over.

        Raises:
            IsolationError: the process ended, broke a limit, or was not done in time.
            SeatrialError: of the kind that the process names.
        """
        call, until = self._calls[number], time.monotonic() + seconds
        try:
            while True:
                try:
                    reply = call.replies.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    self.give_up(self._sentence(f"gave no answer within {seconds:g} s ({what})"))
                    reply = None
                if reply is None:
                    raise IsolationError(self.broken or CLOSED)
                if isinstance(reply, messages.Failed):
                    raise _error(reply)
                yield reply
                if isinstance(reply, messages.Done):
                    return
        finally:
            self._calls.pop(number, None)

    def reply(self, number: int, seconds: float, what: str, kind: type[R]) -> R:
        """Return the one reply of this kind to a request; raises as :meth:`replies` does."""
        with contextlib.closing(self.replies(number, seconds, what)) as replies:
            reply = next(replies)
        if not isinstance(reply, kind):
            raise self.unreadable(f"the reply '{reply.reply}' in place of '{kind.__name__.lower()}'")
        return reply

    def unreadable(self, why: str) -> IsolationError:
        """Give up on a process that sent what the protocol does not allow, and return the error to raise."""
        self.give_up(self._sentence(f"sent what cannot be read: {why}"))
        return IsolationError(self.broken)

    def give_up(self, why: str) -> None:
        """Send no more requests, end the process, and wake every thread that waits. The first reason stands."""
        with self._lock:
            self.broken = self.broken or why
        self._process.end()
        self._wake()

    def close(self, within_seconds: float) -> None:
        """Let the process end by itself within the time, if any, then end it, and wake every thread that waits."""
        self._closing = True
        if within_seconds and self.broken is None:
            with contextlib.suppress(OSError):
                self._channel.send(messages.request(messages.Close, id=0))
            self._process.wait(within_seconds)
        self._process.end()
        self._channel.close()
        self._wake()

    def _wake(self) -> None:
        for call in list(self._calls.values()):
            call.replies.put(None)

    def _receive(self) -> None:
        try:
            while (received := self._channel.receive()) is not None:
                self._dispatch(messages.read_reply(received[0]), received[1])
        except IsolationError as error:
            self.unreadable(str(error))
        if not self._process.wait(CLOSED_SECONDS) and not self._closing:
            self.give_up(self._sentence("closed its channel and went on"))

    def _dispatch(self, reply: messages.Reply, size: int) -> None:
        call = self._calls.get(reply.id)
        if call is None:
            if self.broken is None and not self._closing:
                raise IsolationError("a reply to no request")
            return
        call.received_bytes, call.received = call.received_bytes + size, call.received + 1
        if call.received_bytes > REPLY_BYTES or call.received > REPLIES:
            raise IsolationError(f"more than {REPLY_BYTES:,} bytes or {REPLIES:,} replies to one request")
        call.replies.put(reply)

    def _watch(self) -> None:
        self._process.wait()
        if not self._closing:
            self.give_up(self._sentence(self._process.ending))

    def _sentence(self, event: str) -> str:
        log = self._process.log
        printed = f" What it printed is in {log}." if log.is_file() and log.stat().st_size else ""
        return f"The process that runs the model {event}.{printed}"


def _error(reply: messages.Failed) -> SeatrialError:
    """Return the error that the process names: one of ours by its name, or the model's own fault."""
    kind, message = getattr(errors, reply.error, None), reply.message[:MESSAGE_CHARACTERS]
    ours = isinstance(kind, type) and issubclass(kind, SeatrialError) and kind is not errors.StageError
    return kind(message) if ours and kind is not None else IsolationError(message)
