"""What every target offers, and what some offer beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pandas as pd

if TYPE_CHECKING:
    from seatrial.errors import TargetError
    from seatrial.targets.messages import Response


@runtime_checkable
class Target(Protocol):
    """A step behind a wire. It is a context manager; ``url`` says where it is.

    An extension registers its class, or a function that makes one, as an entry point of the group
    ``seatrial.targets``, under the scheme of its addresses. It is called with the whole address, and with the keyword
    options ``key`` (the column that names a row) and ``seconds`` (the deadline of one call).

    A target whose requests the contract check shall probe also has ``probe_plan``; see
    :class:`seatrial.targets.probes.base.Probeable`.

    Example:
        >>> class Echo(Http):
        ...     def __init__(self, url, *, key=None, **options):
        ...         super().__init__(url, **options)
        ...
        ...     def step(self, frame):
        ...         return frame_json.read([self.send(text).json() for text in frame_json.payloads(frame)], frame)
    """

    url: Any

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: object) -> None: ...

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the answers to these rows, one row each, in order; TargetError where there is none."""
        ...

    def send(
        self,
        payload: Any = None,
        *,
        path: str | None = None,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Response:
        """Send one payload, bytes as they are and anything else as JSON, and return what came back."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """A target that sends the rows of one request together, where a request has several."""

    def exchange_together(self, requests: Sequence[pd.DataFrame]) -> Sequence[Response | TargetError | None]:
        """Send every request and return what became of each, in order."""
        ...


@runtime_checkable
class Exchanging(Protocol):
    """A target that shows each response as it came, so that errors are reported request by request.

    Attributes:
        batch: where several requests go in one message; None where it takes one at a time.
    """

    batch: str | None

    def exchange(self, requests: pd.DataFrame, size: int = 1) -> Sequence[Response | TargetError | None]:
        """Send every request, ``size`` of them in one message, and return what became of each message, in order."""
        ...
