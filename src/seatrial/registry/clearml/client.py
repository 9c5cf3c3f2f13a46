"""The process that speaks to ClearML, from the judge's side: started at first use, ended where it does not answer.

One request a line, one reply a line, both JSON. A process of its own, because importing ``clearml`` changes the process
that imports it, and because the package repeats a failed request without end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import IO, Any

from seatrial import errors
from seatrial.errors import RegistryError, SeatrialError, UsageError

ANSWER_SECONDS = 60.0  # for one look-up or change
FILES_SECONDS = 900.0  # for what uploads or downloads files
# What would make the process a part of the ClearML task that runs this one, or have it log the environment.
_INHERITED = ("CLEARML_TASK_ID", "TRAINS_TASK_ID", "CLEARML_PROC_MASTER_ID", "TRAINS_PROC_MASTER_ID",
              "CLEARML_LOG_ENVIRONMENT", "TRAINS_LOG_ENVIRONMENT", "CLEARML_LOG_TASK_TO_BACKEND")  # fmt: skip

_STARTING = threading.Lock()


def call(operation: str, /, *, seconds: float = ANSWER_SECONDS, **arguments: Any) -> Any:
    """Return what an operation of :mod:`seatrial.registry.clearml.__main__` gives.

    Args:
        operation: its name.
        seconds: after which the process is ended and the operation has failed.
        arguments: of the operation, as JSON can carry them.

    Raises:
        UsageError: clearml is not installed, or the operation refuses its arguments.
        RegistryError: ClearML does not answer, or refuses.
        SeatrialError: whatever else the operation raises.
    """
    with _STARTING:
        client = _client(tuple(sorted(_environment().items())))
    return client.call(operation, arguments, seconds)


def end() -> None:
    """End the process; the next call starts another one."""
    _client.cache_clear()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CLEARML_", "TRAINS_"))}


@cache
def _client(_: tuple[tuple[str, str], ...]) -> Client:
    """Return the process for one configuration: who changes ClearML's variables means another server."""
    return Client()


class Client:
    """One such process and the pipes to it. Calls of several threads wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._end: Any = None
        self._said: IO[bytes] | None = None

    def call(self, operation: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        """Return the result of one operation; see :func:`call`."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps({"operation": operation, "arguments": arguments}).encode() + b"\n")
                process.stdin.flush()
                reply = json.loads(self._line(process, time.monotonic() + seconds, seconds))
            except OSError as error:
                raise self._died() from error
            except BaseException:  # its reply would be taken for that of the next call
                self._end()
                raise
        if "error" not in reply:
            return reply["result"]
        told: SeatrialError = getattr(errors, reply["error"])(reply["message"])
        raise told from (ConnectionError("ClearML is away.") if reply["away"] else None)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            assert self._said is not None
            self._said.seek(0)  # what the package said of earlier operations is of no use
            self._said.truncate()
            return self._process
        if find_spec("clearml") is None:
            raise UsageError("ClearML needs its package: pip install 'seatrial[clearml]'.")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  read when the process has died
        environment = {name: value for name, value in os.environ.items() if name not in _INHERITED}
        environment["PYTHONSAFEPATH"] = "1"  # a file of the folder it starts in is no module of the package
        self._process = subprocess.Popen(
            [sys.executable, "-m", "seatrial.registry.clearml"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=environment, start_new_session=True,
        )  # fmt: skip
        self._owner = os.getpid()
        self._end = weakref.finalize(self, _end, self._process, self._owner)
        return self._process

    def _line(self, process: subprocess.Popen[bytes], until: float, seconds: float) -> bytes:
        assert process.stdout is not None
        received = bytearray()
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                self._end()
                raise RegistryError(
                    f"ClearML did not answer within {seconds:g} s. Check CLEARML_API_HOST, or api_server in "
                    "clearml.conf, and that the server is up."
                ) from TimeoutError()
            part = os.read(process.stdout.fileno(), 2**16)
            if not part:
                raise self._died()
            received += part
        return bytes(received)

    def _died(self) -> RegistryError:
        self._end()
        assert self._said is not None
        self._said.seek(0)
        lines = [line for line in self._said.read().decode("utf-8", "replace").splitlines() if line.strip()]
        last = f": {lines[-1].strip()[:300]}" if lines else ""
        return RegistryError(f"The process that speaks to ClearML ended{last}. Run the command again.")


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """End the process and whatever it started; a fork of the judge leaves its parent's alone."""
    if owner != os.getpid():
        return
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:  # what was still buffered for it
                continue
