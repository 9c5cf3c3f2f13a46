"""The W&B Registry as a registry: the package reads a stub of its server, which checks nothing but what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial.errors import RegistryError
from seatrial.ledger import Ledger
from seatrial.project import Project
from seatrial.promotion.reconcile import scan_registry
from seatrial.promotion.triggers import wandb
from seatrial.promotion.triggers.delivery import head_of
from seatrial.reference.snapshot import Reference
from seatrial.registry.wandb import client
from seatrial.registry.wandb.registry import WandbRegistry
from seatrial.testing import registry_conforms
from seatrial.testing.registries import NAME
from tests.support import wandb_runs
from tests.support.wandb_runs import KEY
from tests.support.wandb_server import ORG_ENTITY, REGISTRY, TEAM, Backend, serving

pytestmark = pytest.mark.server
environment = wandb_runs.environment


@pytest.fixture(scope="module")
def backend(environment: pytest.MonkeyPatch) -> Iterator[Backend]:
    from wandb import teardown

    with serving() as backend:
        environment.setenv("WANDB_BASE_URL", backend.url)
        yield backend
        teardown()
        client._api.cache_clear()


def test_it_conforms(backend: Backend, tmp_path: Path) -> None:
    """Look-ups, changes, aliases, files, references, tags, descriptions, and runs that are read back."""
    registry = WandbRegistry()

    def register(name: str, folder: Path, reference: Reference | None) -> str:
        run = f"training-{len(backend.artifacts)}"
        backend.UpsertBucket(run, "training")
        files = {p.name: p.read_bytes() for p in folder.iterdir()}
        artifact = backend.add((TEAM, "training", f"{name}-{run}"), "model", files, run)
        if reference is not None:
            registry.store_reference(reference, f"{TEAM}/training/{run}")
        return str(backend.link(artifact, name))

    registry_conforms(registry, "wandb", register, tmp_path)


def test_a_version_that_may_not_be_changed_is_no_success(backend: Backend) -> None:
    """The package says nothing where the API key may not write to the project that a version is linked from."""
    registry = WandbRegistry()
    version = registry.resolve(f"wandb:/{NAME}/0")
    backend.read_only = True
    with pytest.raises(RegistryError, match="may not change the artifact in project team/training"):
        registry.annotate(version, {"seatrial.verdict": "fail"})
    backend.read_only = False


def test_one_event_is_one_validation(backend: Backend, tmp_path: Path) -> None:
    """From the delivery to the ledger's jobs: its replay is not scanned for, and another event of it finds nothing."""
    linked = backend.link(backend.add((TEAM, "training", "events"), "model", {"weights": b"1"}, ""), "events")
    project = replace(Project(*[tmp_path] * 2, "pipeline", *[tmp_path] * 3), registry="wandb")
    receive, jobs = wandb.sender(KEY.encode()), list[int]()
    body = json.dumps(event := {"event_type": "LINK_ARTIFACT", "version": f"org/{backend.registry}/events:v{linked}"})
    with Ledger.of(tmp_path / "state") as ledger:
        for text in (body, body, json.dumps(event | {"event_type": "ADD_ARTIFACT_ALIAS", "alias": "candidate"}), body):
            content = text.encode()
            head = head_of([(b"content-type", b"application/json"), (b"x-wandb-signature", sign(content).encode())])
            delivery = receive(head, 0.0)(content)
            assert delivery is not None
            if ledger.deliver(delivery.id, delivery.body_sha, delivery.name, delivery.number):
                jobs.append(scan_registry(ledger, project, model=delivery.name).new)
    assert jobs == [1, 0]


def test_a_version_is_registered_when_it_is_linked(backend: Backend) -> None:
    """Whenever its artifact was logged, and by no run: projects validate what is registered from some day on."""
    linked = backend.link(backend.add((TEAM, "training", "later"), "model", {"weights": b"1"}, ""), "later", ["new"])
    backend.collections[ORG_ENTITY, REGISTRY, "later"].linked[linked] = "2031-01-01T00:00:00.500Z"
    found = WandbRegistry().resolve("wandb:/later@new")
    assert (found.number, found.created, found.changed, found.run_id) == ("0", 1_924_992_000_500, 1_924_992_000_500, "")


def sign(body: bytes) -> str:
    return wandb.sign(KEY.encode(), body)


def test_a_silent_download_ends(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package would wait for ever, and the judge with it."""
    backend.link(backend.add((TEAM, "training", "silent"), "model", {"weights": b"1"}, ""), "silent")
    version = WandbRegistry().resolve("wandb:/silent/0")
    monkeypatch.setattr(client, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(client, "TRIES", 1)
    backend.downloads.clear()
    try:
        with pytest.raises(RegistryError, match=r"timed out|timeout"):
            WandbRegistry().fetch(version, tmp_path / "model")
    finally:
        backend.downloads.set()
