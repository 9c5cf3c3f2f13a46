"""Every process of a project that runs: its servers, two or three reconcilers, and who of them dies next."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from seatrial.orchestration.services import Servers, command_of
from seatrial.process import crash_points
from seatrial.project import Project
from tests.e2e.trials import chaos
from tests.support import crashes
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
LEASE_SECONDS = 30.0  # of reconcilers without Prefect
FASTER = 100  # the longest pause is three seconds, and ten minutes are six


class Forked:
    """A reconciler without Prefect, in a process that has everything imported; as :class:`chaos.Server` otherwise."""

    health = ""

    def __init__(self, root: Path, environ: dict[str, str], log: Path) -> None:
        self.environ, self._how, self.process, self._forked = environ, (str(root), log), None, None
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(chaos.PRELOADED)

    def start(self) -> None:
        root, log = self._how
        arguments = (root, self.environ, self.environ.get(crashes.AT, ""))
        how = {"lease_seconds": LEASE_SECONDS, "every": 1.0, "log": str(log)}
        self._forked = self._context.Process(target=chaos.rounds, args=arguments, kwargs=how, daemon=True)
        self._forked.start()
        self.process = SimpleNamespace(pid=self._forked.pid, poll=lambda: self._forked.exitcode)

    def kill(self) -> None:
        if self._forked is not None:
            self._forked.kill()
            self._forked.join()


class Fleet:
    """The processes by their names.

    Args:
        project: their project.
        dice: decides who dies, and when.
        environ: of all but the servers; it has the registry's address.
        flows: the command ``reconcile`` runs Prefect's flows, webhooks begin them, and a worker runs what those begin.
    """

    def __init__(self, project: Project, dice: Random, environ: dict[str, str], *, flows: bool) -> None:
        self.dice, self.died, self.gone = dice, Counter[str](), set[str]()
        self.mlflow, server = chaos.mlflow_server(project)
        self.servers = Servers(project, {name: free_port() for name in ("prefect", "receiver")} | {"mlflow": 0})
        self.up = {"mlflow": server}
        logs = project.root / ".logs"
        logs.mkdir()
        path = {"PYTHONPATH": f"{crashes.FOLDER}{os.pathsep}{ROOT}"}
        prefect = {"PREFECT_API_URL": f"{self.servers.prefect}/api", **environ, **path}
        self.command, self.environ = [sys.executable, "-m", "seatrial"], {**environ, **path}
        for name in ["prefect", "receiver", "worker"] if flows else []:
            command, own = command_of(self.servers, name)
            health = {"prefect": f"{self.servers.prefect}/api/health", "receiver": f"{self.servers.receiver}/health"}
            given = path if name == "prefect" else prefect
            self.up[name] = chaos.Server(command, {**own, **given}, logs / f"{name}.log", health.get(name, ""))
        command = [*self.command, "reconcile", "--every", "1", "--project", str(project.root)]
        own = {**self.servers.environ, **prefect, crashes.FASTER: str(FASTER)}
        for name in ("reconciler 1", "reconciler 2", *([] if flows else ["reconciler 3"])):
            log = logs / f"{name}.log"
            self.up[name] = (
                chaos.Server(command, dict(own), log, "") if flows else Forked(project.root, dict(environ), log)
            )
        self.places: list[str] = []

    def die_everywhere(self) -> None:
        """Have a reconciler die at each marked line, one after the other."""
        self.places = self.dice.sample(crash_points.POINTS, len(crash_points.POINTS))

    def start(self, *names: str) -> None:
        """Start these, or whoever does not run yet."""
        for name in names or [name for name, server in self.up.items() if server.process is None]:
            server = self.up[name]
            server.environ.pop(crashes.AT, None)
            if name.startswith("reconciler") and self.places:
                server.environ[crashes.AT] = self.places[0]
            server.start()
            if server.health:
                server.wait()

    def look_after(self) -> None:
        """Start again whoever died, and count the marked lines at which somebody did."""
        for name, server in self.up.items():
            if name in self.gone or server.process.poll() is None:
                continue
            place = server.environ.get(crashes.AT)
            self.died[f"{name} at {place}" if place else f"{name} by itself"] += 1
            if place in self.places:
                self.places.remove(place)
            self.start(name)

    def strike(self) -> None:
        """Kill somebody, or stop a reconciler for a while."""
        name = self.dice.choice(list(self.up))
        if name.startswith("reconciler") and self.dice.random() < 0.3:
            later = threading.Timer(self.dice.uniform(5, 90), _tell, [self.up[name].process, signal.SIGCONT])
            later.daemon = True
            later.start()
            _tell(self.up[name].process, signal.SIGSTOP)
            self.died[f"{name} stopped"] += 1
            return
        with self.away(name):
            pass

    @contextlib.contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Kill one of them, and start it again at the end."""
        self.gone.add(name)  # or whoever looks after them would start it again meanwhile, and here it would be a second
        self.up[name].kill()
        self.died[name] += 1
        yield
        self.start(name)
        self.gone.discard(name)

    def end(self) -> None:
        """Kill all, also where one of them cannot be."""
        with contextlib.ExitStack() as stack:
            for server in self.up.values():
                stack.callback(server.kill)


def _tell(process: Any, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it died just now
        os.kill(process.pid, what)
