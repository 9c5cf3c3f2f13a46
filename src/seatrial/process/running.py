"""A process that runs: its port, its log, its end."""

from __future__ import annotations

import contextlib
import json
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from seatrial.errors import TargetError
from seatrial.process.engines import OWN_CODE

GUARD = Path(__file__).with_name("guard.py")


LOG_BYTES = 16 * 2**20


GRACE_SECONDS = 5.0  # between asking a service to end and ending it


STOP_SECONDS = 30.0  # for the command that ends what a service leaves elsewhere


FREED_SECONDS = 2.0  # for a forwarder to let go of its port


LOOK_SECONDS = 0.05


TAIL_LINES = 12


END_LINES, END_BYTES = 200, 16_384


_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


class Running:
    """A started service. Leave its block, or call :meth:`stop`, to end it and everything it started.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
        values: what its command's blanks were filled with.
        log: the file with its output; removed when it ends as it should, kept when something failed or it was named.
        on_end: called with the end of the log, passwords in addresses left out, when it is ended.
        elsewhere: what serves may run below another process than this one, such as in a container that a daemon
            started: its processes, threads and sockets are not those below ``pid``.
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
        logs: Path | None = None,
        limits: Mapping[str, int] | None = None,
        stop: Sequence[str] = (),
        elsewhere: bool = False,
    ) -> None:
        self.port, self.values = port, dict(values)
        self.url = f"http://127.0.0.1:{port}"
        self.log = log or Path(tempfile.mkdtemp(prefix="seatrial-service-", dir=logs)) / "service.log"
        self._keep, self._told = log is not None, ""
        self.on_end: Callable[[str], object] = lambda _: None
        self._reading = threading.Lock()
        self.elsewhere, self._stop = elsewhere, list(stop)
        settings = {
            "log": str(self.log), "log_bytes": LOG_BYTES, "grace_seconds": GRACE_SECONDS, **(limits or {}),
            "stop": self._stop, "stop_seconds": STOP_SECONDS,
        }  # fmt: skip
        self._guard = subprocess.Popen(  # noqa: S603  the project's own command
            [sys.executable, "-I", "-S", str(GUARD), json.dumps(settings), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            bufsize=0,  # so that a look at the pipe tells whether there is a line
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
        output = self._guard.stdout
        assert output is not None
        with self._reading, selectors.DefaultSelector() as ready:
            if not self._told:
                ready.register(output, selectors.EVENT_READ)
                if not ready.select(within_seconds):
                    return None
                self._told = output.readline().decode(errors="replace").strip() or "no word"
                output.close()
        code = self._told.partition(" ")[2]
        return f"signal {code[1:]}" if code.startswith("-") else f"code {code}"

    def tail(self) -> str:
        """Return its last lines, passwords in addresses left out, and keep the log: something failed."""
        if lines := self._last_lines(TAIL_LINES):
            self._keep = True
            said = "\n".join(f"  {line[:300]}" for line in lines)
            return f"Its log ends with:\n{said}\nAll of it: {self.log}"
        return "It wrote no output."

    def end_of_log(self) -> str:
        """Return what it printed last, up to 16 KiB, passwords in addresses left out."""
        return "\n".join(self._last_lines(END_LINES))

    def _last_lines(self, most: int) -> list[str]:
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - END_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()[-most:]
            return [_PASSWORD.sub("://***@", line) for line in lines]
        return []

    def listens(self) -> bool:
        """Whether it, or a process it started, listens on its port: somebody else's answer is not its answer.

        Of a service that runs elsewhere, whether its port accepts connections: nobody did before it was started.
        """
        if self.elsewhere:
            return _taken(self.port)
        import psutil

        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self._guard.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    for socket in process.net_connections("tcp"):
                        if socket.status == psutil.CONN_LISTEN and socket.laddr.port == self.port:
                            return True
        return False

    def stop(self) -> None:
        """End it and all it started, and run its command ``stop``. Calling it again does nothing.

        Warns where its port still accepts connections then: something that it started elsewhere was not ended.
        """
        guard, pipe = self._guard, self._guard.stdin
        assert pipe is not None
        first = not pipe.closed
        if first and (said := self.end_of_log()):
            self.on_end(said)
        with contextlib.suppress(BrokenPipeError):
            pipe.close()  # once more does nothing
        try:
            guard.wait(GRACE_SECONDS + 10 + (STOP_SECONDS if self._stop else 0))
        except subprocess.TimeoutExpired:
            guard.kill()  # and the kernel ends the service with it
            guard.wait()
        # With this code the engine ran nothing, and what listens there is not ours.
        ran = self.ended(LOOK_SECONDS) != f"code {OWN_CODE}"
        if first and self.elsewhere and ran and self._still_there():
            self._keep = True
            warnings.warn(
                f"The service was ended, and port {self.port} still accepts connections: a container may be left. "
                'End it by hand, and correct stop= of Service: stop=["docker", "rm", "-f", "{name}"] with '
                f"--name {{name}} in command. {self.tail()}",
                RuntimeWarning,
                stacklevel=2,
            )
        if not self._keep:
            shutil.rmtree(self.log.parent, ignore_errors=True)

    def _still_there(self) -> bool:
        until = time.monotonic() + FREED_SECONDS
        while there := _taken(self.port):
            if time.monotonic() > until:
                break
            time.sleep(LOOK_SECONDS)
        return there

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


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
