"""What Prefect Cloud is to a client, in front of a real Prefect server: a key, and the workspace in the address."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.serving import in_thread

WORKSPACE = "/accounts/5d9f7b1a-0000-4000-8000-000000000001/workspaces/5d9f7b1a-0000-4000-8000-000000000002"
_REQUEST = re.compile(
    rb"(?P<method>[A-Z]+) /api(?P<workspace>/accounts/[^/ ]+/workspaces/[^/ ]+)?(?P<path>\S*) HTTP/1.1"
)
_KEY = re.compile(rb"\r\nauthorization: bearer ([^\r]+)", re.IGNORECASE)


@dataclass
class Cloud:
    """The stand-in.

    Attributes:
        key: the one that it accepts.
        behind: port of the server.
        port: its own.
        taken: method and path of each request that had the key.
        refused: the same of those without it, or without the workspace.
    """

    key: str
    behind: int
    port: int = 0
    taken: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def url(self) -> str:
        return f"{self.root}{WORKSPACE}"

    def profile(self, key: str) -> str:
        """What ``prefect cloud login`` writes, and which address is Cloud's."""
        settings = {"PREFECT_API_URL": self.url, "PREFECT_API_KEY": key, "PREFECT_CLOUD_API_URL": self.root}
        return "\n".join(
            ['active = "cloud"', "[profiles.cloud]", *(f'{name} = "{value}"' for name, value in settings.items())]
        )


@contextmanager
def cloud(key: str, behind: int) -> Iterator[Cloud]:
    """Run the stand-in for the length of a block."""
    made = Cloud(key, behind)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                _answer(made, self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    with in_thread(server):
        yield made


def _answer(made: Cloud, client: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        if not (more := client.recv(65536)):
            return
        head += more
    asked, key = _REQUEST.match(head), _KEY.search(head)
    assert asked, head[:200]
    what = f"{asked['method'].decode()} {asked['path'].decode()}"
    known = bool(key and key[1].decode() == made.key) or asked["path"] == b"/events/out"  # which asks for it later
    if not known or (asked["workspace"] or b"").decode() != WORKSPACE:
        made.refused.append(what)
        body = json.dumps({"detail": "Invalid authentication credentials"}).encode()
        client.sendall(
            b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n"
            + f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        return
    made.taken.append(what)
    line = b"%s /api%s HTTP/1.1" % (asked["method"], asked["path"])
    rest = _KEY.sub(b"", head[asked.end() :], count=1)
    if b"upgrade: websocket" not in rest.lower():
        rest = re.sub(rb"\r\nconnection: [^\r]+", b"\r\nconnection: close", rest, count=1, flags=re.IGNORECASE)
    with socket.create_connection(("127.0.0.1", made.behind)) as server:
        server.sendall(line + rest)
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
