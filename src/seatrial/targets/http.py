"""Requests over HTTP whose every call ends: a total deadline, a bounded body, no foreign redirect, no proxy."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import httpx

from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.pipeline.access import Access
from seatrial.targets.compression import check_encoding, decompressed
from seatrial.targets.connections import ClosedError, is_closed, onward, reason, refused_after_handshake, refused_tls
from seatrial.targets.messages import Asked, Response, message_of
from seatrial.targets.pacing import Pace
from seatrial.targets.sending import Sending

T = TypeVar("T")

LIMIT_BYTES = 64 * 2**20  # of one answer's body
KEEP_SECONDS = 2.0  # of an idle connection: less than servers keep theirs, or a request meets its end
REDIRECTS = 3
JSON = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
_PROTOCOL = re.compile(r"^[a-z0-9.-]+\+(?=https?:)")  # what is spoken over HTTP


class Http:
    """A service's connections, on an event loop in a thread of its own; every method may be called from any thread.

    Args:
        url: ``http://host:port`` or https, a protocol such as ``rest+`` before it allowed; paths are given with each
            request and begin here.
        seconds: the deadline of one request, from connecting to the last byte.
        limit_bytes: the longest body that is read.
        connections: how many requests are under way at once.
        access: the headers and the TLS of its requests.
        pace: how many at once, and how many a second, the service takes; shared by all of its clients.
    """

    def __init__(
        self, url: str, *, seconds: float = 10.0, limit_bytes: int = LIMIT_BYTES, connections: int = 8,
        access: Access | None = None, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        try:
            self.url = httpx.URL(_PROTOCOL.sub("", url))
        except httpx.InvalidURL as error:
            raise UsageError(f"'{url}' is not a URL: {error}.") from error
        if self.url.scheme not in ("http", "https") or not self.url.host:
            raise UsageError(f"'{url}' is not the URL of a service. Example: http://127.0.0.1:8000/score.")
        self.seconds, self.limit_bytes, self.connections = seconds, limit_bytes, connections
        self.access, self.pace = access or Access(), pace or Pace(connections)
        self._tls = self.access.ssl_context() if self.url.scheme == "https" else None
        self._alone = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Http:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"to {self.url.host}", daemon=True)
        self._thread.start()
        self._transport = self._pool(self.connections)
        return self

    def __exit__(self, *_: object) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._close(), loop).result(5)
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(5)
            loop.close()

    def _connect(self, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        """Return what carries the requests: no cookies from one to the next, nothing from the environment."""
        return httpx.AsyncHTTPTransport(limits=limits, trust_env=False, verify=self._tls or False)

    def _pool(self, kept: int) -> httpx.AsyncBaseTransport:
        return self._connect(httpx.Limits(max_connections=self.connections, max_keepalive_connections=kept,
                                          keepalive_expiry=KEEP_SECONDS))  # fmt: skip

    async def reconnect(self, *, alone: bool) -> None:
        """Close every connection; from now on keep none open between requests where each is to be ``alone``."""
        old, self._alone = self._transport, alone
        self._transport = self._pool(0 if alone else self.connections)
        if old is not self._transport:
            await old.aclose()

    def root(self, *, seconds: float, connections: int = 8) -> Http:
        """Return another client of the same service, from its root; use it in a ``with`` block."""
        url = str(self.url.copy_with(raw_path=b"/"))
        return Http(url, seconds=seconds, connections=connections, access=self.access, pace=self.pace)

    def send(
        self,
        payload: Any = None,
        *,
        path: str | None = None,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Response:
        """Send one request and return what came back, whatever its status.

        Where the service closes the connection before it answers, the request is sent once more, on a fresh one: a
        server may close one that is kept alive, such as after an unhandled error, while the request is on its way.
        Where it asks to wait (429, or 503 with ``Retry-After``), the request is sent again after that, within bounds.

        Raises:
            TargetError: nobody answered.
            AnswerError: the answer did not end in time, was too long, broke HTTP or pointed to another host.
        """
        return self._run(self.pace.paced(lambda: self.ask(*message_of(payload, method, path, headers), seconds)))

    def send_all(
        self,
        payloads: Sequence[Any],
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        all_seconds: float = 600.0,
    ) -> list[Response | TargetError | None]:
        """Send many requests, ``connections`` at once or as many as the service takes, and return what became of each.

        They are in order. An error stands in its request's place. None stands for what was not sent: after five
        requests in a row without an answer, after ``all_seconds``, or when a gigabyte of answers is kept.
        """
        asked = [lambda p=p: self.ask(*message_of(p, "POST", path, headers), seconds) for p in payloads]
        return self._run(Sending(self, asked, seconds or self.seconds, all_seconds).run())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise UsageError(f"The connection to {self.url} is not open; use it in a with block.")
        under_way = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return under_way.result()
        except BaseException:
            under_way.cancel()
            raise

    async def ask(
        self, method: str, path: str | None, body: bytes | None, headers: Mapping[str, str] | None,
        seconds: float | None,
    ) -> Response:  # fmt: skip
        """Send one request, once more on a fresh connection where the first was closed; see :meth:`send`."""
        if self.pace.alone and not self._alone:
            await self.reconnect(alone=True)
        own = {**JSON, **{name.lower(): value for name, value in (headers or {}).items()}}
        shown = Asked(method, self._where(path), own, body or b"")
        try:
            response = await self._asked(method, path, body, headers, seconds or self.seconds)
        except TargetError as error:
            error.asked = shown
            raise
        return replace(response, asked=shown)

    async def _asked(self, *asked: Any) -> Response:
        path: str | None = asked[1]
        try:
            return await self._exchange(self._transport, *asked)
        except ClosedError as first:
            fresh = self._connect(httpx.Limits(max_connections=1, max_keepalive_connections=0))
            try:
                return replace(await self._exchange(fresh, *asked), again=True)
            except TargetError:
                if self._tls and (why := await refused_after_handshake(self.url, self._tls)):
                    raise TargetError(f"No connection to {self._where(path)}: {why}.") from None
                raise first from None
            finally:
                if fresh is not self._transport:
                    await fresh.aclose()

    async def _exchange(
        self,
        transport: httpx.AsyncBaseTransport,
        method: str,
        path: str | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        seconds: float,
    ) -> Response:
        begin, begun = time.perf_counter(), False
        url = self.url if path is None else self.url.join(path)
        try:
            # One deadline over everything: a time-out of each read is defeated by a byte now and then.
            async with asyncio.timeout(seconds):
                for _ in range(REDIRECTS + 1):
                    request = httpx.Request(method, url, headers=self._headers(headers), content=body)
                    response = await transport.handle_async_request(request)
                    begun = True
                    try:
                        to = onward(url, response)
                        if to is None:
                            content, arrived = await self._read(response, request.headers, begin)
                            spent = time.perf_counter() - begin
                            told = dict(response.headers)
                            return Response(response.status_code, told, content, spent, arrived=arrived)
                        url = to
                    finally:
                        await response.aclose()
                raise AnswerError(f"{self._where(path)} redirected more than {REDIRECTS} times.")
        except TimeoutError as error:
            raise AnswerError(f"{self._where(path)} did not send a complete response within {seconds:g} s.") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, OSError) as error:
            why = refused_tls(error) or str(error).rstrip(".") or "refused"
            raise TargetError(f"No connection to {self._where(path)}: {why}.") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            if why := refused_tls(error):
                raise TargetError(f"No connection to {self._where(path)}: {why}.") from error
            kind = AnswerError if begun or not is_closed(error) else ClosedError
            raise kind(f"{self._where(path)} did not send a complete response: {reason(error)}.") from error

    def _headers(self, own: Mapping[str, str] | None) -> dict[str, str]:
        return {**JSON, **self.access.headers, **{name.lower(): value for name, value in (own or {}).items()}}

    async def _read(
        self, response: httpx.Response, asked: Mapping[str, str], begin: float
    ) -> tuple[bytes, tuple[tuple[float, int], ...]]:
        """Return the body, and when so many of its bytes had arrived."""
        encoding = response.headers.get("content-encoding", "identity").lower()
        check_encoding(encoding, asked)
        length = response.headers.get("content-length", "")
        if length.isdigit() and int(length) > self.limit_bytes:
            raise AnswerError(f"The response is {int(length):,} bytes long; at most {self.limit_bytes:,} are read.")
        parts, arrived, size = [], [], 0
        assert isinstance(response.stream, httpx.AsyncByteStream)
        async for part in response.stream:
            size += len(part)
            if size > self.limit_bytes:
                raise AnswerError(f"The response is longer than {self.limit_bytes:,} bytes.")
            parts.append(part)
            arrived.append((time.perf_counter() - begin, size))
        return decompressed(b"".join(parts), encoding, self.limit_bytes), tuple(arrived)

    def _where(self, path: str | None) -> str:
        return str((self.url if path is None else self.url.join(path)).copy_with(userinfo=b""))

    async def _close(self) -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._transport.aclose()
