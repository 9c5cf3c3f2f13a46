"""A team with Kubeflow Model Registry: training registers by the package's own facade, storage is a folder."""

from __future__ import annotations

import asyncio
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seatrial.reference.snapshot import Reference
from seatrial.registry.kubeflow.registry import KubeflowRegistry
from tests.support import model_registry
from tests.support.model_registry import Stub

SCHEME = "model-registry"
VARIABLES = ("MODEL_REGISTRY_BASE_URL", "MODEL_REGISTRY_FILES", "KF_PIPELINES_SA_TOKEN_PATH", "AWS_S3_ENDPOINT")


@dataclass(frozen=True)
class Team:
    """The registry at a stub, and its users' facade."""

    stub: Stub
    ours: KubeflowRegistry
    storage: Path
    theirs: Any

    def register(self, name: str, model: Path, reference: Reference | None = None, *, version: str = "") -> str:
        """Register a version as a training job does, with its files in the storage; return its id."""
        label = version or f"v{len(self.stub.versions) + 1}"
        files = self.storage / name.replace("/", "-") / label
        shutil.copytree(model, files)
        self.theirs.register_model(
            name, files.as_uri(), version=label, model_format_name="text", model_format_version="1"
        )
        identity = str(self.theirs.get_model_version(name, label).id)
        if reference is not None:
            self.ours.store_reference(reference, identity)
        return identity

    def read(self, name: str, version: str) -> Any:
        """Return a version as the package's own facade reads it."""
        return self.theirs.get_model_version(name, version)


@contextmanager
def team(storage: Path) -> Iterator[Team]:
    """Serve an empty registry, and set the variables that name it, until the block ends."""
    from model_registry import ModelRegistry

    logging.getLogger("model-registry").setLevel(logging.ERROR)
    storage.mkdir(parents=True, exist_ok=True)
    with model_registry.serving() as stub, pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        patch.setenv("MODEL_REGISTRY_BASE_URL", stub.url)
        patch.setenv("MODEL_REGISTRY_FILES", str(storage))
        host, _, port = stub.url.rpartition(":")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a token that is not there
            theirs = ModelRegistry(
                host, int(port), author="ann", is_secure=False, async_runner=_run, log_level=logging.ERROR
            )
        yield Team(stub, KubeflowRegistry(), storage, theirs)


def _run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)
