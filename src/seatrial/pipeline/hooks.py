"""Hooks of a service: functions of the project that write the HTTP request of rows, and read the answer to it.

They are the project's code, so they run where its stages run. What they return is data: it is checked, and the judge
sends and compares it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from seatrial.errors import PipelineError, SeatrialError
from seatrial.pipeline.copies import own_copy
from seatrial.pipeline.forms import UNSAFE, Part, form_part
from seatrial.pipeline.returned import returned
from seatrial.pipeline.rule import describe, misnamed

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
MAX_BODY_BYTES = 64 * 2**20
MAX_POLL_SECONDS = 3_600.0
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OWN = ("content-length", "transfer-encoding", "host", "connection", "content-type")


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request, as a ``request`` hook writes it.

    Attributes:
        body: its bytes; text is sent as UTF-8.
        content_type: of the body.
        path: where it goes, with its query; None is ``predict`` of the service, or ``batch`` for a batch.
        method: ``POST`` by default.
        headers: further headers. Length, host and content type are not among them.

    Raises:
        PipelineError: HTTP cannot carry it, with the part that is wrong.

    Example:
        >>> HttpRequest("x,y\\n1,2\\n", "text/csv").body
        b'x,y\\n1,2\\n'
    """

    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/octet-stream"
    path: str | None = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        body: Any = self.body
        if isinstance(body, str):
            object.__setattr__(self, "body", body.encode("utf-8", "surrogatepass"))
        elif isinstance(body, bytearray | memoryview):
            object.__setattr__(self, "body", bytes(body))
        elif not isinstance(body, bytes):
            raise PipelineError(f"HttpRequest(body=…) is a {type(body).__name__}. Give bytes, or text.")
        if len(self.body) > MAX_BODY_BYTES:
            raise PipelineError(
                f"HttpRequest(body=…) has {len(self.body):,} bytes; at most {MAX_BODY_BYTES:,} are sent."
            )
        if self.method not in METHODS:
            raise PipelineError(f"HttpRequest(method={self.method!r}): give one of {', '.join(METHODS)}.")
        path = self.path
        if path is not None and not (isinstance(path, str) and path.startswith("/") and not path.startswith("//")):
            raise PipelineError(f"HttpRequest(path={path!r}): give a path of the service, such as '/predict'.")
        if not isinstance(self.headers, Mapping):
            raise PipelineError("HttpRequest(headers=…) is no mapping of names to texts.")
        for name, value in {**self.headers, "content-type": self.content_type}.items():
            if not (isinstance(name, str) and isinstance(value, str) and _TOKEN.fullmatch(name)) or UNSAFE.search(
                value
            ):
                raise PipelineError(f"HttpRequest has the header {str(name)[:60]!r}, which HTTP cannot carry.")
        if odd := next((name for name in self.headers if name.lower() in OWN), None):
            told = "Give it as content_type=." if odd.lower() == "content-type" else "Leave it out."
            raise PipelineError(f"HttpRequest(headers=…) has '{odd}', which is set for each request. {told}")

    @classmethod
    def json(cls, value: Any, **others: Any) -> HttpRequest:
        """Return a request with JSON as its body.

        Example:
            >>> HttpRequest.json({"x": 1}).body
            b'{"x":1}'
        """
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            raise PipelineError(f"HttpRequest.json: the value is not JSON: {error}.") from error
        return cls(text.encode("utf-8", "surrogatepass"), "application/json", **others)

    @classmethod
    def form(cls, parts: Mapping[str, Part], **others: Any) -> HttpRequest:
        """Return a request with a multipart form as its body; the same parts give the same bytes.

        Example:
            >>> HttpRequest.form({"image": ("a.png", b"...", "image/png")}).content_type.partition(";")[0]
            'multipart/form-data'
        """
        written = [form_part(name, part) for name, part in parts.items()]
        boundary = "seatrial-" + hashlib.sha256(b"\0".join(written)).hexdigest()[:32]
        body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in written)
        return cls(body + b"--%b--\r\n" % boundary.encode(), f"multipart/form-data; boundary={boundary}", **others)

    def gzipped(self) -> HttpRequest:
        """Return it with a compressed body, and accepting a compressed answer."""
        headers = {"content-encoding": "gzip", "accept-encoding": "gzip", **self.headers}
        return replace(self, body=gzip.compress(self.body, mtime=0), headers=headers)


