"""A service started for the trial, on 127.0.0.1, in a process group of its own, and always ended.

A small guard (``guard.py``) stands between: it ends the service when this process goes, however it goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from seatrial.errors import AnswerError, TargetError, UsageError, nearest
from seatrial.pipeline import Pipeline, Service
from seatrial.targets.http import Http

GUARD = Path(__file__).with_name("guard.py")
LOGS = "SEATRIAL_LOGS"  # where logs are kept that outlive a trial whose temporary files do not
LOG_BYTES = 16 * 2**20
GRACE_SECONDS = 5.0  # between asking a service to end and ending it
LOOK_SECONDS = 0.05
READY_SECONDS = 2.0  # for one answer of the readiness path
TAIL_LINES = 12
_BLANK = re.compile(r"\{([A-Za-z_][\w.]*)\}")
_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.IGNORECASE)


class Running:
    """A started service. Leave its block, or call :meth:`stop`, to end it and everything it started.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
        values: what its command's blanks were filled with.
        log: the file with what it said; removed when it ends as it should, kept when something failed or it was named.
    """

    def __init__(
        self,
        command: list[str],
        *,
        port: int,
        values: Mapping[str, str],
        env: Mapping[str, str],
        cwd: str,
        log: Path | None = None,
    ) -> None:
        self.port, self.values = port, dict(values)
        self.url = f"http://127.0.0.1:{port}"
        self.log = log or Path(tempfile.mkdtemp(prefix="seatrial-service-", dir=os.environ.get(LOGS))) / "service.log"
        self._keep, self._told = log is not None, ""
        settings = {"log": str(self.log), "log_bytes": LOG_BYTES, "grace_seconds": GRACE_SECONDS}
        self._guard = subprocess.Popen(  # noqa: S603  the project's own command
            [sys.executable, "-I", "-S", str(GUARD), json.dumps(settings), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,  # Ctrl-C is for us; the guard hears of our end by its pipe
        )
        assert self._guard.stdout is not None
        word, _, rest = self._guard.stdout.readline().decode(errors="replace").strip().partition(" ")
        if word != "pid":
            self.stop()
            raise TargetError(f"The service cannot be started: {rest or 'its guard ended'}. Is it installed here?")
        self.pid = int(rest)

    def ended(self, within_seconds: float = 0.0) -> str | None:
        """Return how the service ended, such as ``code 1`` or ``signal 9``; None while it runs.

        Wait for its end where it is about to: a connection breaks a moment before its process is gone.
        """
        try:
            self._guard.wait(within_seconds)
        except subprocess.TimeoutExpired:
            return None
        if not self._told and self._guard.stdout is not None:
            self._told = self._guard.stdout.read().decode(errors="replace").strip() or "no word"
            self._guard.stdout.close()
        code = self._told.partition(" ")[2]
        return f"signal {code[1:]}" if code.startswith("-") else f"code {code}"

    def tail(self) -> str:
        """Return its last lines, passwords in addresses left out, and keep the log: something failed."""
        with contextlib.suppress(OSError):
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 8192))
                lines = file.read().decode(errors="replace").strip().splitlines()[-TAIL_LINES:]
            if lines:
                self._keep = True
                said = "\n".join(f"  {_PASSWORD.sub('://***@', line)[:300]}" for line in lines)
                return f"Its log ends with:\n{said}\nAll of it: {self.log}"
        return "It said nothing."

    def listens(self) -> bool:
        """Whether it, or a process it started, listens on its port: somebody else's answer is not its answer."""
        import psutil

        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self._guard.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    for socket in process.net_connections("tcp"):
                        if socket.status == psutil.CONN_LISTEN and socket.laddr.port == self.port:
                            return True
        return False

    def stop(self) -> None:
        """End it and all it started. Calling it again does nothing."""
        guard = self._guard
        if guard.stdin is not None and not guard.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                guard.stdin.close()
        try:
            guard.wait(GRACE_SECONDS + 10)
        except subprocess.TimeoutExpired:
            guard.kill()  # and the kernel ends the service with it
            guard.wait()
        self.ended()
        if not self._keep:
            shutil.rmtree(self.log.parent, ignore_errors=True)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    service: Service,
    *,
    values: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    port: int | None = None,
) -> Running:
    """Start a service and wait until its readiness path answers; use it in a ``with`` block.

    Args:
        service: the command and the rest; ``{port}`` and every name ending in ``_port`` is a free port.
        values: what else fills its blanks, by name, such as ``model.path``.
        cwd: where it runs, unless the service says so itself.
        port: to listen on; a free one by default.

    Raises:
        UsageError: a blank that nothing fills.
        AnswerError: it ended by itself, or answered its readiness path with anything but success until the end.
        TargetError: it cannot be started, its port is taken, or it was not ready in time. All with its last words.
    """
    tries = 1 if port is not None else 3
    while True:
        tries -= 1
        running = _launch(service, values or {}, cwd, port or free_port())
        try:
            _wait(service, running)
        except BaseException as error:
            running.stop()
            if isinstance(error, TargetError) and _taken(running.port):
                if tries:  # somebody took the free port between our asking and the service's binding
                    continue
                raise TargetError(f"Port {running.port} is taken by another process. {error}") from error
            raise
        return running


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with its ``{blanks}`` filled; UsageError names one that nothing fills."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UsageError(
                f"Nothing fills '{{{match[1]}}}' of the service. Known: {', '.join(sorted(values))}."
                f"{nearest(match[1], values)}"
            )
        return values[match[1]]

    return _BLANK.sub(value, text)


