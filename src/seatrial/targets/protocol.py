"""What every target offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

if TYPE_CHECKING:
    from seatrial.targets.messages import Response


class Target(Protocol):
    """What every target can. It is a context manager; ``url`` says where it is."""

    url: Any

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: object) -> None: ...

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the answers to these rows; TargetError where there is none."""
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
