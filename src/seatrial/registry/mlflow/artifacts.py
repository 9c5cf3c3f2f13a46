"""The model and the reference of a version in MLflow: downloaded to this disk, or stored."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import ReferenceInvalid, RegistryError
from seatrial.registry.mlflow import unity
from seatrial.registry.mlflow.client import client, registry_errors
from seatrial.registry.protocol import Version

if TYPE_CHECKING:
    from seatrial.reference.snapshot import Reference

REFERENCE_PATH = "seatrial/reference"  # of the run's artifacts; each has a folder of its own in it
WRITTEN_BY_CLIENT = "registered_model_meta"  # beside the files of a version, by MLflow's client that downloads it
REFERENCE_TAG = "seatrial.reference_digest"  # of the run
UNEXPLAINED = ("INTERNAL_ERROR", "RESOURCE_DOES_NOT_EXIST")  # what MLflow says of files that do not arrive


def download(into: Path, *, listed: bool = False, **source: str) -> Path:
    """Download what is at a source to ``into`` and return where it is there.

    MLflow raises the same for a disk that is full, or a store that gives nothing out, as for files that are gone: an
    internal error, or, of a run, that the path does not exist. What the store lists is there, and that it does not
    arrive is for now.

    Args:
        into: the directory.
        listed: the store listed it just now; it is asked by default.
        source: as :func:`mlflow.artifacts.download_artifacts` takes it.
    """
    from mlflow import artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    try:
        return Path(artifacts.download_artifacts(**source, dst_path=str(into)))
    except MlflowException as error:
        unexplained = error.error_code in UNEXPLAINED and error.__cause__ is None
        if unexplained and (listed or artifacts.list_artifacts(**source)):
            raise MlflowException(error.message, error_code=TEMPORARILY_UNAVAILABLE) from error
        raise


def fetch(version: Version, into: Path) -> Path:
    """Download the version's model files to ``into`` and return it."""
    shutil.rmtree(into, ignore_errors=True)
    with registry_errors("downloaded", version.uri):
        if unity.is_unity():
            source = version.uri  # credentials for the files are given out by the version's address alone
        else:
            source = client(files=True).get_model_version_download_uri(version.name, version.number)
        there = download(into, artifact_uri=source)
    if unity.is_unity():
        (there / WRITTEN_BY_CLIENT).unlink(missing_ok=True)
    return there


def reference(version: Version, into: Path) -> Reference:
    """Download the version's reference to ``into``, which is emptied first, and verify it.

    Raises:
        RegistryError: the registry does not answer.
        ReferenceInvalid: the version carries no reference, or one that is damaged or of another run.
    """
    from seatrial.reference.snapshot import Reference

    if not version.run_id:
        raise without_reference(version.uri, without_run=True)
    shutil.rmtree(into, ignore_errors=True)
    with registry_errors("downloaded", f"the reference of {version.uri}"):
        registry = client(files=True)
        stated = registry.get_run(version.run_id).data.tags.get(REFERENCE_TAG)
        there = [a.path for a in registry.list_artifacts(version.run_id, REFERENCE_PATH)]
        if not there:
            raise without_reference(version.uri)
        folder = _folder(str(stated))
        if folder not in there:
            raise _another(version, there[0].rpartition("/")[2], stated)
        path = download(into, listed=True, run_id=version.run_id, artifact_path=folder)
    found = Reference.load(path)
    if found.digest != stated:
        raise _another(version, found.digest.removeprefix("sha256:"), stated)
    return found


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
    registry = client(files=True)
    with registry_errors("stored with run", run_id):
        registry.log_artifacts(run_id, str(reference.root), _folder(reference.digest))
        registry.set_tag(run_id, REFERENCE_TAG, reference.digest)


def can_take_reference(version: Version) -> None:
    """Raise RegistryError unless the version has a run to store a reference in, and has none yet."""
    if not version.run_id:
        raise without_run(version.uri)
    with registry_errors("looked up", version.uri):
        stated = client().get_run(version.run_id).data.tags.get(REFERENCE_TAG)
    if stated:
        raise reference_exists(version.uri, stated)


def without_reference(uri: str, *, without_run: bool = False) -> ReferenceInvalid:
    """Return the error for a version that carries no reference, with what to do."""
    if without_run:
        why = " This version was registered without a run, which would hold it: register one that a run logged."
        return ReferenceInvalid(f"{uri} carries no reference.{why}")
    return ReferenceInvalid(
        f"{uri} carries no reference. Its training run must store one: "
        "seatrial.capture(pipeline, requests, model=…, run_id=run.info.run_id). "
        f"Or make it now, from a file of requests: seatrial capture {uri} REQUESTS.parquet"
    )


def without_run(uri: str) -> RegistryError:
    """Return the error for a version that cannot take a reference."""
    return RegistryError(
        f"{uri} was registered without a run, and references are stored in runs. Register a version that a run logged."
    )


def reference_exists(uri: str, stated: str) -> RegistryError:
    """Return the error for a version that has a reference already."""
    return RegistryError(
        f"{uri} has a reference already ({stated[:19]}…), and its verdicts depend on it. "
        "Register a new version to capture another."
    )
