"""The matrix: what can happen to a dependency, in the terms of its own time-out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from seatrial.faults.answers import AnswerFault, Blanks, Errors, MissingKeys, TooManyRequests, WrongSchema
from seatrial.faults.reverse import Reverse
from seatrial.faults.tcp import Down, Fault, Latency, LimitData, ResetPeer, Slicer, Timeout
from seatrial.faults.wire import DEFAULT_PORTS, Hits, Wire, endpoint
from seatrial.slo import ANSWER_ROWS, ROWS, Loss

WITHIN = 0.8  # of the time-out: slow, and in time
TRICKLE_PIECES = 20  # bytes that come within one time-out


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        name: as service.toml names it.
        fault: what is placed.
        whole: answers must stay whole, nothing is lost yet.
        waits: whoever asks waits for the whole time-out, so that a lasting fault must be left alone.
    """

    name: str
    fault: Fault | AnswerFault
    whole: bool = False
    waits: bool = False


def over_tcp(url: str) -> bool:
    """Whether a dependency's URL names a host and a port that a wire can be put in front of."""
    scheme, separator, rest = url.partition("://")
    known = scheme.split("+")[0] in DEFAULT_PORTS
    return bool(separator) and rest[:1] not in ("", "/") and (known or ":" in rest.rpartition("@")[2])


def rows_of(loss: Loss, url: str) -> Sequence[Row]:
    """Return the rows for a dependency: those declared, or all that its address allows."""
    ms = loss.timeout_ms or 0.0
    made = {
        # First, while its connections are still open: nothing is lost within the time-out.
        "latency_within": Row("latency_within", Latency(latency=WITHIN * ms), whole=True),
        "slicer": Row("slicer", Slicer(average_size=16, size_variation=8), whole=True),
        "latency_beyond": Row("latency_beyond", Latency(latency=2 * ms), waits=True),
        "trickle": Row("trickle", Slicer(average_size=1, delay=ms * 1e3 / TRICKLE_PIECES), waits=True),
        "down": Row("down", Down()),
        "timeout": Row("timeout", Timeout(), waits=True),
        "reset_peer": Row("reset_peer", ResetPeer()),
        "limit_data": Row("limit_data", LimitData(bytes=64)),
        "errors": Row("errors", Errors()),
        "too_many_requests": Row("too_many_requests", TooManyRequests()),
        "wrong_schema": Row("wrong_schema", WrongSchema()),
        "nulls": Row("nulls", Blanks()),
        "missing_keys": Row("missing_keys", MissingKeys()),
    }
    allowed = (*ROWS, *ANSWER_ROWS) if url.startswith("http:") else ROWS
    chosen = loss.faults or allowed
    return [row for name, row in made.items() if name in chosen and name in allowed]


class Between:
    """The proxies between the service and one dependency: TCP faults on the wire, for HTTP also faults on answers."""

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self.url, self.seed = url, seed
        self._stack = ExitStack()
        self._reverse: Reverse | None = None

    def __enter__(self) -> Between:
        host, port = endpoint(self.url)
        if self.url.startswith("http:"):
            self._reverse = self._stack.enter_context(Reverse(self.url, seed=self.seed))
            host, port = self._reverse.address
        self.wire = self._stack.enter_context(Wire(host, port, seed=self.seed))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def port(self) -> int:
        """Where the service reaches it."""
        return self.wire.address[1]

    @property
    def through(self) -> str:
        """The dependency's URL as the service is given it."""
        return self.wire.through(self.url)

    @property
    def calls(self) -> int:
        """How often it was called so far: requests where they can be told apart, new connections where not."""
        return max(self.wire.connections, self._reverse.requests if self._reverse else 0)

    @contextmanager
    def fault(self, fault: Fault | AnswerFault) -> Iterator[Hits]:
        """Place a fault until the block ends."""
        with self._placed(fault) as hits:
            yield hits

    def _placed(self, fault: Fault | AnswerFault) -> AbstractContextManager[Hits]:
        if isinstance(fault, Fault):
            return self.wire.fault(fault)
        assert self._reverse is not None
        return self._reverse.fault(fault)
