"""Run MLflow, Prefect, the webhook's receiver and a worker on one machine, until Ctrl-C or until one of them ends.

Each runs behind a guard that stops it however this process ends. State, logs and keys are below ``.seatrial/``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seatrial.errors import TargetError, UsageError
from seatrial.orchestration.deployments import names
from seatrial.orchestration.deployments.worker import worker_name
from seatrial.orchestration.services import PORTS, TITLES, Servers, command_of, port_for
from seatrial.process.running import Running
from seatrial.project import Project, is_hosted
from seatrial.promotion.triggers.mlflow import PATH

READY_SECONDS = 300.0  # the first start makes two databases
POLL_SECONDS = 0.1
WATCH_SECONDS = 0.5


def up(directory: Path, *, ports: Mapping[str, int | None], on_line: Callable[[str], None] = print) -> None:
    """Start everything, report the addresses, and run until Ctrl-C; then stop everything.

    Args:
        directory: of the project.
        ports: of ``mlflow``, ``prefect`` and ``receiver``; None is the default one, or a free one where that is in use.
        on_line: receives the report, a line at a time.

    Raises:
        UsageError: the environment names servers already, or a port is in use.
        TargetError: a server could not be started, or ended; with the end of its log.
    """
    with serving(directory, ports=ports, on_line=on_line) as servers, _stop_signal() as stop:
        on_line("Press Ctrl-C to stop everything.")
        while not stop.wait(WATCH_SECONDS):
            _check_running(servers)
        on_line("Stopping.")


@contextlib.contextmanager
def serving(
    directory: Path, *, ports: Mapping[str, int | None], on_line: Callable[[str], None] = lambda _: None
) -> Iterator[Servers]:
    """Run everything for the length of a block: all is ready when it begins, and has ended when it ends."""
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
        if (address := os.environ.get(name, "")).startswith("http") or is_hosted(address):
            raise UsageError(
                f"{name} is already set to a server; 'seatrial up' starts its own. Unset it, or use your servers: "
                "seatrial deploy, seatrial webhook, seatrial worker"
            )
    project = Project.find(directory)
    project.state.mkdir(parents=True, exist_ok=True)
    servers = Servers(project, {name: port_for(name, ports.get(name)) for name in PORTS})
    try:
        on_line("Starting MLflow and Prefect. The first start creates their databases and takes about a minute.")
        _start(servers, "mlflow")
        _start(servers, "prefect")
        _wait(servers, "mlflow", f"{servers.mlflow}/health")
        _wait(servers, "prefect", f"{servers.prefect}/api/health")
        on_line("Deploying.")
        _deploy(servers)
        _start(servers, "receiver")
        _start(servers, "worker")
        _wait(servers, "receiver", f"{servers.receiver}/health")
        _wait(
            servers,
            "worker",
            f"{servers.prefect}/api/work_pools/{names.pool(project)}/workers/filter",
            b"{}",
            worker_name(),
        )
        on_line(_addresses(servers))
        yield servers
    finally:
        _stop(servers)


def _stop(servers: Servers) -> None:
    """Stop the worker first, whose runs report their end to the servers, then the rest at once."""
    if worker := servers.running.get("worker"):
        worker.stop()
    with ThreadPoolExecutor() as pool:
        list(pool.map(Running.stop, servers.running.values()))


def _deploy(servers: Servers) -> None:
    """Deploy in another process: this one stays small, and imports neither Prefect nor MLflow."""
    options = ["--since", "all", "--all-models", "--receiver", servers.receiver]  # both servers are the project's own
    command = [sys.executable, "-m", "seatrial", "deploy", "--project", str(servers.project.root), *options]
    done = subprocess.run(  # noqa: S603  our own command
        command, env=servers.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TargetError((done.stderr.strip() or done.stdout.strip()).removeprefix("seatrial: "))


def _start(servers: Servers, name: str) -> None:
    command, environ = command_of(servers, name)
    log = servers.project.state / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    port, here = servers.ports.get(name, 0), str(servers.project.root)
    servers.running[name] = Running(command, port=port, values={}, env=environ, cwd=here, log=log)


def _wait(servers: Servers, name: str, url: str, body: bytes | None = None, expected: str = "") -> None:
    """Wait until the server answers 200 with the expected text; by urllib, so that this process stays small."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        _check_running(servers)
        request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310  our own address
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            own = name not in servers.ports or servers.running[name].listens()
            if answer.status == 200 and own and expected in answer.read().decode(errors="replace"):
                return
        time.sleep(POLL_SECONDS)
    raise TargetError(f"{TITLES[name]} was not ready within {READY_SECONDS:.0f} s. {servers.running[name].tail()}")


def _check_running(servers: Servers) -> None:
    for name, running in servers.running.items():
        if end := running.ended():
            raise TargetError(f"{TITLES[name]} ended with {end}; the others were stopped too. {running.tail()}")


def _addresses(servers: Servers) -> str:
    return "\n".join(
        [
            "",
            f"  MLflow     {servers.mlflow}",
            f"  Prefect    {servers.prefect}",
            f"  receiver   {servers.receiver}{PATH}",
            f"  logs       {servers.project.state / 'logs'}",
            "",
            "Register a version from anywhere on this machine, then open its page:",
            f"  export MLFLOW_TRACKING_URI={servers.mlflow}",
            "",
        ]
    )


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
