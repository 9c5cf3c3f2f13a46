"""An open-loop HTTP/1.1 load generator: it sends on schedule, whatever the service does.

Latency counts from the moment a request was *due*, so that a stall costs every request that fell into it
and not only the one under way (Tene, How NOT to Measure Latency, 2013: coordinated omission).
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np

from seatrial.errors import UsageError
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.schedule import Schedule
from seatrial.loadgen.wire.generator import Generator
from seatrial.loadgen.wire.grpc import GrpcGenerator
from seatrial.loadgen.wire.http1 import request_bytes
from seatrial.pipeline import HttpRequest
from seatrial.pipeline.access import Access
from seatrial.pipeline.address import is_loopback
from seatrial.process.event_loop import new_loop, without_collection

MAX_REQUESTS, MAX_SECONDS, MAX_CONNECTIONS = 5_000_000, 3_600.0, 8_192
_OTHER_FILES = 64


def offer(
    url: str,
    schedule: Schedule,
    payloads: Sequence[bytes | HttpRequest] = (b"",),
    *,
    order: Sequence[int] | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    access: Access | None = None,
    timeout_seconds: float = 10.0,
    connections: int = 256,
    keep: Collection[int] = (),
    expect: Sequence[bytes] = (),
    timed: bool = False,
    allow_hosts: Collection[str] = (),
    start_at: float | None = None,
) -> LoadRun:
    """Send every request of the schedule when it is due, and wait until each has ended.

    It runs an event loop of its own: from asynchronous code, call it in a thread.

    Args:
        url: such as ``http://127.0.0.1:8000/score``, or with https; ``grpc://127.0.0.1:8081`` for unary calls, whose
            payloads are whole requests with the method as their path.
        schedule: when each request is due.
        payloads: bodies, each of which many requests may carry; or whole requests, whose method, content type and
            headers are their own, and the path where they name one.
        order: the place in ``payloads`` of what each request carries, used in turn; by default one after another.
        method: of every request.
        headers: of every request; they replace or join those of :func:`~seatrial.loadgen.wire.http1.request_bytes`.
        access: headers that come before those, and how the certificate of an https address is checked.
        timeout_seconds: counts from when a request was due, and is total.
        connections: the most that are open at once. A request that finds none free waits, and its latency runs.
        keep: indices of requests whose responses are returned.
        expect: what the body of each successful response contains, one for each payload. A
            response without it is returned too, up to ``generator.ODD`` of them.
        timed: whether the responses that are returned tell when their parts arrived.
        allow_hosts: hosts, besides this machine, that may be loaded.
        start_at: the moment, by ``time.monotonic()``, at which several generators begin together.

    Raises:
        UsageError: a host other than this machine that is not in ``allow_hosts``, or a load out of bounds.
        TargetError: nothing listens at ``url`` before the first request is due.

    Example:
        >>> schedule = poisson(constant(rate=200, seconds=60), seed=7, requests=10_000)
        >>> run = offer("http://127.0.0.1:8000/score", schedule, [b'{"amount": 12.5}'])
        >>> run.counts()
        {'status 200': 10000}
    """
    host, port, path, secure = _address(url, allow_hosts)
    access = access or Access()
    sent = {**{name.lower(): value for name, value in access.headers.items()}, **(headers or {})}
    _within_bounds(schedule, payloads, timeout_seconds, connections)
    turns = range(len(payloads)) if order is None else np.asarray(order).tolist()
    if urlsplit(url).scheme == "grpc":
        calls = [(each.path or "", each.body) for each in payloads if isinstance(each, HttpRequest)]
        grpc = GrpcGenerator(
            f"{host}:{port}", calls, timeout=timeout_seconds, keep=frozenset(keep), order=turns, metadata=sent
        )
        with without_collection(), asyncio.Runner() as runner:
            return runner.run(grpc.run(schedule, start_at))
    usual = HttpRequest(content_type=sent.pop("content-type", "application/json"), method=method, headers={})
    requests = [
        _on_the_wire(f"{host}:{port}", path, each if isinstance(each, HttpRequest) else replace(usual, body=each), sent)
        for each in payloads
    ]
    generator = Generator(
        host, port, requests, timeout=timeout_seconds, connections=connections, keep=frozenset(keep),
        order=turns, expect=expect,
        tls=access.ssl_context() if secure else None, timed=timed,
    )  # fmt: skip
    with without_collection(), asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(generator.run(schedule, start_at))


def _on_the_wire(host: str, path: str, message: HttpRequest, headers: Mapping[str, str]) -> bytes:
    own = {"content-type": message.content_type, **{name.lower(): value for name, value in message.headers.items()}}
    return request_bytes(host, message.path or path, message.body, method=message.method, headers={**headers, **own})


def _address(url: str, allow_hosts: Collection[str]) -> tuple[str, int, str, bool]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    if parts.scheme not in ("http", "https", "grpc") or not host:
        raise UsageError(f"The address of a load is like http://127.0.0.1:8000/score; found '{url}'.")
    host = "127.0.0.1" if host == "localhost" else host
    if host not in allow_hosts and not is_loopback(host):
        raise UsageError(f"Load is sent to this machine only. To load '{host}', add it to allow_hosts.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, parts.port or (443 if secure else 80), path, secure


def _within_bounds(schedule: Schedule, payloads: Sequence[object], timeout: float, connections: int) -> None:
    for what, value, most in (
        ("requests", len(schedule), MAX_REQUESTS),
        ("seconds", schedule.seconds, MAX_SECONDS),
        ("payloads", len(payloads), MAX_REQUESTS),
        ("seconds of time-out", timeout, MAX_SECONDS),
        ("connections", connections, MAX_CONNECTIONS),
    ):
        if not 0 < value <= most:
            raise UsageError(f"A load run of {value:,g} {what} is out of bounds. Allowed: above 0, at most {most:,g}.")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if connections > files - _OTHER_FILES:
        raise UsageError(
            f"{connections:,} connections do not fit into {files:,} open files, {_OTHER_FILES} of which are reserved. "
            f"Type 'ulimit -n {connections + _OTHER_FILES}' first, or set fewer: [load] connections."
        )
