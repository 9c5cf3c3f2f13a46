"""A gateway before an HTTP server: it refuses, loses or cuts what a test says, or is away altogether."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from tests.support.ports import free_port

LOST, CUT = "lost", "cut"  # the answer never comes, or half of it
Rule = Callable[[str, str], "int | str | None"]
REFUSED = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "It is too long."}'  # as MLflow says it
OWN = {"transfer-encoding", "connection", "keep-alive", "content-length"}  # headers of one connection alone


def passing(method: str, path: str) -> int | str | None:
    """Let everything through."""
    return None


class Gateway:
    """Passes requests on to ``upstream``, each on a connection of its own.

    Attributes:
        rule: what becomes of a request, by its method and path: a status to answer without asking upstream; ``LOST`` or
            ``CUT``, once upstream has done what was asked; None, it passes.
        seen: how often each of these was done.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream, self.port, self.seen = upstream, free_port(), Counter[int | str]()
        self.rule: Rule = passing
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        """Its address, which stays the same while it is away."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Gateway:
        handler = type("Handler", (_Handler,), {"gateway": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Refuse every connection, as a server that is down."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    @contextlib.contextmanager
    def doing(self, rule: Rule) -> Iterator[None]:
        """Follow another rule."""
        before, self.rule = self.rule, rule
        try:
            yield
        finally:
            self.rule = before


class _Handler(http.server.BaseHTTPRequestHandler):
    gateway: Gateway
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        body = self._body()
        fate = self.gateway.rule(self.command, self.path)
        if fate is not None:
            self.gateway.seen[fate] += 1
        if isinstance(fate, int):
            return self._answer(
                fate, "Fault", {"Content-Type": "application/json"}, REFUSED if fate < 500 else b"fault"
            )
        try:
            status, reason, headers, content = self._asked(body)
        except OSError:
            return self._answer(502, "Bad Gateway", {}, b"")
        if fate == LOST:
            self.close_connection = True
            return None
        self._answer(status, reason, headers, content, cut=fate == CUT)
        return None

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _asked(self, body: bytes) -> tuple[int, str, dict[str, str], bytes]:
        there = urlsplit(self.gateway.upstream)
        connection = http.client.HTTPConnection(str(there.hostname), there.port, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in OWN | {"expect"}}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            length = {"Content-Length": answer.getheader("Content-Length", "0")} if self.command == "HEAD" else {}
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in OWN}
            return answer.status, answer.reason, kept | length, answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, reason: str, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # who asked has gone
            self.send_response(status, reason)
            for name, value in {"Content-Length": str(len(body)), **headers, "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
