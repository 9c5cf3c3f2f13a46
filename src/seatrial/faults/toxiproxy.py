"""The same faults on a Toxiproxy server that is already there, through its HTTP API.

For set-ups where the proxy has to stand elsewhere than on this machine. Toxiproxy does not count what a toxic
did (its byte counters move only when a connection ends, with bytes from before the toxic in them), so a fault
placed this way yields None where ``Wire`` yields ``Hits``: that it fired cannot be seen, and is not judged.
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
from seatrial.faults.network import TOXICS, Down, Fault
from seatrial.faults.proxy.tcp import endpoint

_NAMES = {kind: name for name, kind in TOXICS.items()}
_SECONDS = 10.0


class Toxiproxy:
    """A proxy of our own on the server at ``api`` (``http://127.0.0.1:8474``), removed when the block ends.

    ``listen`` is where that server listens for the service, a free port of its loopback by default.
    """

    def __init__(self, api: str, name: str, upstream_url: str, *, listen: str = "127.0.0.1:0") -> None:
        self.api, self.name, self.listen = endpoint(api), name, listen
        self.upstream = "{}:{}".format(*endpoint(upstream_url))
        self._placed = 0

    def __enter__(self) -> Toxiproxy:
        wanted = {"name": self.name, "listen": self.listen, "upstream": self.upstream, "enabled": True}
        self.address = str(self._ask("POST", "/proxies", wanted)["listen"])
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("DELETE", self._path())

    def through(self, url: str) -> str:
        """Return the dependency's URL with this proxy's address in place of its own."""
        parts = urlsplit(url)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=user + self.address))

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Place a fault until the block ends, however it ends."""
        if isinstance(fault, Down):
            self._ask("POST", self._path(), {"enabled": False})
            try:
                yield
            finally:
                self._ask("POST", self._path(), {"enabled": True})
            return
        self._placed += 1
        toxic = f"seatrial-{self._placed}"
        self._ask("POST", f"{self._path()}/toxics", {"name": toxic, **as_toxic(fault)})
        try:
            yield
        finally:
            self._ask("DELETE", f"{self._path()}/toxics/{toxic}")

    def _path(self) -> str:
        return f"/proxies/{quote(self.name, safe='')}"

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = HTTPConnection(*self.api, timeout=_SECONDS)
        where = f"Toxiproxy at {self.api[0]}:{self.api[1]}"
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json", "User-Agent": "seatrial"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise TargetError(
                    f"{where} refused {method} {path}: {answer.status} {text[:200].decode(errors='replace')}"
                )
            found = json.loads(text) if text else {}
        except (OSError, HTTPException, ValueError) as error:
            raise TargetError(f"{where} does not answer as it should: {error}. Is it running?") from error
        finally:
            connection.close()
        return found if isinstance(found, dict) else {}


def as_toxic(fault: Fault) -> dict[str, Any]:
    """Return the fault in the words of Toxiproxy's API; its attributes are whole numbers there.

    Raises:
        UsageError: Toxiproxy has no such toxic, as with a fault of another package.
    """
    if type(fault) not in _NAMES:
        raise UsageError(
            f"Toxiproxy has no toxic for the fault {type(fault).__name__}. It has: {', '.join(TOXICS)}. "
            "Place this fault through a proxy of seatrial."
        )
    attributes = {name: value for name, value in asdict(fault).items() if name not in ("stream", "toxicity")}
    return {
        "type": _NAMES[type(fault)],
        "stream": fault.stream,
        "toxicity": fault.toxicity,
        "attributes": {name: round(value) for name, value in attributes.items()},
    }
