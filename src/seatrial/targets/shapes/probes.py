"""The fixed probes of requests that are any bytes: what a correct service refuses, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.pipeline import HttpRequest
from seatrial.targets.probes.base import Expect, Probe

MOST_VALID = 6  # requests of the reference that are sent unchanged
NOISE = b"\x00\xff\xfe\x01 seatrial \x00"


def probes_of_bytes(valid: HttpRequest) -> Iterator[Probe]:
    """Yield the probes made from a request that the service answers."""
    body, kind = valid.body, valid.content_type
    yield Probe("malformed", "an empty body", b"", content_type=kind)
    yield Probe("malformed", "bytes that are no request", NOISE, content_type=kind)
    if len(body) > 3:
        yield Probe("malformed", "half a request", body[: len(body) // 2], Expect.EITHER, content_type=kind)
    other = "application/json" if "json" not in kind else "text/plain"
    yield Probe("content-type", f"the request declared as {other}", body, Expect.EITHER, content_type=other)
