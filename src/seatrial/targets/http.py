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
from seatrial.targets.compression import check_encoding, decompressed
from seatrial.targets.connections import ClosedError, is_closed, reason
from seatrial.targets.messages import Response, message_of

T = TypeVar("T")

LIMIT_BYTES = 64 * 2**20  # of one answer's body
LIMIT_ALL_BYTES = 2**30  # of all the answers that are kept at once
KEEP_SECONDS = 2.0  # of an idle connection: less than servers keep theirs, or a request meets its end
REDIRECTS = 3
FAILURES = 5  # requests in a row without an answer after which the rest are not sent
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
    """

    def __init__(
        self, url: str, *, seconds: float = 10.0, limit_bytes: int = LIMIT_BYTES, connections: int = 8
    ) -> None:
        try:
            self.url = httpx.URL(_PROTOCOL.sub("", url))
        except httpx.InvalidURL as error:
            raise UsageError(f"'{url}' is not a URL: {error}.") from error
        if self.url.scheme not in ("http", "https") or not self.url.host:
            raise UsageError(f"'{url}' is not the URL of a service. Example: http://127.0.0.1:8000/score.")
        self.seconds, self.limit_bytes, self.connections = seconds, limit_bytes, connections
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Http:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"to {self.url.host}", daemon=True)
        self._thread.start()
        limits = httpx.Limits(
            max_connections=self.connections,
            max_keepalive_connections=self.connections,
            keepalive_expiry=KEEP_SECONDS,
        )
        self._transport = self._connect(limits)
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
        return httpx.AsyncHTTPTransport(limits=limits, trust_env=False, verify=self.url.scheme == "https")

    def root(self, *, seconds: float, connections: int = 8) -> Http:
        """Return another client of the same service, from its root; use it in a ``with`` block."""
        return Http(str(self.url.copy_with(raw_path=b"/")), seconds=seconds, connections=connections)

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

        Raises:
            TargetError: nobody answered.
            AnswerError: the answer did not end in time, was too long, broke HTTP or pointed to another host.
        """
        return self._run(self._ask(*message_of(payload, method, path, headers), seconds or self.seconds))

    def send_all(
        self,
        payloads: Sequence[Any],
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        all_seconds: float = 600.0,
    ) -> list[Response | TargetError | None]:
        """Send many requests, ``connections`` at once, and return what became of each, in order.

        An error stands in its request's place. None stands for what was not sent, after ``FAILURES`` requests
        in a row without an answer, after ``all_seconds``, or when a gigabyte of answers is kept.
        """
        return self._run(self._send_all(payloads, path, headers, seconds or self.seconds, all_seconds))

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

    async def _send_all(
        self,
        payloads: Sequence[Any],
        path: str | None,
        headers: Mapping[str, str] | None,
        seconds: float,
        all_seconds: float,
    ) -> list[Response | TargetError | None]:
        results: list[Response | TargetError | None] = [None] * len(payloads)
        waiting = iter(range(len(payloads)))
        until, failures, kept = time.monotonic() + all_seconds, 0, 0

        async def worker() -> None:
            nonlocal failures, kept
            for n in waiting:
                if failures >= FAILURES or kept > LIMIT_ALL_BYTES or time.monotonic() > until:
                    return
                try:
                    response = await self._ask(*message_of(payloads[n], "POST", path, headers), seconds)
                    kept, failures = kept + len(response.body), 0
                    results[n] = response
                except TargetError as error:
                    failures += 1
                    results[n] = error

        await asyncio.gather(*(worker() for _ in range(self.connections)))
        return results

    async def _ask(self, *asked: Any) -> Response:
        try:
            return await self._exchange(self._transport, *asked)
        except ClosedError as first:
            fresh = self._connect(httpx.Limits(max_connections=1, max_keepalive_connections=0))
            try:
                return replace(await self._exchange(fresh, *asked), again=True)
            except TargetError:
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
                    request = httpx.Request(method, url, headers={**JSON, **(headers or {})}, content=body)
                    response = await transport.handle_async_request(request)
                    begun = True
                    try:
                        onward = self._onward(url, response)
                        if onward is None:
                            content, arrived = await self._read(response, request.headers, begin)
                            spent = time.perf_counter() - begin
                            told = dict(response.headers)
                            return Response(response.status_code, told, content, spent, arrived=arrived)
                        url = onward
                    finally:
                        await response.aclose()
                raise AnswerError(f"{self._where(path)} redirected more than {REDIRECTS} times.")
        except TimeoutError as error:
            raise AnswerError(f"{self._where(path)} did not send a complete response within {seconds:g} s.") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, OSError) as error:
            raise TargetError(f"No connection to {self._where(path)}: {error or 'refused'}.") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            kind = AnswerError if begun or not is_closed(error) else ClosedError
            raise kind(f"{self._where(path)} did not send a complete response: {reason(error)}.") from error

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

    def _onward(self, url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
        """Return where a redirect that keeps method and body leads on this host; others are answers like any."""
        if response.status_code not in (301, 302, 303, 307, 308) or "location" not in response.headers:
            return None
        to = url.join(response.headers["location"])
        if (to.scheme, to.host, to.port) != (url.scheme, url.host, url.port):
            raise AnswerError(
                f"{url.scheme}://{url.netloc.decode()} redirects to another host, "
                f"'{to.host or to.scheme}'; it was not followed."
            )
        return to if response.status_code in (307, 308) else None

    def _where(self, path: str | None) -> str:
        return str((self.url if path is None else self.url.join(path)).copy_with(userinfo=b""))

    async def _close(self) -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._transport.aclose()
