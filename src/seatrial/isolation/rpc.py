"""Requests to a model's process and the answers to each, side by side, until something is not as it should be."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from seatrial import errors
from seatrial.errors import IsolationError, SeatrialError
from seatrial.isolation.channel import LineChannel
from seatrial.isolation.process import Process

ANSWER_BYTES = 256 * 2**20  # of one answer, all its messages together
MESSAGES = 100_000  # of one answer
CLOSED_SECONDS = 60.0  # between the end of the line and that of the process, on a machine that has much to do
WORDS = 2000  # characters of an error's message
LEFT = "The trial was left."


@dataclass
class _Call:
    heard: queue.SimpleQueue[dict[str, Any] | None] = field(default_factory=queue.SimpleQueue)
    taken_bytes: int = 0
    messages: int = 0


class Calls:
    """Both directions of the line to a process.

    Attributes:
        broken: why nothing can be asked any more, in words; None while it can. Once broken the process is ended.
    """

    def __init__(self, process: Process) -> None:
        self.broken: str | None = None
        self._process, self._lines = process, LineChannel(process.end_of_line)
        self._calls: dict[int, _Call] = {}
        self._lock, self._last, self._leaving = threading.Lock(), 0, False
        for work in (self._receive, self._watch):
            threading.Thread(target=work, name="seatrial trial", daemon=True).start()

    def begin(self, request: dict[str, Any]) -> int:
        """Send a request and return its number; IsolationError where nothing can be asked any more."""
        with self._lock:
            if self.broken is not None or self._leaving:
                raise IsolationError(self.broken or LEFT)
            self._last += 1
            number = self._last
            self._calls[number] = _Call()
        with contextlib.suppress(OSError):  # it just ended: whoever waits for the answer hears how
            self._lines.send({**request, "id": number})
        return number

    def messages(self, number: int, seconds: float, what: str) -> Generator[dict[str, Any], None, None]:
        """Yield the messages that answer a request, up to one that says it is ``done``.

        Raises:
            IsolationError: the process ended, broke a limit, or was not done in time.
            SeatrialError: of the kind that the process names.
        """
        call, until = self._calls[number], time.monotonic() + seconds
        try:
            while True:
                try:
                    message = call.heard.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    self.give_up(self._words(f"gave no answer within {seconds:g} s ({what})"))
                    message = None
                if message is None:
                    raise IsolationError(self.broken or LEFT)
                if "failed" in message:
                    raise _error(message)
                yield message
                if "done" in message:
                    return
        finally:
            self._calls.pop(number, None)

    def answer(self, number: int, seconds: float, what: str) -> dict[str, Any]:
        """Return the one message that answers a request; raises as :meth:`messages` does."""
        with contextlib.closing(self.messages(number, seconds, what)) as messages:
            answer = next(messages).get("answer")
        with self.understood():
            if not isinstance(answer, dict):
                raise IsolationError("an answer that is no object")
        return dict(answer)

    @contextlib.contextmanager
    def understood(self) -> Iterator[None]:
        """Give up on a process whose message cannot be read in this block; raises IsolationError."""
        try:
            yield
        except (IsolationError, TypeError, ValueError) as error:
            self.give_up(self._words(f"sent what cannot be read: {error or type(error).__name__}"))
            raise IsolationError(self.broken) from error

    def give_up(self, why: str) -> None:
        """Ask nothing more, end the process, and let everybody know who waits. The first reason stands."""
        with self._lock:
            self.broken = self.broken or why
        self._process.end()
        for call in list(self._calls.values()):
            call.heard.put(None)

    def leave(self, within_seconds: float) -> None:
        """Let the process end by itself within the time, if any, then end it; who still waits hears that."""
        self._leaving = True
        if within_seconds and self.broken is None:
            with contextlib.suppress(OSError):
                self._lines.send({"do": "leave", "id": 0})
            self._process.gone(within_seconds)
        self._process.end()
        self._lines.close()
        for call in list(self._calls.values()):
            call.heard.put(None)

    def _receive(self) -> None:
        try:
            while (received := self._lines.receive()) is not None:
                self._hand_over(*received)
        except IsolationError as error:
            self.give_up(self._words(f"sent what cannot be read: {error}"))
        if not self._process.gone(CLOSED_SECONDS) and not self._leaving:
            self.give_up(self._words("closed its line and went on"))

    def _hand_over(self, message: dict[str, Any], size: int) -> None:
        number = message.pop("id", None)
        call = self._calls.get(number) if isinstance(number, int) else None
        if call is None:
            if self.broken is None and not self._leaving:
                raise IsolationError("an answer to nothing that was asked")
            return
        call.taken_bytes, call.messages = call.taken_bytes + size, call.messages + 1
        if call.taken_bytes > ANSWER_BYTES or call.messages > MESSAGES:
            raise IsolationError(f"more than {ANSWER_BYTES:,} bytes or {MESSAGES:,} messages in one answer")
        call.heard.put(message)

    def _watch(self) -> None:
        self._process.gone()
        if not self._leaving:
            self.give_up(self._words(self._process.how))

    def _words(self, how: str) -> str:
        said = self._process.log
        printed = f" What it printed is in {said}." if said.is_file() and said.stat().st_size else ""
        return f"The process that runs the model {how}.{printed}"


def _error(message: dict[str, Any]) -> SeatrialError:
    """Return what the process says went wrong: an error of ours by its name, or the model's own fault."""
    kind, words = getattr(errors, str(message["failed"]), None), str(message.get("message"))[:WORDS]
    ours = isinstance(kind, type) and issubclass(kind, SeatrialError) and kind is not errors.StageError
    return kind(words) if ours and kind is not None else IsolationError(words)
