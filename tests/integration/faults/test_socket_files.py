"""A real Redis and a real PostgreSQL on socket files: clients reach them through the proxy, faults too."""

import contextlib
import subprocess
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from seatrial.faults.network import Down, ResetPeer, Timeout
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.isolation import bubblewrap
from tests.e2e.trials.postgres import postgres
from tests.e2e.trials.redis_server import redis_server


@pytest.mark.server
def test_a_redis_on_a_socket_file():
    with redis_server() as server:
        server.set("a", "2")
        with DependencyProxy(f"unix://{server.config_get('dir')['dir']}/redis.sock?db=0") as proxy:
            client = redis.Redis.from_url(proxy.through, socket_timeout=0.3, retry=Retry(NoBackoff(), 0))
            assert client.get("a") == b"2"
            assert proxy.open_files == proxy.calls == 1
            with proxy.fault(ResetPeer()) as hits, pytest.raises(redis.ConnectionError):
                client.get("a")
            with proxy.fault(Timeout()) as silent, pytest.raises(redis.TimeoutError):
                client.get("a")
            assert hits.count
            assert silent.count
            assert client.get("a") == b"2"
            client.close()


@pytest.mark.server
def test_a_postgresql_on_a_socket_file():
    with postgres() as url:
        with psycopg.connect(url.replace("+psycopg", "")) as straight:
            [[folder, port]] = straight.execute(
                "SELECT current_setting('unix_socket_directories'), current_setting('port')"
            ).fetchall()
        with DependencyProxy(f"postgresql://seatrial@/postgres?host={folder}&port={port}") as proxy:

            def answer():
                with contextlib.closing(psycopg.connect(proxy.through, connect_timeout=5)) as client:
                    return client.execute("SELECT inet_client_addr() IS NULL").fetchone()

            assert answer() == (True,)
            with proxy.fault(Down()) as hits:
                for _ in range(2):
                    with pytest.raises(psycopg.OperationalError):
                        answer()
            assert hits.count
            assert answer() == (True,)


@pytest.mark.skipif(not bubblewrap.works() or not Path("/usr/bin/python3").exists(), reason="no bubblewrap or Python")
def test_a_sandbox_shows_the_socket_file_of_the_proxy():
    """Temporary folders are empty there, and everything else can only be read."""
    with DependencyProxy("unix:///run/nobody.sock") as proxy:
        path = proxy.through.removeprefix("unix://")
        if not path.startswith("/run/"):
            pytest.skip("no folder of this user in /run")
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"
        subprocess.run([*bubblewrap.arguments(), "/usr/bin/python3", "-c", connect], check=True)
        assert proxy.calls == 1
