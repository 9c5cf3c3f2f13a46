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

KILLED, REFUSED, BUCKET = "killed", "effects-refused", "models"
DISKS = {"ledger": (".ledger", 256), "results": (".seatrial", 512), "artifacts": (".mlflow/artifacts", 64)}  # megabytes
AT_MLFLOW = {"registry-restarted", "disk-of-artifacts", KILLED}  # versions are registered before and after these
CLIENTS = {
    "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", webhook.SECRET: "0123456789abcdef0123456789abcdef", "PYTHONPATH": str(ROOT),
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
    """One run: what was registered and what it is to get, and how long each fault lasted, in seconds."""

    def __init__(self, chosen, project, fleet, world, experiments):
        self.chosen, self.project, self.fleet, self.world, self.dice = chosen, project, fleet, world, fleet.dice
        self.experiments, self.expected, self.strays = experiments, {}, set()
        self.begin, self.seconds, self.webhooks = time.monotonic(), {}, {}

    def register(self):
        good, experiment = self.dice.random() < 0.7, self.dice.choice(self.experiments)
        self.expected[chaos.register(self.project, good=good, experiment=experiment)] = "pass" if good else "fail"

    def look(self, ledger, words=""):
        """Look after the processes, and whether an alias is where none may be."""
        with contextlib.suppress(SeatrialError):
            self.strays |= set(aftermath.unauthorised_aliases(self.project))
            took, told = time.monotonic() - self.begin, len(ledger.verdicts(chaos.MODEL))
            print(f"{took:5.0f} s  {len(self.expected)} registered, {told} verdicts  {words}", flush=True)
        self.fleet.look_after()

    def suffer(self, fault, versions, ledger):
        """Register versions before a fault and while it lasts, so that it meets some trials and some effects."""
        begin, before = time.monotonic(), versions if fault in AT_MLFLOW else versions // 2
        for _ in range(before):
            self.register()
        time.sleep(self.dice.uniform(0, 6))
        if fault == KILLED:
            self.fleet.strike()
        else:
            with outages.FAULTS[fault](self.world):
                for _ in range(versions - before):
                    self.register()
                until = time.monotonic() + (20 if fault == REFUSED else self.dice.uniform(6, 15))
                while time.monotonic() < until:
                    time.sleep(2)
                    self.look(ledger, fault)
        self.seconds[fault] = round(time.monotonic() - begin)
        self.recover(ledger, versions, fault)

    def recover(self, ledger, versions, fault):
        """Let the reconcilers come after, on a machine that is slow: the next fault is to meet some at work."""
        until = time.monotonic() + 120
        while time.monotonic() < until and len(ledger.verdicts(chaos.MODEL)) < len(self.expected) - versions:
            self.look(ledger, f"after {fault}")
            time.sleep(2)

    def go(self, ledger):
        """Let one fault follow the other until all versions are registered, then wait until all is told."""
        chosen, faults = self.chosen, [self.chosen.fault] if self.chosen.fault else [*outages.FAULTS, KILLED]
        faults = [f for f in faults if self.world.disks or not f.startswith("disk")]
        faults = [f for f in faults if chosen.flows or f != "prefect-restarted"]
        self.dice.shuffle(faults)
        if kills := KILLED in faults:
            self.fleet.die_everywhere()
        each = max(2, chosen.versions // (4 if chosen.fault else len(faults)))
        while len(self.expected) < chosen.versions or (
            self.fleet.places and len(self.expected) < 3 * chosen.versions
        ):  # where others took what the one who was to die waited for, there are some versions more
            fault = next((f for f in faults if f not in self.seconds), None) or self.dice.choice(faults)
            self.suffer(fault, each, ledger)
            if kills and self.dice.random() < chosen.strikes * each:
                self.fleet.strike()
        until = time.monotonic() + 60 * chosen.minutes
        while time.monotonic() < until and not aftermath.settled(ledger, len(self.expected)):
            self.look(ledger, f"{ledger.open_jobs()} validations open")
            if any(at.parked for at in ledger.standings()):
                sync = [*self.fleet.command, "sync", "--project", self.project.root]
                subprocess.run(sync, env=self.fleet.environ, check=False)
            time.sleep(2)

    def wrong(self):
        """Return what does not hold in the end, in words."""
        found = aftermath.wrong(self.project, self.expected)
        found += [f"alias without a pass: {uri}" for uri in self.strays]
        found += [f"nobody died {place}" for place in self.fleet.places]
        return found + (["a forged webhook was accepted"] if self.webhooks.get("forged answered 202") else [])

    def said(self, found):
        """Return what happened, as JSON."""
        what = {"seed": self.chosen.seed, "ledger": self.chosen.ledger, "versions": len(self.expected)}
        what |= {"seconds": round(time.monotonic() - self.begin), "cpu_seconds": round(cpu_seconds())}
        what |= {"load": os.getloadavg(), "seconds of faults": self.seconds, "webhooks": self.webhooks}
        what |= {"registry": self.world.registry.seen, "store": self.world.store.seen, "died": self.fleet.died}
        return json.dumps({**what, "wrong": found}, indent=1)


def cpu_seconds():
    """Return the CPU seconds of this process and of all that it started and that ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


@contextlib.contextmanager
def surrounded(chosen, folder):
    """Start all that a project needs, and yield its run; this process goes around the gateways."""
    with contextlib.ExitStack() as stack:
        enter, dice, disks = stack.enter_context, Random(chosen.seed), {}
        if outages.can_mount(folder):
            disks = {name: enter(outages.Disk(folder / where, size)) for name, (where, size) in DISKS.items()}
        project, at_ledger = chaos.make(folder), folder / ".ledger"
        at_ledger.mkdir(exist_ok=True)
        database = enter(postgres.database(at_ledger)) if chosen.ledger == "postgres" else at_ledger / "ledger.db"
        os.environ.update(CLIENTS, SEATRIAL_LEDGER_URL=getattr(database, "url", f"sqlite:///{database}"))
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        objects, _ = enter(s3_store.serving(BUCKET))
        store, registry_gateway = enter(Gateway(objects)), Gateway("")
        (project.state / "tmp").mkdir(parents=True)
        through = {
            **os.environ, **IMPATIENT, "MLFLOW_S3_ENDPOINT_URL": store.address, "TMPDIR": str(project.state / "tmp"),
            "MLFLOW_TRACKING_URI": registry_gateway.address,
        }  # fmt: skip
        fleet = Fleet(project, dice, through, flows=chosen.flows)
        registry_gateway.upstream = fleet.mlflow
        enter(registry_gateway)
        stack.callback(fleet.end)
        os.environ.update(
            MLFLOW_S3_ENDPOINT_URL=objects, MLFLOW_TRACKING_URI=fleet.mlflow,
            PREFECT_API_URL=f"{fleet.servers.prefect}/api", PREFECT_HOME=str(project.state / "prefect"),
        )  # fmt: skip
        project.activate()
        restart = {name: lambda name=name: fleet.away(name) for name in ("mlflow", "prefect")}
        world = outages.World(registry_gateway, store, database, disks, restart, dice)
        fleet.start("mlflow")
        client = mlflow_client()
        if dice.random() < 0.5:
            client.create_experiment(f"seatrial/{chaos.MODEL}", artifact_location=f"s3://{BUCKET}/verdicts")
        training = client.create_experiment("training", artifact_location=f"s3://{BUCKET}/training")
        run = Run(chosen, project, fleet, world, ["0", training])
        if chosen.flows:
            run.webhooks = with_webhooks(stack, chosen, project, fleet)
        run.register()
        fleet.start()
        yield run


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
    folder = Path(tempfile.mkdtemp(prefix="seatrial-chaos-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    with surrounded(chosen, folder) as run:
        with Ledger.of(run.project.state) as ledger:
            run.go(ledger)
        found = run.wrong()
        print(run.said(found))
        if found:
            shutil.copytree(folder, kept := Path(f"{folder}-kept"), symlinks=True, ignore_dangling_symlinks=True)
            print(f"Ledger, logs and stores are in {kept}")
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
