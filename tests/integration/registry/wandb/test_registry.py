"""The W&B Registry as a registry: the package reads a stub of its server, which checks nothing but what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.errors import RegistryError
from seatrial.reference.snapshot import Reference
from seatrial.registry.wandb import client
from seatrial.registry.wandb.registry import WandbRegistry
from seatrial.testing import registry_conforms
from seatrial.testing.registries import NAME
from tests.support import wandb_runs
from tests.support.wandb_server import TEAM, Backend, serving

pytestmark = pytest.mark.server
environment = wandb_runs.environment


@pytest.fixture(scope="module")
def backend(environment: pytest.MonkeyPatch) -> Iterator[Backend]:
    import wandb

    with serving() as backend:
        environment.setenv("WANDB_BASE_URL", backend.url)
        yield backend
        wandb.teardown()
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
