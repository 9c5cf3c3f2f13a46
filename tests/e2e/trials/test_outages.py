"""Servers and disks that are away, full or refuse: afterwards every version has its one verdict, told once."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from random import Random

import pytest

from seatrial.cli.server_commands import sync
from seatrial.errors import SeatrialError
from seatrial.ledger import Ledger, database
from seatrial.promotion import effects, head
from seatrial.promotion.triggers import polling
from tests.e2e.trials import aftermath, chaos, outages, postgres
from tests.support import s3_store
from tests.support.gateway import Gateway

pytestmark = pytest.mark.server
BUCKET = "models"
FAULTS = (
    "store-away", "store-busy", "registry-503", "answers-lost", "database-away", "disk-of-ledger-nearly",
    "disk-of-results", "disk-of-artifacts",
)  # fmt: skip
STEP_SECONDS = 30.0  # of the ledger's time, between two rounds
ENVIRON = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return chaos.make(tmp_path_factory.mktemp("outages"))


@pytest.fixture(scope="module")
def disks(project):
    """One for the ledger, one for the project's state, one for MLflow's files; none where nothing can be mounted."""
    with contextlib.ExitStack() as stack:
        mounted = {}
        if outages.can_mount(project.root):
            places = {"ledger": ".ledger", "results": ".seatrial", "artifacts": ".mlflow/artifacts"}
            for name, place in places.items():
                mounted[name] = stack.enter_context(outages.Disk(project.root / place, 24))
        yield mounted


@pytest.fixture(scope="module")
def world(project, disks):
    """The project's MLflow server and object store, each behind a gateway, and its ledger in a SQLite file."""
    before = dict(os.environ)
    url, server = chaos.mlflow_server(project)
    ledger = project.root / ".ledger" / "ledger.db"
    with s3_store.serving(BUCKET) as (objects, _), Gateway(url) as registry, Gateway(objects) as store:
        os.environ.update(
            ENVIRON,
            MLFLOW_TRACKING_URI=registry.address,
            MLFLOW_S3_ENDPOINT_URL=store.address,
            SEATRIAL_LEDGER_URL=f"sqlite:///{ledger}",
        )
        os.environ.pop("_MLFLOW_SERVER_ARTIFACT_ROOT", None)
        server.start().wait()
        project.activate()
        yield outages.World(registry, store, ledger, disks, {}, Random(1))
        server.kill()
        os.environ.clear()
        os.environ.update(before)


def experiments(model, *, in_store):
    """Return the experiment of a model's training; with the object store for its files, and its verdicts' too."""
    from seatrial.registry.mlflow.client import client

    if not in_store:
        return "0"
    client().create_experiment(f"seatrial/{model}", artifact_location=f"s3://{BUCKET}/verdicts/{model}")
    return client().create_experiment(f"training/{model}", artifact_location=f"s3://{BUCKET}/{model}")


def rounds(project, number, until=lambda ledger: False, *, offset=0.0):
    """Reconcile so often while the ledger's time goes on; return what was said, and the time that went by."""
    said = []
    for _ in range(number):
        offset += STEP_SECONDS
        with contextlib.suppress(SeatrialError), Ledger.of(project.state) as ledger:
            ledger.offset_seconds = offset
            said += chaos.one_round(ledger, project)
            if until(ledger):
                break
    return said, offset


def suffer(fault, world, project, model):
    """Validate three versions while a fault lasts for ten minutes of the ledger's time, and until all is told.

    One has its verdict when it begins, which is told to nobody yet, and two wait for their trials.
    """
    training = experiments(model, in_store=fault.startswith("store"))
    expected = {}
    for good in (True, False, True):
        number = chaos.register(project, good=good, name=model, experiment=training)
        expected[number] = "pass" if good else "fail"
        if len(expected) == 1:
            with Ledger.of(project.state) as ledger:
                chaos.only_validate(ledger, project)
    with outages.FAULTS[fault](world):
        said, offset = rounds(project, round(600 / STEP_SECONDS))
    assert not [each for each in said if "was dropped" in each or "was parked" in each or "verdict error" in each]
    assert aftermath.untrue(project, model) == []
    rounds(project, 60, lambda ledger: aftermath.settled(ledger, len(expected), model), offset=offset)
    assert aftermath.wrong(project, expected, model) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_every_version_has_its_verdict_after(fault, world, project, monkeypatch):
    """Nothing is dropped or parked, nobody gets the verdict error, and `status` and `history` say what is true."""
    if fault.startswith("disk") and not world.disks:
        pytest.skip("no file system can be mounted here")
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    suffer(fault, world, project, f"tiny-{fault}")


@pytest.mark.parametrize("kind", outages.EFFECTS)
def test_an_effect_that_is_refused_fifty_times_is_applied_once_it_is_not(kind, world, project, capsys):
    """Twenty times, then it is parked, and that is said once; ``seatrial sync`` tries it again."""
    model, before, parked, offset = f"tiny-refused-{kind}", world.registry.seen[400], [], 0.0
    expected = {chaos.register(project, name=model): "pass"}
    with Ledger.of(project.state) as ledger, outages.refusing(kind)(world):
        chaos.only_validate(ledger, project)
        while (refused := world.registry.seen[400] - before) < 50:
            if any(at.parked for at in ledger.standings(model)):
                assert effects.apply(ledger, project.state) == []
                assert aftermath.untrue(project, model) == []
                assert sync(project=project.root) == 1
                assert kind in capsys.readouterr().out
            offset += 400.0  # longer than the longest pause
            ledger.offset_seconds = offset
            parked += [refused + 1 for each in effects.apply(ledger, project.state) if "was parked" in each]
    assert parked == [20, 40]
    assert sync(project=project.root) == 0
    with Ledger.of(project.state) as ledger:
        head.renew_heads(ledger, project)
    assert aftermath.wrong(project, expected, model) == []


def test_every_version_has_its_verdict_after_postgresql_was_stopped(world, project, monkeypatch):
    """With the ledger in PostgreSQL, which is started again. It comes last: its versions are in no other ledger."""
    with postgres.database() as server:
        monkeypatch.setenv("SEATRIAL_LEDGER_URL", server.url)
        with Ledger.of(project.state) as ledger:
            ledger.observe([], {polling.START: time.time() * 1000})
        suffer("database-away", dataclasses.replace(world, database=server), project, "tiny-postgres")
