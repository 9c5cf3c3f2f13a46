"""A doorman before an HTTP server: it reads the head of each request, lets in who may, and passes everything on."""

from __future__ import annotations

import base64
import json
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.serving import in_thread

Admit = Callable[[bytes], "bytes | None"]  # the head of a request, to the head that is passed on; None: it is refused
AUTHORIZATION = re.compile(rb"\r\nauthorization: ([^\r]+)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection: [^\r]+", re.IGNORECASE)
_REFUSED = json.dumps({"detail": "Invalid authentication credentials"}).encode()


def with_passwords(*passwords: str, user: str = "ann") -> Admit:
    """Return a doorman who lets in that user with one of these passwords; the server behind it sees neither."""
    known = {b"Basic " + base64.b64encode(f"{user}:{each}".encode()) for each in passwords}

    def admit(head: bytes) -> bytes | None:
        return AUTHORIZATION.sub(b"", head) if known & {*AUTHORIZATION.findall(head)} else None

    return admit


@contextmanager
def before(port: int, admit: Admit) -> Iterator[int]:
    """Stand before the server on a port of 127.0.0.1 for the length of a block; yield the port to come to."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                _answer(port, admit, self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    with in_thread(server):
        yield server.server_address[1]


def _answer(port: int, admit: Admit, client: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := client.recv(65536)):
            return
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    passed = admit(head)
    if passed is None:
        client.sendall(
            b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n"
            + f"content-length: {len(_REFUSED)}\r\n\r\n".encode()
            + _REFUSED
        )
        return
    if b"upgrade: websocket" not in passed.lower():  # or a second request of the connection would pass unseen
        passed = _CONNECTION.sub(b"", passed) + b"\r\nconnection: close"
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(passed + b"\r\n\r\n" + body)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