def values_of(pipeline: Pipeline, model_path: str | None, urls: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what fills the blanks of a pipeline's service: the model's path, each dependency's URL or another."""
    known = {f"{name}.url": (urls or {}).get(name, d.url) for name, d in pipeline.dependencies.items()}
    return known | ({"model.path": os.path.abspath(model_path)} if model_path is not None else {})


def folder_of(pipeline: Pipeline) -> str:
    """Return where a pipeline's service runs by default: beside the pipeline's file."""
    return str(pipeline.source[0].parent) if pipeline.source else os.getcwd()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _taken(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _launch(service: Service, values: Mapping[str, str], cwd: str | os.PathLike[str] | None, port: int) -> Running:
    told = [*service.command, service.predict, *service.env.values()]
    blanks = {name for text in told for name in _BLANK.findall(text)}
    if "port" not in blanks:
        raise UsageError(
            "The service's command does not say its port: write '{port}' where it belongs, in command or env, "
            "or reach a service that runs already by its address."
        )
    ports = {name: str(free_port()) for name in blanks if name.endswith("_port")}
    filled = {**values, **ports, "port": str(port)}
    here = os.path.dirname(sys.executable)
    clean = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    clean |= {"PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)]), "PYTHONUNBUFFERED": "1"}
    return Running(
        [fill(word, filled) for word in service.command],
        port=port,
        values=filled,
        env=clean | {name: fill(value, filled) for name, value in service.env.items()},
        cwd=os.fspath(service.cwd or cwd or os.getcwd()),
    )


def _wait(service: Service, running: Running) -> None:
    until = time.monotonic() + service.ready_seconds
    last = "It never answered."
    refused = False
    with Http(running.url, connections=1, limit_bytes=2**20) as http:
        while (left := until - time.monotonic()) > 0:
            if how := running.ended():
                raise AnswerError(f"The service ended with {how} before it was ready. {running.tail()}")
            try:
                answer = http.send(path=service.ready, method="GET", seconds=min(READY_SECONDS, max(left, 0.01)))
                if running.listens():
                    if answer.ok:
                        return
                    refused = True
                    last = f"'{service.ready}' answers {answer.status}."
                else:
                    last = "Its port is answered by another process."
            except TargetError as error:
                last = str(error)
            time.sleep(LOOK_SECONDS)
    kind = AnswerError if refused else TargetError
    raise kind(f"The service was not ready within {service.ready_seconds:g} s. {last} {running.tail()}")
