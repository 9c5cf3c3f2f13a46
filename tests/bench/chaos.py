"""Many versions while everything dies: ``python tests/bench/chaos.py --versions 50 --seed 1``.

MLflow, Prefect, the webhook's receiver and two reconcilers run as processes of their own. Webhooks go through a courier
that drops, doubles, delays and forges them; every process is killed at random, and a reconciler at each marked line.
Afterwards each version must have one verdict, told once, and no alias may stand on a version that did not pass.
Exit code 1 when something else is found. With ``--worker`` a Prefect worker also runs what webhooks begin.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from seatrial import registry  # noqa: E402
from seatrial.errors import SeatrialError  # noqa: E402
from seatrial.ledger import Ledger  # noqa: E402
from seatrial.orchestration.deployments.deploy import deploy  # noqa: E402
from seatrial.orchestration.services import Servers, command_of  # noqa: E402
from seatrial.process import crash_points  # noqa: E402
from seatrial.process.running import free_port  # noqa: E402
from seatrial.project import Project  # noqa: E402
from seatrial.promotion.triggers import mlflow, webhook  # noqa: E402
from tests.e2e.trials import chaos  # noqa: E402
from tests.support import crashes  # noqa: E402

SHARES = {"dropped": 25, "doubled": 20, "delayed": 20, "forged": 15, "delivered": 20}


class Courier(http.server.BaseHTTPRequestHandler):
    """Takes a webhook from MLflow and does with it what the dice say."""

    receiver, dice, seen = "", random.Random(0), Counter()  # set by main

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fate = self.dice.choices(list(SHARES), list(SHARES.values()))[0]
        self.seen[fate] += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if fate == "forged":
            self._pass_on(body.replace(b'"version"', b'"versiom"'), "forged answered")
        if fate == "delayed":
            time.sleep(self.dice.uniform(1, 8))
        for _ in range({"dropped": 0, "forged": 0, "doubled": 2}.get(fate, 1)):
            self._pass_on(body, "answered")

    def _pass_on(self, body, what):
        kept = {k: v for k, v in self.headers.items() if k.lower().startswith("x-mlflow")}
        request = urllib.request.Request(self.receiver, body, {**kept, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.seen[f"{what} {answer.status}"] += 1
        except urllib.error.HTTPError as error:
            self.seen[f"{what} {error.code}"] += 1
        except OSError:
            self.seen[f"{what} nothing"] += 1

    def log_message(self, *_):
        pass


class Fleet:
    """Every process, and who dies next."""

    def __init__(self, project, dice, environ, *, worker):
        self.project, self.dice, self.kills = project, dice, Counter()
        names = ["mlflow", "prefect", "receiver"]
        self.servers = Servers(project, {name: free_port() for name in names})
        health = {"mlflow": "/health", "prefect": "/api/health", "receiver": "/health"}
        self.up = {}
        for name in [*names, *(["worker"] if worker else [])]:
            command, own = command_of(self.servers, name)
            address = getattr(self.servers, name, "") + health.get(name, "")
            self.up[name] = chaos.Server(command, {**own, **environ}, project.state / f"{name}.log", address)
        command = [sys.executable, "-m", "seatrial", "reconcile", "--every", "1", "--project", str(project.root)]
        for name in ("reconciler 1", "reconciler 2"):
            log = project.state / f"{name}.log"
            self.up[name] = chaos.Server(command, {**self.servers.environ, **environ}, log, "")
        self.to_die_at = dice.sample(crash_points.POINTS, len(crash_points.POINTS))
        self.places = list(self.to_die_at)

    def start(self, name):
        server = self.up[name]
        server.environ.pop(crashes.AT, None)
        if name.startswith("reconciler") and self.places:
            server.environ[crashes.AT] = self.places[0]
        server.start()
        if server.health.startswith("http"):
            server.wait()

    def look_after(self):
        """Start again whoever died, and count the marked lines at which somebody did."""
        for name, server in self.up.items():
            if server.process.poll() is None:
                continue
            place = server.environ.get(crashes.AT)
            self.kills[f"{name} at {place}" if place else f"{name} by itself"] += 1
            if place in self.places:
                self.places.remove(place)
            self.start(name)

    def strike(self):
        """Kill somebody, or stop a reconciler for a while."""
        name = self.dice.choice(list(self.up))
        if name.startswith("reconciler") and self.dice.random() < 0.3:
            process = self.up[name].process
            os.kill(process.pid, signal.SIGSTOP)
            threading.Timer(self.dice.uniform(5, 90), self._wake, [process]).start()
            self.kills[f"{name} stopped"] += 1
            return
        self.up[name].kill()
        self.kills[name] += 1
        self.start(name)

    @staticmethod
    def _wake(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)

    def end(self):
        for server in reversed(self.up.values()):
            server.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strikes", type=float, default=0.35, help="how often somebody dies, a version")
    parser.add_argument("--minutes", type=float, default=30, help="to wait for the last verdict")
    parser.add_argument("--worker", action="store_true", help="a Prefect worker too")
    parser.add_argument("--ledger", help="a database address instead of SQLite")
    chosen = parser.parse_args()
    dice = random.Random(chosen.seed)
    folder = Path(tempfile.mkdtemp(prefix="seatrial-chaos-"))
    chaos.make(folder)
    project = Project.find(folder)
    environ = {"PYTHONPATH": f"{crashes.FOLDER}{os.pathsep}{ROOT}", webhook.SECRET: "0123456789abcdef0123456789abcdef"}
    if chosen.ledger:
        environ["SEATRIAL_LEDGER_URL"] = chosen.ledger
    fleet = Fleet(project, dice, environ, worker=chosen.worker)
    os.environ.update({**environ, **{k: v for k, v in fleet.servers.environ.items() if k not in os.environ}})
    os.environ["MLFLOW_TRACKING_URI"] = fleet.servers.mlflow
    project.activate()
    courier = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Courier)
    Courier.receiver, Courier.dice = fleet.servers.receiver + mlflow.PATH, random.Random(chosen.seed)
    threading.Thread(target=courier.serve_forever, daemon=True).start()
    begin, expected, found = time.monotonic(), {}, ["not finished"]
    try:
        for name in ("mlflow", "prefect", "receiver"):
            fleet.start(name)
        if chosen.worker:
            deploy(folder)
        secret = webhook.secret(project.state).decode()
        registry.named("models").put_webhook(f"http://127.0.0.1:{courier.server_port}{mlflow.PATH}", secret)
        for name in fleet.up:
            if fleet.up[name].process is None:
                fleet.start(name)
        strays = set()
        with Ledger.of(project.state) as ledger:
            # Where others took what the one who was to die waited for, there are some versions more.
            while len(expected) < chosen.versions or (fleet.places and len(expected) < 3 * chosen.versions):
                good = dice.random() < 0.7
                expected[chaos.register(project, good=good)] = "pass" if good else "fail"
                strays |= set(chaos.unauthorised_aliases(project))
                if dice.random() < chosen.strikes:
                    fleet.strike()
                fleet.look_after()
                time.sleep(dice.uniform(0, 2))
                told = len(ledger.verdicts(chaos.MODEL))
                print(f"{len(expected)} registered, {told} verdicts, {time.monotonic() - begin:.0f} s", flush=True)
            until = time.monotonic() + 60 * chosen.minutes
            while time.monotonic() < until:
                with contextlib.suppress(SeatrialError):
                    strays |= set(chaos.unauthorised_aliases(project))
                    if chaos.settled(ledger, len(expected)):
                        break
                fleet.look_after()
                time.sleep(1)
        found = chaos.wrong(project, expected) + [f"alias without a pass: {uri}" for uri in strays]
        found += [f"nobody died {place}" for place in fleet.places]
        if Courier.seen["forged answered 202"]:
            found.append("a forged webhook was accepted")
    finally:
        fleet.end()
        courier.shutdown()
    print(json.dumps({"seed": chosen.seed, "webhooks": Courier.seen, "died": fleet.kills, "wrong": found}, indent=1))
    print(f"{len(expected)} versions, {time.monotonic() - begin:.0f} s")
    if found:
        print(f"Ledger, logs and stores are in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
