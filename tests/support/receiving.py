"""The webhook receiver as a process, and deliveries over real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.promotion.triggers.mlflow import ID, SIGNATURE, TIMESTAMP, sign
from tests.support.paths import SUPPORT
from tests.support.ports import free_port
from tests.support.waiting import until

KEY = b"a secret that only MLflow knows"


@dataclass
class Server:
    """The receiver under test."""

    port: int
    notes: Path
    pid: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def send(self, raw: bytes) -> int:
        """Send bytes, return the status of the answer; 0 when the connection is closed without one."""
        with self.connect() as peer:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                peer.sendall(raw)
            return status(peer)

    def started(self) -> list[list[str]]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []

    def settled(self) -> list[list[str]]:
        """Return what was started once a last, valid delivery was."""
        last = f"last-{uuid.uuid4()}"
        assert self.send(request(event(), identity=last)) == 202
        until(lambda: any(s[0] == last for s in self.started()), "The last delivery was never recorded.")
        return [s for s in self.started() if s[0] != last]


def status(peer: socket.socket) -> int:
    try:
        head = peer.recv(4096)
    except ConnectionResetError:
        return 0
    return int(head.split(b" ")[1]) if head.startswith(b"HTTP/") else 0


def event(**data: Any) -> bytes:
    given = {"name": "shop", "version": "3", "source": "models:/m-1", "run_id": None, "tags": {}, "description": None}
    body = {"entity": "model_version", "action": "created", "timestamp": "now", "data": {**given, **data}}
    return json.dumps(body).encode()


def request(body: bytes, *, identity: str = "", at: float | None = None, **headers: str | None) -> bytes:
    """Return a delivery as MLflow sends it; headers replace its own, and None leaves one out."""
    identity = identity or str(uuid.uuid4())
    stamp = str(int(time.time() if at is None else at))
    sent: dict[str, str | None] = {
        "host": "receiver",
        "content-type": "application/json",
        "content-length": str(len(body)),
        ID: identity,
        TIMESTAMP: stamp,
        SIGNATURE: sign(KEY, identity, stamp, body),
    }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value is not None)
    return f"POST /mlflow HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Run the receiver until the block ends."""
    notes, port = folder / "notes.jsonl", free_port()
    process = subprocess.Popen([sys.executable, str(SUPPORT / "receiver.py"), str(port), KEY.decode(), str(notes)])

    def listens() -> bool:
        assert process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        return False

    try:
        until(listens)
        yield Server(port, notes, process.pid)
    finally:
        process.terminate()
        process.wait(30)
