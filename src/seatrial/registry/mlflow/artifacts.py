"""The model and the reference of a version in MLflow: downloaded to this disk, or stored."""

from __future__ import annotations

import shutil
from pathlib import Path

from seatrial.errors import ReferenceInvalid, RegistryError
from seatrial.reference.snapshot import Reference
from seatrial.registry.mlflow.client import client, registry_errors
from seatrial.registry.protocol import Version

REFERENCE_PATH = "seatrial/reference"  # of the run's artifacts; each has a folder of its own in it
REFERENCE_TAG = "seatrial.reference_digest"  # of the run


def download_model(version: Version, into: Path) -> Path:
    """Download the version's model files to ``into`` and return it."""
    import mlflow

    shutil.rmtree(into, ignore_errors=True)
    with registry_errors("downloaded", version.uri):
        source = client().get_model_version_download_uri(version.name, version.number)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(into)))


def fetch_reference(version: Version, into: Path) -> Reference:
    """Download the version's reference to ``into``, which is emptied first, and verify it.

    Raises:
        RegistryError: the registry does not answer.
        ReferenceInvalid: the version carries no reference, or one that is damaged or of another run.
    """
    import mlflow

    without = (
        f"{version.uri} carries no reference. Its training run must store one: "
        "seatrial.capture(pipeline, requests, model=…, run_id=run.info.run_id)."
    )
    if not version.run_id:
        raise ReferenceInvalid(without + " This version was registered without a run.")
    shutil.rmtree(into, ignore_errors=True)
    with registry_errors("downloaded", f"the reference of {version.uri}"):
        registry = client()
        stated = registry.get_run(version.run_id).data.tags.get(REFERENCE_TAG)
        there = [a.path for a in registry.list_artifacts(version.run_id, REFERENCE_PATH)]
        if not there:
            raise ReferenceInvalid(without)
        folder = _folder(str(stated))
        if folder not in there:
            raise _another(version, there[0].rpartition("/")[2], stated)
        path = mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path=folder, dst_path=str(into))
    reference = Reference.load(path)
    if reference.digest != stated:
        raise _another(version, reference.digest.removeprefix("sha256:"), stated)
    return reference


def _folder(digest: str) -> str:
    return f"{REFERENCE_PATH}/{digest.removeprefix('sha256:')}"


def _another(version: Version, found: str, stated: object) -> ReferenceInvalid:
    return ReferenceInvalid(
        f"The reference beside {version.uri} is not the one its training run captured: its digest is "
        f"sha256:{found[:12]}… and the run states {str(stated)[:19]}…. Capture it again in the training run."
    )


def store_reference(reference: Reference, run_id: str) -> None:
    """Store the reference with an MLflow run, beside the model the run logged, and its digest as the run's tag.

    Each has a folder of its own, and the tag comes last: of several captures the last whole one counts.
    """
    registry = client()
    with registry_errors("stored with run", run_id):
        registry.log_artifacts(run_id, str(reference.root), _folder(reference.digest))
        registry.set_tag(run_id, REFERENCE_TAG, reference.digest)


def can_take_reference(version: Version) -> None:
    """Raise RegistryError unless the version has a run to store a reference in, and has none yet."""
    if not version.run_id:
        raise RegistryError(f"{version.uri} was registered without a run, and references are stored in runs.")
    with registry_errors("looked up", version.uri):
        stated = client().get_run(version.run_id).data.tags.get(REFERENCE_TAG)
    if stated:
        raise RegistryError(
            f"{version.uri} has a reference already ({stated[:19]}…), and its verdicts depend on it. "
            "Register a new version to capture another."
        )