@dataclass(frozen=True)
class HttpAnswer:
    """The answer of a service, as a ``response`` hook gets it; its status is one of success.

    Attributes:
        status: 200 to 299.
        headers: by name in lower case.
        body: its bytes, decompressed.
        polls: how often the hook asked to wait for it before.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    polls: int = 0

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode("utf-8")

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Poll:
    """What a ``response`` hook returns where the answer is to be fetched later.

    Attributes:
        url: where, on the service's own host; a path will do. Empty is where the last answer came from.
        seconds: the time in which it must be there, counted from the first answer.
        every: the time between two requests for it, in seconds; a longer ``Retry-After`` is heeded.

    Raises:
        PipelineError: the URL is no text, or a time is out of range.

    Example:
        >>> Poll("/jobs/7").seconds
        30.0
    """

    url: str = ""
    seconds: float = 30.0
    every: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.url, str) or UNSAFE.search(self.url):
            raise PipelineError(f"Poll(url={str(self.url)[:60]!r}): give the address of the answer as text.")
        for name, most in (("seconds", MAX_POLL_SECONDS), ("every", 60.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
                raise PipelineError(f"Poll({name}={value!r}): give seconds, above 0 and at most {most:g}.")


@runtime_checkable
class Hooks(Protocol):
    """Runs the hooks of a service where its pipeline runs; a replayer does."""

    def write_requests(self, batches: Sequence[pd.DataFrame]) -> list[HttpRequest]:
        """Return the request that the ``request`` hook writes for each batch of rows.

        Raises:
            PipelineError: it raised, or returned no request.
        """
        ...

    def read_answers(self, answers: Sequence[HttpAnswer]) -> list[pd.DataFrame | Poll | SeatrialError]:
        """Return what the ``response`` hook reads in each answer, or why it could not."""
        ...


def written(hook: Callable[[pd.DataFrame], Any], rows: pd.DataFrame) -> HttpRequest:
    """Return the request that a hook writes for rows; PipelineError names the hook where it raised or returned else."""
    name = _name(hook)
    try:
        made = hook(own_copy(rows))
    except PipelineError as error:
        raise PipelineError(f"The request hook '{name}' of the service returned no usable request. {error}") from error
    except (Exception, SystemExit) as error:
        raise PipelineError(f"The request hook '{name}' of the service raised {describe(error)}.") from error
    if not isinstance(made, HttpRequest):
        raise PipelineError(
            f"The request hook '{name}' of the service returned a {type(made).__name__}. Return a "
            "seatrial.HttpRequest, such as HttpRequest(body, 'text/csv')."
        )
    return made


def read(hook: Callable[[HttpAnswer], Any], answer: HttpAnswer) -> pd.DataFrame | Poll:
    """Return the rows that a hook reads in an answer, or its wish to wait; PipelineError names the hook if it fails."""
    name = _name(hook)
    try:
        found = hook(answer)
        if isinstance(found, Poll):
            return found
        out = [dict(found)] if isinstance(found, Mapping) else found
        frame = returned(name, out, before=pd.DataFrame(), key=(), columns=()).frame
    except PipelineError as error:
        kinds = "Return a DataFrame, a list of dicts, a dict, or a Poll"
        what = f"returned a {type(found).__name__}" if "found" in locals() else f"could not read the answer. {error}"
        raise PipelineError(f"The response hook '{name}' of the service {what.rstrip('.')}. {kinds}.") from error
    except (Exception, SystemExit) as error:
        raise PipelineError(
            f"The response hook '{name}' of the service could not read the answer: it raised {describe(error)}."
        ) from error
    if wrong := misnamed(frame):
        raise PipelineError(f"The response hook '{name}' of the service returned {wrong}.")
    return frame.reset_index(drop=True)


def reading(hook: Callable[[HttpAnswer], Any], answer: HttpAnswer) -> pd.DataFrame | Poll | SeatrialError:
    """Return what :func:`read` does, and its error in place of it."""
    try:
        return read(hook, answer)
    except SeatrialError as error:
        return error


def _name(hook: Any) -> str:
    return str(getattr(hook, "__name__", type(hook).__name__))[:80]
