"""The exceptions of a project's own code, with their text: for its author, never for an event."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from seatrial.errors import SeatrialError

OWN = tuple(f"{path.parents[1]}{os.sep}" for path in (Path(__file__), Path(__file__).resolve()))  # a worker's is a link
CHARACTERS = 16_384


def details_of(error: BaseException) -> str:
    """Return the traceback of an exception, or of the one that it was raised from, without seatrial's own frames.

    Example:
        >>> try:
        ...     {}["amount"]
        ... except KeyError as error:
        ...     print(details_of(error).splitlines()[-1])
        KeyError: 'amount'
    """
    told = traceback.TracebackException.from_exception(_origin(error))
    each: traceback.TracebackException | None = told
    while each is not None:
        own = [frame for frame in each.stack if not frame.filename.startswith(OWN)]
        each.stack = traceback.StackSummary.from_list(own)
        each = each.__cause__ or each.__context__
    return "".join(told.format())[-CHARACTERS:]


def shown(error: BaseException) -> str:
    """Return type and text of an exception on one line, with the line of the project's code that raised it.

    Example:
        >>> shown(ValueError("no such branch"))
        'ValueError: no such branch'
    """
    origin = _origin(error)
    frames = [f for f in traceback.extract_tb(origin.__traceback__) if not f.filename.startswith(OWN)]
    own = next((f for f in reversed(frames) if "site-packages" not in f.filename), None)
    text = " ".join("".join(traceback.format_exception_only(type(origin), origin)).split())
    where = "" if own is None else f" ({own.filename}, line {own.lineno}: {own.line})"
    return f"{text[:500]}{where}"


def _origin(error: BaseException) -> BaseException:
    """Return the exception of the project's code that an error of seatrial's was raised from."""
    while isinstance(error, SeatrialError) and error.__cause__ is not None:
        error = error.__cause__
    return error
