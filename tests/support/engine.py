"""A container engine whose containers are processes: a client in front, a daemon behind, and forwarders that accept.

It has what matters of docker: the container is no child of the client and survives it, SIGTERM is handed on, and a
published port accepts connections before anything listens in the container, and closes them again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from seatrial.process.running import free_port

CLIENT = f"""#!{sys.executable} -S
import json, os, signal, socket, sys
daemon = socket.socket(socket.AF_UNIX)
try:
    daemon.connect(os.environ.get("DOCKER_HOST", "/var/run/nothing.sock").removeprefix("unix://"))
except OSError:
    print("docker: Cannot connect to the Docker daemon. Is the docker daemon running?", file=sys.stderr)
    sys.exit(125)
signal.signal(signal.SIGTERM, lambda *_: daemon.sendall(b"TERM\\n"))
daemon.sendall((json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ)}}) + "\\n").encode())
for line in daemon.makefile():
    told = json.loads(line)
    if "code" in told:
        sys.exit(told["code"])
    print(told["says"], end="", flush=True)
"""


class Containers:
    """The daemon, for the length of a ``with`` block, in which ``docker`` is found and finds it.

    Args:
        folder: where its client and its socket are.
        images: name to the command of its container, whose port is in ``PORT``.

    Attributes:
        running: name to process of the containers that run.
        turned_away: how many connections were accepted and closed since nothing listened in the container.
        asked: the commands of all clients.
    """

    def __init__(self, folder: Path, images: dict[str, list[str]]) -> None:
        self.images = images
        self.bin, self.socket = folder / "bin", folder / "engine.sock"
        self.bin.mkdir()
        (self.bin / "docker").write_text(CLIENT)
        (self.bin / "docker").chmod(0o755)
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.turned_away = 0
        self.asked: list[list[str]] = []
        self._ports: dict[str, socket.socket] = {}
        self._threads: list[threading.Thread] = []

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which the client is found and finds the daemon."""
        return {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "DOCKER_HOST": f"unix://{self.socket}"}

    def __enter__(self) -> Containers:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        self._start(self._accept, self._listener, self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.running):
            self._remove(name)
        _close(self._listener)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, serve: Any, *more: Any) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(serve, listener.accept()[0], *more)

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("r") as lines, contextlib.suppress(OSError):
            message = json.loads(lines.readline())
            self.asked.append(argv := message["argv"])

            def tell(**told: Any) -> None:
                client.sendall((json.dumps(told) + "\n").encode())

            if argv[0] == "compose":
                name = argv[argv.index("-p") + 1]
                argv = ["rm", "-f", name] if "down" in argv else [
                    "run", "--name", name, "-p", f"127.0.0.1:{message['env']['PORT']}:80", "composed"
                ]  # fmt: skip
            if argv[0] == "rm":
                self._remove(argv[-1])
                tell(code=0)
                return
            self._run(argv, lines, tell)

    def _run(self, argv: list[str], lines: Any, tell: Any) -> None:
        options, image = argv[1:-1], argv[-1]
        if image not in self.images:
            tell(says=f"Unable to find image '{image}' locally\ndocker: Error response: pull access denied.\n")
            tell(code=125)
            return
        name = options[options.index("--name") + 1] if "--name" in options else f"unnamed-{len(self.asked)}"
        inside = free_port()
        if "-p" in options:
            outside = int(options[options.index("-p") + 1].split(":")[-2])
            try:
                self._ports[name] = socket.create_server(("127.0.0.1", outside))
            except OSError:
                tell(says="docker: Error response from daemon: Bind failed: port is already allocated.\n")
                tell(code=125)
                return
            self._start(self._accept, self._ports[name], self._forward, inside)
        given = [options[n + 1] for n, word in enumerate(options) if word == "-e"]
        env = {"PATH": os.environ["PATH"], "PORT": str(inside), **dict(pair.split("=", 1) for pair in given)}
        process = self.running[name] = subprocess.Popen(
            self.images[image], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._start(self._hand_on, lines, process)
        if "-d" in options:
            tell(code=0)
            return
        assert process.stdout is not None
        for said in process.stdout:
            with contextlib.suppress(OSError):  # the client may be gone; the container runs on
                tell(says=said)
        code = process.wait()
        self._remove(name)
        tell(code=code if code >= 0 else 128 - code)

    def _hand_on(self, lines: Any, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                if line == "TERM\n":
                    process.send_signal(signal.SIGTERM)

    def _forward(self, client: socket.socket, inside: int) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", inside))
            except OSError:
                self.turned_away += 1
                return
            with server:
                self._start(_copy, server, client)
                _copy(client, server)

    def _remove(self, name: str) -> None:
        if port := self._ports.pop(name, None):
            _close(port)
        if process := self.running.pop(name, None):
            process.kill()
            process.wait()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _close(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
