"""A started service: ready when it says so itself, and ended with everything it started, however we end."""

import contextlib
import http.server
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.pipeline import Dependency, Pipeline, Service
from seatrial.targets.launch import fill, start, values_of
from tests.support.waiting import until

SERVER = """
import http.server, os, signal, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.end_headers()
        self.wfile.write(repr(sorted(os.environ)).encode())
    def log_message(self, *_): pass
"""
SERVE = "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"


def service(before="", serve=SERVE, **settings):
    code = SERVER + textwrap.dedent(before) + "\n" + serve
    return Service(command=[sys.executable, "-c", code, "{port}"], **{"ready_seconds": 60.0, **settings})


def gone(pid):
    """Whether a process has ended; a zombie has."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_a_service_runs_in_a_group_of_its_own_and_is_ended_with_its_block():
    """It is ready inside the block, leads its own session, and is gone with its log after it."""
    with start(service()) as running:
        assert running.ended() is None
        assert os.getsid(running.pid) == running.pid != os.getsid(0)
        assert running.listens()
        pid = running.pid
    assert gone(pid)
    assert not running.log.exists()


def test_what_a_service_started_is_ended_too():
    """A child that ignores SIGTERM and leaves the group by a session of its own does not survive the block."""
    stubborn = "import os, signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    before = f"""
    child = subprocess.Popen([sys.executable, "-c", {stubborn!r}], start_new_session=True)
    print("child", child.pid, flush=True)
    """
    with start(service(before)) as running:
        until(lambda: b"child" in running.log.read_bytes())
        child = int(running.log.read_text().split("child")[1].split()[0])
        assert not gone(child)
    until(lambda: gone(child))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_service_does_not_outlive_us(how):
    """However the process that started it ends, by Ctrl-C, by SIGTERM or by SIGKILL, the service ends."""
    holder = f"""
    import sys, time
    from seatrial.pipeline import Service
    from seatrial.targets.launch import start
    with start(Service(command=[sys.executable, "-c", {SERVER + SERVE!r}, "{{port}}"])) as running:
        print(running.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(holder)], stdout=subprocess.PIPE, text=True)
    try:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.send_signal(how)
        until(lambda: gone(pid))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


def test_the_guard_killed_takes_the_service_along():
    """Where the guard itself is killed, the kernel ends the service."""
    with start(service()) as running:
        os.kill(running._guard.pid, signal.SIGKILL)
        until(lambda: gone(running.pid))


def test_a_service_that_ends_before_it_is_ready_is_told_with_its_last_words():
    """The error carries the exit code and the end of the log, without passwords in addresses; the log is kept."""
    broken = service("print('cannot reach postgresql://me:hunter2@db/x', flush=True)\nraise SystemExit(3)")
    with pytest.raises(AnswerError, match="ended with code 3 before it was ready") as told, start(broken):
        pass
    assert "postgresql://***@db/x" in str(told.value)
    assert "hunter2" not in str(told.value)
    kept = Path(str(told.value).rpartition("All of it: ")[2])
    assert "cannot reach" in kept.read_text()


def test_a_service_that_is_never_ready_ends_within_its_time():
    """Silence is no answer (inconclusive); a readiness path that refuses is one. Neither leaves a process."""
    silent = service("print(os.getpid(), flush=True)", "import time; time.sleep(600)", ready_seconds=1.0)
    with pytest.raises(TargetError, match="not ready within 1 s") as told, start(silent):
        pass
    assert not isinstance(told.value, AnswerError)
    pid = int(str(told.value).split("ends with:")[1].split()[0])
    assert gone(pid)
    with (
        pytest.raises(AnswerError, match="'/health' returned status 503"),
        start(service(ready_seconds=2.0, env={"STATUS": "503"})),
    ):
        pass


def test_a_readiness_path_that_drips_is_not_ready():
    """A body that never ends defeats a time-out of each read, and not the deadline."""
    drip = """
    def drip(self):
        self.send_response(200)
        self.end_headers()
        import time
        while True:
            self.wfile.write(b"x")
            time.sleep(0.05)
    Handler.do_GET = drip
    """
    with pytest.raises(TargetError, match=r"not ready within 1\.5 s"), start(service(drip, ready_seconds=1.5)):
        pass


def test_a_taken_port_is_never_mistaken_for_the_service():
    """Another process that answers on the port makes nothing ready, even while the service still starts."""

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=other.serve_forever, daemon=True)
    thread.start()
    try:
        for slow in ("", "import time; time.sleep(0.5)"):
            with (
                pytest.raises(TargetError, match=f"Port {other.server_port} is taken by another process"),
                start(service(slow), port=other.server_port),
            ):
                pass
    finally:
        other.shutdown()
        other.server_close()


def test_a_command_that_is_not_there_is_told():
    """The error names the command, and nothing is left."""
    with (
        pytest.raises(TargetError, match="No such file or directory: uvicornn"),
        start(Service(command=["uvicornn", "{port}"])),
    ):
        pass


def test_blanks_are_filled_or_named():
    """An unknown blank is told with the nearest; braces of JSON stay; a command without a port is refused."""
    assert fill('{model.path} {"a": 1} {}', {"model.path": "/m"}) == '/m {"a": 1} {}'
    with pytest.raises(UsageError, match=r"Did you mean 'model\.path'"):
        fill("{model.pth}", {"model.path": "/m", "port": "1"})
    with pytest.raises(UsageError, match="does not contain its port"), start(Service(command=["true"])):
        pass


def test_a_dependency_can_be_given_another_address():
    """``{store.url}`` is the dependency's own URL, or that of a proxy before it."""
    pipeline = Pipeline(
        "p", key="id", a=lambda f: f, b=lambda f, store: f, dependencies=[Dependency("store", "redis://a", str)]
    )
    assert values_of(pipeline, None) == {"store.url": "redis://a"}
    assert values_of(pipeline, "/m", {"store": "redis://b"}) == {"store.url": "redis://b", "model.path": "/m"}


def test_credentials_of_ours_stay_here(monkeypatch):
    """What looks like a credential is not handed on unless the service's env says so."""
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_TOKEN", "DB_PASSWORD", "HARMLESS"):
        monkeypatch.setenv(name, "x")
    with start(service(env={"DB_PASSWORD": "declared"}, ready="/")) as running:
        from seatrial.targets.http import Http

        with Http(running.url) as http_:
            names = http_.send(path="/", method="GET").body.decode()
    assert "HARMLESS" in names
    assert "DB_PASSWORD" in names
    assert "AWS_SECRET_ACCESS_KEY" not in names
    assert "MLFLOW_TRACKING_TOKEN" not in names


def test_a_flood_of_log_lines_is_cut(monkeypatch):
    """The log on disk stops at its limit, and the service goes on."""
    monkeypatch.setattr("seatrial.process.running.LOG_BYTES", 1000)
    flood = """
    for _ in range(2000):
        print("x" * 100)
    sys.stdout.flush()
    """
    with start(service(flood)) as running:
        until(lambda: b"limit is reached" in running.log.read_bytes())
        assert running.log.stat().st_size < 1100
        assert running.ended() is None
