"""Many versions while everything dies: ``python tests/bench/chaos.py --versions 50 --seed 1 --ledger postgres``.

MLflow, an object store, PostgreSQL and the reconcilers run as processes of their own. One fault after the other comes
and goes (``--fault NAME``: that one alone); between them processes are killed at random, a reconciler at each marked
line. Pauses are a hundredth of real ones: ten minutes are six seconds. Afterwards each version must have one
verdict, told once, none of them *error*, and no alias may stand on a version that did not pass; exit code 1 when
something else is found. With ``--flows`` the reconcilers run Prefect's flows, and webhooks begin some of them through a
courier that drops, doubles, delays and forges.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from seatrial import registry  # noqa: E402
from seatrial.errors import SeatrialError  # noqa: E402
from seatrial.ledger import Ledger  # noqa: E402
from seatrial.orchestration.deployments.deploy import deploy  # noqa: E402
from seatrial.promotion.triggers import mlflow, webhook  # noqa: E402
from seatrial.registry.mlflow.client import client as mlflow_client  # noqa: E402
from tests.e2e.trials import aftermath, chaos, outages, postgres  # noqa: E402
from tests.e2e.trials.fleet import Fleet  # noqa: E402
from tests.support import s3_store  # noqa: E402
from tests.support.courier import courier  # noqa: E402
from tests.support.gateway import Gateway  # noqa: E402

KILLED, BUCKET = "killed", "models"
DISKS = {"ledger": (".ledger", 256), "results": (".seatrial", 512), "artifacts": (".mlflow/artifacts", 64)}  # megabytes
AT_MLFLOW = {"registry-restarted", "disk-of-artifacts", KILLED}  # versions are registered before and after these
CLIENTS = {
    "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", webhook.SECRET: "0123456789abcdef0123456789abcdef",
}  # fmt: skip
IMPATIENT = {"AWS_MAX_ATTEMPTS": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault", choices=[KILLED, *outages.FAULTS], help="this one alone")
    parser.add_argument("--strikes", type=float, default=0.35, help="how often somebody dies, a version")
    parser.add_argument("--minutes", type=float, default=30, help="to wait for the last verdict")
    parser.add_argument("--flows", action="store_true", help="with Prefect, its worker and webhooks, which is slow")
    parser.add_argument("--ledger", choices=["sqlite", "postgres"], default="sqlite")
    return parser.parse_args()


class Run:
    """One run: what was registered, what it is to get, and the time it took."""

    def __init__(self, chosen, project, fleet, world, experiments):
        self.chosen, self.project, self.fleet, self.world, self.dice = chosen, project, fleet, world, fleet.dice
        self.experiments, self.expected, self.strays, self.begin = experiments, {}, set(), time.monotonic()
        self.seconds = {}

    def register(self, *, to_store=False):
        good, experiment = self.dice.random() < 0.7, self.dice.choice(self.experiments)
        number = chaos.register(self.project, good=good, experiment=self.experiments[-1] if to_store else experiment)
        self.expected[number] = "pass" if good else "fail"

    def look(self, ledger, words=""):
        """Look after the processes, and whether an alias is where none may be."""
        with contextlib.suppress(SeatrialError):
            self.strays |= set(aftermath.unauthorised_aliases(self.project))
            told = len(ledger.verdicts(chaos.MODEL))
            took = time.monotonic() - self.begin
            print(f"{took:5.0f} s  {len(self.expected)} registered, {told} verdicts {words}", flush=True)
        self.fleet.look_after()

    def suffer(self, fault, versions, ledger):
        """Register versions before and while a fault lasts: some of the trials and some of the effects meet it."""
        begin = time.monotonic()
        before = versions if fault in AT_MLFLOW else versions // 2
        for _ in range(before):
            self.register()
        time.sleep(self.dice.uniform(0, 6))
        if fault == KILLED:
            self.fleet.strike()
            self.look(ledger, KILLED)
            return
        with outages.FAULTS[fault](self.world):
            for _ in range(versions - before):
                self.register()
            until = time.monotonic() + (60 if fault == "effects-refused" else self.dice.uniform(8, 30))
            while time.monotonic() < until:
                time.sleep(2)
                self.look(ledger, fault)
        if fault == "effects-refused":
            sync = [*self.fleet.command, "sync", "--project", self.project.root]
            subprocess.run(sync, env=self.fleet.environ, check=False)  # it is refused
        self.seconds[fault] = round(time.monotonic() - begin)

    def go(self, ledger):
        faults = [self.chosen.fault] if self.chosen.fault else [*outages.FAULTS, KILLED]
        faults = [f for f in faults if self.world.disks or not f.startswith("disk")]
        faults = [f for f in faults if self.chosen.flows or f != "prefect-restarted"]
        if not self.chosen.fault:
            self.dice.shuffle(faults)
        each = 4 if self.chosen.fault else max(2, self.chosen.versions // len(faults))
        if kills := self.chosen.fault in (None, KILLED):
            self.fleet.die_everywhere()
        while len(self.expected) < self.chosen.versions or (
            kills and self.fleet.places and len(self.expected) < 3 * self.chosen.versions
        ):  # where others took what the one who was to die waited for, there are some versions more
            fault = (
                faults[len(self.seconds) % len(faults)] if len(self.seconds) < len(faults) else self.dice.choice(faults)
            )
            self.suffer(fault, each, ledger)
            self.seconds.setdefault(fault, 0)
            if kills and self.dice.random() < self.chosen.strikes * each:
                self.fleet.strike()
        until = time.monotonic() + 60 * self.chosen.minutes
        while time.monotonic() < until and not aftermath.settled(ledger, len(self.expected)):
            self.look(ledger, f"{ledger.counts()}")
            time.sleep(2)

    def wrong(self):
        found = aftermath.wrong(self.project, self.expected)
        found += [f"alias without a pass: {uri}" for uri in self.strays]
        return found + [f"nobody died {place}" for place in self.fleet.places if self.chosen.fault in (None, KILLED)]


def with_webhooks(stack, chosen, project, fleet):
    """Start Prefect and the receiver, and have MLflow call it through the courier; return what becomes of the calls."""
    hook, seen = stack.enter_context(courier(fleet.servers.receiver + mlflow.PATH, Random(chosen.seed)))
    fleet.start("prefect", "receiver")
    deploy(project.root)
    secret = webhook.secret(project.state).decode()
    registry.named("models").put_webhook(project.name, f"{hook}{mlflow.PATH}", secret)
    return seen


def main() -> int:
    chosen = arguments()
    dice = Random(chosen.seed)
    folder = Path(tempfile.mkdtemp(prefix="seatrial-chaos-"))
    folder.chmod(0o755)
    found = ["not finished"]
    with contextlib.ExitStack() as stack:
        disks = {}
        if outages.can_mount(folder):
            disks = {n: stack.enter_context(outages.Disk(folder / where, mb)) for n, (where, mb) in DISKS.items()}
        project = chaos.make(folder)
        at_ledger = folder / ".ledger"
        at_ledger.mkdir(exist_ok=True)
        database = (
            stack.enter_context(postgres.database(at_ledger)) if chosen.ledger == "postgres" else at_ledger / "l.db"
        )
        objects, _ = stack.enter_context(s3_store.serving(BUCKET))
        store = stack.enter_context(Gateway(objects))
        where = {"SEATRIAL_LEDGER_URL": getattr(database, "url", f"sqlite:///{database}")}
        through = {**os.environ, **CLIENTS, **where, **IMPATIENT, "MLFLOW_S3_ENDPOINT_URL": store.address}
        through["TMPDIR"] = str(project.state / "tmp")
        (project.state / "tmp").mkdir(parents=True)
        through.pop("MLFLOW_TRACKING_URI", None)
        registry_gateway = Gateway("")
        fleet = Fleet(project, dice, {**through, "MLFLOW_TRACKING_URI": registry_gateway.address}, flows=chosen.flows)
        registry_gateway.upstream = fleet.mlflow
        stack.enter_context(registry_gateway)
        stack.callback(fleet.end)
        os.environ.update(
            CLIENTS, **where, MLFLOW_S3_ENDPOINT_URL=objects, MLFLOW_TRACKING_URI=fleet.mlflow,
            PREFECT_API_URL=f"{fleet.servers.prefect}/api", PREFECT_HOME=str(project.state / "prefect"),
        )  # fmt: skip
        project.activate()
        restart = {name: lambda name=name: fleet.away(name) for name in ("mlflow", "prefect")}
        world = outages.World(registry_gateway, store, database, disks, restart, dice)
        fleet.start("mlflow")
        seen = with_webhooks(stack, chosen, project, fleet) if chosen.flows else {}
        client = mlflow_client()
        if dice.random() < 0.5:
            client.create_experiment(f"seatrial/{chaos.MODEL}", artifact_location=f"s3://{BUCKET}/verdicts")
        training = client.create_experiment("training", artifact_location=f"s3://{BUCKET}/training")
        run = Run(chosen, project, fleet, world, ["0", training])
        run.register(to_store=True)
        fleet.start()
        with Ledger.of(project.state) as ledger:
            run.go(ledger)
        found = run.wrong()
        if seen.get("forged answered 202"):
            found.append("a forged webhook was accepted")
        used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) + sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        said = {"seed": chosen.seed, "ledger": chosen.ledger, "faults": run.seconds, "webhooks": seen}
        said |= {"registry": registry_gateway.seen, "store": store.seen, "died": fleet.died, "wrong": found}
        print(json.dumps(said, indent=1))
        took = time.monotonic() - run.begin
        print(f"{len(run.expected)} versions, {took:.0f} s, {used:.0f} CPU s of all that ended, load {os.getloadavg()}")
        if found:
            shutil.copytree(folder, kept := Path(f"{folder}-kept"), symlinks=True, ignore_dangling_symlinks=True)
            print(f"Ledger, logs and stores are in {kept}")
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
