"""Requests to a worker and the reply to each, side by side, until something is not as it should be."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any, TypeVar

from seatrial import errors
from seatrial.errors import EnvironmentUnavailable, IsolationError, SeatrialError
from seatrial.isolation import messages
from seatrial.isolation.process import Process
from seatrial.isolation.results import DETAIL_CHARACTERS
from seatrial.worker.channel import LineChannel

CLOSED_SECONDS = 60.0  # between the end of the channel and that of the process, on a machine that has much to do
MESSAGE_CHARACTERS = 2000  # of an error
CLOSED = "The trial was closed."
SHOWN = 300  # characters of what a process printed that never ran anything of the project

R = TypeVar("R", bound=messages.Reply)


class RpcClient:
    """Both directions of the channel to a worker.

    Attributes:
        broken: why no request can be sent any more, as a sentence; None while it can. The process of a broken client
            is ended.
        timed_out: whether it was ended because a reply took too long.
    """

    def __init__(self, process: Process) -> None:
        self.broken: str | None = None
        self.timed_out = False
        self.process = process
        self._ready = False
        self._channel = LineChannel(process.socket.fileno(), process.socket.fileno())
        self._calls: dict[int, queue.SimpleQueue[messages.AnyReply | None]] = {}
        self._lock, self._last, self._closing = threading.Lock(), 0, False
        self._threads = [
            threading.Thread(target=work, name="seatrial worker", daemon=True) for work in (self._receive, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def begin(self, request: str, **fields: Any) -> int:
        """Send a request and return its id.

        Raises:
            IsolationError: none can be sent any more.
        """
        with self._lock:
            if self.broken is not None or self._closing:
                raise IsolationError(self.broken or CLOSED)
            self._last += 1
            number = self._last
            self._calls[number] = queue.SimpleQueue()
        with contextlib.suppress(OSError):  # the process just ended: the wait for the reply raises with the reason
            self._channel.send({"request": request, "id": number, **fields})
        return number

    def reply(self, number: int, kind: type[R], seconds: float, what: str) -> R:
        """Return the reply of this kind to a request.

        Args:
            number: the id of the request.
            kind: of the reply.
            seconds: to wait for it.
            what: the request and the setting of its limit, for the message where the time is over.

        Raises:
            IsolationError: the process ended, broke a limit or the protocol, or gave no reply in time.
            EnvironmentUnavailable: it ended before it could run anything of the project.
            SeatrialError: of the kind that the process names.
        """
        try:
            reply = self._calls[number].get(timeout=seconds)
        except queue.Empty:
            self.timed_out = self.timed_out or self.broken is None
            self.give_up(self._sentence(f"gave no answer within {seconds:g} s ({what})"))
            reply = None
        finally:
            self._calls.pop(number, None)
        if reply is None:
            kind_of_error = IsolationError if self._ready or self._closing else EnvironmentUnavailable
            raise kind_of_error(self.broken or CLOSED)
        if isinstance(reply, messages.Failed):
            raise _error(reply)
        if not isinstance(reply, kind):
            raise self.unreadable(f"the reply '{reply.reply}' to another request")
        return reply

    def failed(self, number: int) -> SeatrialError | None:
        """Return the error that a request was answered with; None where it was not answered so, or not yet.

        The answer stays where it is, for :meth:`reply`.
        """
        call = self._calls.get(number)
        if call is None or call.empty():
            return None
        reply = call.get()
        call.put(reply)
        return _error(reply) if isinstance(reply, messages.Failed) else None

    def unreadable(self, why: str) -> IsolationError:
        """Give up on a process that sent what the protocol does not allow, and return the error to raise."""
        self.give_up(self._sentence(f"sent what cannot be read: {why}"))
        return IsolationError(self.broken)

    def give_up(self, why: str) -> None:
        """Send no more requests, end the process, and wake every thread that waits. The first reason stands."""
        with self._lock:
            self.broken = self.broken or why
        self.process.end()
        self._wake()

    def close(self, within_seconds: float) -> None:
        """Let the process end by itself within the time, if any, then end it, and wake every thread that waits."""
        self._closing = True
        if within_seconds and self.broken is None:
            with contextlib.suppress(OSError):
                self._channel.send({"request": "close", "id": 0})
            self.process.wait(within_seconds)
        self.process.end()
        self._wake()
        for thread in self._threads:
            thread.join()
        self.process.socket.close()

    def _wake(self) -> None:
        for call in list(self._calls.values()):
            call.put(None)

    def _receive(self) -> None:
        try:
            while (received := self._channel.receive()) is not None:
                self._dispatch(messages.read_reply(received))
        except IsolationError as error:
            self.unreadable(str(error))
        if not self.process.wait(CLOSED_SECONDS) and not self._closing:
            self.give_up(self._sentence("closed its channel and went on"))

    def _dispatch(self, reply: messages.AnyReply) -> None:
        if isinstance(reply, messages.Ready) and not self._ready:
            self._ready = True
            return
        call = self._calls.get(reply.id)
        if call is not None and call.empty():
            call.put(reply)
        elif self.broken is None and not self._closing:
            raise IsolationError("a reply to no request")

    def _watch(self) -> None:
        self.process.wait()
        if not self._closing:
            self.give_up(self._sentence(self.process.ending))

    def _sentence(self, event: str) -> str:
        log = self.process.log
        sentence = f"The process that runs the model {event}."
        if not log.is_file() or not log.stat().st_size:
            return sentence
        if self._ready:
            return f"{sentence} What it printed is in {log}."
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")  # nothing of the project ran yet
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{sentence} It printed: {last[:SHOWN]}" if last else sentence


def _error(reply: messages.Failed) -> SeatrialError:
    """Return the error that the process names: one of ours by its name, or the model's own fault."""
    kind, message = getattr(errors, reply.error, None), reply.message[:MESSAGE_CHARACTERS]
    ours = isinstance(kind, type) and issubclass(kind, SeatrialError) and kind is not errors.StageError
    error: SeatrialError = kind(message) if ours and kind is not None else IsolationError(message)
    error.details = reply.details[:DETAIL_CHARACTERS]
    return error
