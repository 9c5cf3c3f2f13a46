"""A service behind a container engine: ready when it answers, ended with its container, and told in clear words."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import AnswerError, TargetError
from seatrial.pipeline import Service
from seatrial.process.sandbox import Sandbox
from seatrial.targets.http import Http
from seatrial.targets.launch import start
from tests.support.engine import Containers
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import until

SERVER = """
import http.server, os, signal, sys, time
{before}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"contained")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
RUN = ["docker", "run", "--rm", "--name", "{name}", "-p", "127.0.0.1:{port}:8080"]
STOP = ["docker", "rm", "-f", "{name}"]


def image(before: str = "") -> list[str]:
    return [sys.executable, "-c", SERVER.format(before=before)]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Containers]:
    images = {
        "shop:1": image(),
        "late:1": image(f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.02)"),
        "deaf:1": image("signal.signal(signal.SIGTERM, signal.SIG_IGN)"),
        "broken:1": image("print('no such model: /model', flush=True); sys.exit(3)"),
        "commandless:1": image("sys.exit(127)"),
        "elsewhere:1": image("os.environ['PORT'] = '0'"),
        "composed": image(),
    }
    with Containers(tmp_path, images) as made:
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        yield made


def service(name: str = "shop:1", run: list[str] = RUN, **settings: Any) -> Service:
    return Service([*run, name], **{"stop": STOP, "ready_seconds": 60.0, **settings})


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_what_answers_on_the_published_port_is_the_service(engine: Containers) -> None:
    """Its process is below the daemon. It is gone with the block, by the name that the start gave it."""
    with start(service()) as running:
        with Http(running.url) as http:
            assert http.send(path="/", method="GET").body == b"contained"
        assert running.listens()
        assert running.ended() is None
        (name,) = engine.running
        container = engine.running[name]
    assert container.poll() is not None
    assert free(running.port)
    assert engine.asked[-1] == ["rm", "-f", name]
    assert not running.log.exists()


def test_an_accepted_connection_is_not_ready(engine: Containers, tmp_path: Path) -> None:
    """The forwarder accepts and closes before the process listens. Only an answer is one."""
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(start(service("late:1"))))
    thread.start()
    try:
        until(lambda: engine.turned_away > 3)
        assert not made
    finally:
        (tmp_path / "go").touch()
        thread.join(60)
    with made[0] as running:
        assert running.listens()


def test_two_starts_have_containers_of_their_own(engine: Containers) -> None:
    """Names and ports are new for each."""
    with start(service()) as first, start(service()) as second:
        assert first.port != second.port
        assert len(engine.running) == 2
    assert not engine.running


def test_a_container_that_ignores_sigterm_is_ended(engine: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is killed after the grace, and the container goes by ``stop``."""
    monkeypatch.setattr("seatrial.process.running.GRACE_SECONDS", 0.2)
    with start(service("deaf:1")) as running:
        (container,) = engine.running.values()
    assert container.poll() is not None
    assert free(running.port)


def test_a_container_does_not_outlive_us(engine: Containers) -> None:
    """Where the process that started it is killed, the guard runs ``stop``."""
    holder = f"""
    import time
    from seatrial.pipeline import Service
    from seatrial.process import running
    from seatrial.targets.launch import start
    running.GRACE_SECONDS = 0.2
    with start(Service({[*RUN, "deaf:1"]!r}, stop={STOP!r})):
        print("up", flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(holder)], stdout=subprocess.PIPE)
    try:
        assert parent.stdout.readline() == b"up\n"
        (container,) = engine.running.values()
        parent.send_signal(signal.SIGKILL)
        until(lambda: container.poll() is not None)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


def test_compose_is_ended_by_down(engine: Containers) -> None:
    """The project has the start's name, and the port comes by a variable of the compose file."""
    up = ["docker", "compose", "-p", "{name}", "up"]
    down = ["docker", "compose", "-p", "{name}", "down"]
    with start(Service(up, stop=down, env={"PORT": "{port}"})) as running:
        assert running.listens()
    assert engine.asked[-1][-1] == "down"
    assert not engine.running


def examples() -> list[Service]:
    """The services of the section about containers in the docs."""
    text = (ROOT / "docs" / "how-to" / "services.md").read_text(encoding="utf-8")
    section = text.partition("## A service in a container")[2].partition("\n## ")[0]
    found: list[Service] = []
    defined: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        exec(compile(block, "services.md", "exec"), defined)
        found.append(defined["service"])
    return found


def test_the_examples_of_the_docs_start_and_end(engine: Containers) -> None:
    """With docker for podman, as the page says, and with compose."""
    engine.images["registry.example/fraud:1.4"] = engine.images["shop:1"]
    podman, composed = examples()
    swapped = {n: [w.replace("podman", "docker") for w in getattr(podman, n)] for n in ("command", "stop")}
    for each in (replace(podman, **swapped), composed):
        with start(each, values={"model.path": "/models/1", "store.url": "redis://host.docker.internal:1"}) as running:
            assert running.listens()
            (name,) = engine.running
        assert free(running.port)
        assert name in engine.asked[-1]
    assert podman.command[0] == podman.stop[0] == "podman"


