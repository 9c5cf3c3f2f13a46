"""Compressed answers, read within a bound: a few bytes may stand for gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from seatrial.errors import AnswerError

WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
ACCEPT = "accept-encoding"


def check_encoding(encoding: str, headers: Mapping[str, str]) -> None:
    """Raise AnswerError where an answer has an encoding that its request did not accept, or that is not read."""
    accepted = next((value for name, value in headers.items() if name.lower() == ACCEPT), "identity").lower()
    if encoding == "identity" or (encoding in WINDOWS and encoding.removeprefix("x-") in accepted):
        return
    what = (
        "which the request does not accept" if encoding not in accepted else "which is not read; gzip and deflate are"
    )
    raise AnswerError(f"The response is encoded as {encoding}, {what}.")


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body without its encoding.

    Raises:
        AnswerError: it is not what its encoding says, ends early, or is longer than ``limit`` bytes.
    """
    if encoding == "identity":
        return body
    reader = zlib.decompressobj(WINDOWS[encoding])
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise AnswerError(f"The response is not {encoding}, as its header says: {error}.") from error
    if len(plain) > limit:
        raise AnswerError(f"The response is longer than {limit:,} bytes, decompressed.")
    if not reader.eof:
        raise AnswerError(f"The response ends in the middle of its {encoding}.")
    return plain
