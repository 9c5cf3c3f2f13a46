"""The same faults on a running Toxiproxy server, through its HTTP API.

It is for a proxy that has to run elsewhere than on this machine. Toxiproxy does not count what a toxic did (its byte
counters change only when a connection ends, and include bytes from before the toxic), so a fault placed this way
yields None in place of a ``FaultCounter``: whether it did something is not known, and is not evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from seatrial.errors import TargetError, UsageError
from seatrial.faults.base import Fault
from seatrial.faults.network import Bandwidth, Down, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout
from seatrial.faults.proxy.tcp import address_of

TOXICS: dict[str, type[Fault]] = {
    "down": Down,
    "timeout": Timeout,
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
}
"""The faults by the names of Toxiproxy's toxics."""
_NAMES = {kind: name for name, kind in TOXICS.items()}
_SECONDS = 10.0


class Toxiproxy:
    """A proxy on a Toxiproxy server, made when the block begins and removed when it ends.

    Args:
        api: of the server, such as ``http://127.0.0.1:8474``.
        name: of the proxy; no other on the server may have it.
        upstream_url: the dependency's.
        listen: where the server listens for the service; a free port of its loopback address by default.

    Raises:
        TargetError: the server refuses, or does not answer.

    Example:
        >>> with Toxiproxy("http://127.0.0.1:8474", "store", "redis://db:6379/0") as proxy:
        ...     with proxy.fault(Latency(latency=500)):
        ...         ...
    """

    def __init__(self, api: str, name: str, upstream_url: str, *, listen: str = "127.0.0.1:0") -> None:
        self.api, self.name, self.listen = address_of(api), name, listen
        self.upstream = "{}:{}".format(*address_of(upstream_url))
        self._placed = 0

    def __enter__(self) -> Toxiproxy:
        proxy = {"name": self.name, "listen": self.listen, "upstream": self.upstream, "enabled": True}
        self.address = str(self._request("POST", "/proxies", proxy)["listen"])
        return self

    def __exit__(self, *_: object) -> None:
        self._request("DELETE", self._path())

    def through(self, url: str) -> str:
        """Return the dependency's URL with this proxy's address in place of its own."""
        parts = urlsplit(url)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=user + self.address))

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Place a fault until the block ends, also where it raises."""
        if isinstance(fault, Down):
            self._request("POST", self._path(), {"enabled": False})
            try:
                yield
            finally:
                self._request("POST", self._path(), {"enabled": True})
            return
        self._placed += 1
        toxic = f"seatrial-{self._placed}"
        self._request("POST", f"{self._path()}/toxics", {"name": toxic, **as_toxic(fault)})
        try:
            yield
        finally:
            self._request("DELETE", f"{self._path()}/toxics/{toxic}")

    def _path(self) -> str:
        return f"/proxies/{quote(self.name, safe='')}"

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = HTTPConnection(*self.api, timeout=_SECONDS)
        where = f"Toxiproxy at {self.api[0]}:{self.api[1]}"
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json", "User-Agent": "seatrial"})
            response = connection.getresponse()
            text = response.read()
            if response.status >= 300:
                raise TargetError(
                    f"{where} refused {method} {path}: {response.status} {text[:200].decode(errors='replace')}"
                )
            found = json.loads(text) if text else {}
        except (OSError, HTTPException, ValueError) as error:
            raise TargetError(f"{where} gave no usable response: {error}. Is it running?") from error
        finally:
            connection.close()
        return found if isinstance(found, dict) else {}


def as_toxic(fault: Fault) -> dict[str, Any]:
    """Return the fault as Toxiproxy's API expects it; its attributes are whole numbers there.

    Raises:
        UsageError: Toxiproxy has no such toxic, as for a fault of another package.

    Example:
        >>> as_toxic(Latency(latency=500))["attributes"]
        {'latency': 500, 'jitter': 0}
    """
    if type(fault) not in _NAMES:
        raise UsageError(
            f"Toxiproxy has no toxic for the fault {type(fault).__name__}. It has: {', '.join(TOXICS)}. "
            "Place this fault on a seatrial.faults.proxy.tcp.TcpProxy."
        )
    attributes = {name: value for name, value in asdict(fault).items() if name not in ("stream", "toxicity")}
    return {
        "type": _NAMES[type(fault)],
        "stream": fault.stream,
        "toxicity": fault.toxicity,
        "attributes": {name: round(value) for name, value in attributes.items()},
    }