def test_what_a_wrong_stop_leaves_is_told(engine: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port still accepts connections: the container is told, with what to type, and the log is kept."""
    monkeypatch.setattr("seatrial.process.running.GRACE_SECONDS", 0.2)
    monkeypatch.setattr("seatrial.process.running.FREED_SECONDS", 0.1)
    running = start(service("deaf:1", stop=["docker", "rm", "-f", "another"]))
    with pytest.warns(RuntimeWarning, match=r"still accepts connections: a container may be left") as told:
        running.stop()
    assert 'stop=["docker", "rm", "-f", "{name}"]' in str(told[0].message)
    assert "stop ended with code 0" in running.log.read_text()
    assert len(engine.running) == 1


def test_a_stop_that_hangs_is_ended(engine: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its seconds, and takes nobody else's."""
    monkeypatch.setattr("seatrial.process.running.STOP_SECONDS", 0.2)
    hangs = [sys.executable, "-c", "import time; time.sleep(600)"]
    with start(service(stop=hangs)) as running:
        pass
    assert free(running.port)


def test_an_end_is_known_before_stop_is_over(engine: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks why there is no answer does not wait for 'compose down'."""
    monkeypatch.setattr("seatrial.process.running.STOP_SECONDS", 2.0)
    with start(service(stop=[sys.executable, "-c", "import time; time.sleep(600)"])) as running:
        (container,) = engine.running.values()
        container.kill()
        assert until(running.ended) == "code 137"
        assert running._guard.poll() is None


@pytest.mark.usefixtures("engine")
class TestErrors:
    """Each says whose fault it is and what to type. What the engine could not do is no fault of the version."""

    def failed(self, kind: type[TargetError], made: Service, **options: Any) -> str:
        with pytest.raises(TargetError) as told, start(made, **options):
            pass
        assert type(told.value) is kind, told.value
        return str(told.value)

    def test_an_image_that_is_not_there(self) -> None:
        said = self.failed(TargetError, service("shop:9"))
        assert "ended with code 125" in said
        assert "Build or pull the image first" in said
        assert "Unable to find image 'shop:9'" in said
        assert "By hand: docker run --rm --name seatrial-" in said

    def test_an_engine_without_its_daemon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
        said = self.failed(TargetError, service())
        assert "Start the engine's daemon, or name another one in DOCKER_HOST." in said

    def test_an_engine_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch, engine: Containers) -> None:
        (engine.bin / "podman").unlink(missing_ok=True)
        monkeypatch.setenv("PATH", str(engine.bin))
        said = self.failed(TargetError, Service(["podman", "run", "-p", "{port}:8080", "shop:1"]))
        assert "No such file or directory: podman" in said
        assert "podman is not installed here. Install it, or write the command for docker, which is." in said

    def test_a_container_that_ends_at_once(self) -> None:
        said = self.failed(AnswerError, service("broken:1"))
        assert "ended with code 3 before it was ready" in said
        assert "no such model: /model" in said
        assert "no such command" in self.failed(AnswerError, service("commandless:1"))

    def test_a_port_that_is_not_published(self) -> None:
        run = ["docker", "run", "--name", "{name}", "-e", "UNUSED={port}"]
        said = self.failed(TargetError, service(run=run, ready_seconds=1.0))
        assert "not ready within 1 s" in said
        assert "The command runs, and nothing listens on port" in said
        assert "-p 127.0.0.1:{port}:8080" in said

    def test_a_server_that_listens_on_another_port_in_the_container(self) -> None:
        said = self.failed(TargetError, service("elsewhere:1", ready_seconds=1.0))
        assert "accepts connections, and nothing behind it answered" in said
        assert "listen on 0.0.0.0" in said

    def test_a_client_that_does_not_wait(self, engine: Containers) -> None:
        said = self.failed(AnswerError, service(run=[*RUN, "-d"]))
        assert "Leave out '-d'" in said
        assert not engine.running

    def test_a_port_that_is_taken(self, engine: Containers) -> None:
        """Nothing is started: an answer there could not be told from the service's."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            assert f"Port {port} is taken" in self.failed(TargetError, service(), port=port)
        assert not engine.asked


def test_a_port_that_is_taken_meanwhile_is_replaced(engine: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine says so; what answers there is never taken for the service."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = iter([other.getsockname()[1], free_port()])
        monkeypatch.setattr("seatrial.targets.launch.free_port", lambda: next(ports))
        monkeypatch.setattr("seatrial.targets.launch._taken", lambda _: False)
        with start(service()) as running:
            assert running.port != other.getsockname()[1]
    assert [argv[0] for argv in engine.asked] == ["run", "rm", "run", "rm"]


def test_an_engine_runs_outside_of_the_isolation_where_the_project_allows_it(engine: Containers) -> None:
    """Behind the wrapper it could not reach its daemon; the variables that it needs are its own."""
    walled = Sandbox(
        variables={"HOME": "/nowhere"}, wrap=lambda *_, **__: ["false"], engines=("docker",), outside=engine.environ
    )
    with start(service(), sandbox=walled) as running:
        assert running.listens()
    for engines in ((), ("podman",)):
        with pytest.raises(TargetError, match=r'engines = \["docker"\]'):
            start(service(), sandbox=Sandbox(variables={}, wrap=lambda *_, **__: ["false"], engines=engines))


def test_a_program_of_the_projects_own_is_no_engine(tmp_path: Path) -> None:
    """Allowed is what the list names, letter by letter: not any file that is called docker."""
    planted = tmp_path / "docker"
    planted.write_text("#!/bin/sh\n")
    sandbox = Sandbox(variables={}, engines=("docker",), outside={"PATH": os.defpath})
    with pytest.raises(TargetError, match="outside of the isolation"):
        sandbox.of([str(planted), "run"])
    assert str(Path(sys.executable).parent) not in sandbox.of(["docker", "run"]).environment()["PATH"].split(os.pathsep)
