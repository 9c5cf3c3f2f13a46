"""The model and the reference of a version. The registry holds addresses alone; the files are in the team's storage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import ReferenceInvalid, RegistryError
from seatrial.registry.early import Use
from seatrial.registry.kubeflow import storage
from seatrial.registry.kubeflow.addresses import SCHEME
from seatrial.registry.kubeflow.changes import annotate
from seatrial.registry.kubeflow.client import ask, every
from seatrial.registry.kubeflow.versions import resolve, version_of
from seatrial.registry.protocol import Version

if TYPE_CHECKING:
    from seatrial.reference.snapshot import Reference

PLACE, DIGEST = "seatrial.reference", "seatrial.reference_digest"  # custom properties of the version
REFERENCES = "seatrial-references"  # the folder beside the model's files


def fetch(version: Version, into: Path) -> Path:
    """Download the files of the version's newest model artifact, the one that KServe would serve."""
    return storage.download(_model_uri(version), into)


def reference(version: Version, into: Path) -> Reference:
    """Download the version's reference and verify it."""
    from seatrial.reference.snapshot import Reference

    now = version_of(version.number).tags
    place, stated = now.get(PLACE, ""), now.get(DIGEST, "")
    if not place:
        raise _without_reference(version)
    found = Reference.load(storage.download(place, into))
    if found.digest != stated:
        raise ReferenceInvalid(
            f"The reference at {storage.shown(place)} is {found.digest}; {version.uri} states {stated or 'none'}."
        )
    return found


def store_reference(reference: Reference, run_id: str) -> None:
    """Store a reference beside the model's files, and say so on the version.

    It is no artifact of the version: KServe serves the newest artifact, whatever it is.

    Args:
        reference: the reference.
        run_id: the id of the version: it has no run.
    """
    version = version_of(run_id)
    _check_free(version)
    place = _place(version, reference.digest)
    storage.upload(reference.root, place)
    annotate(version, {PLACE: place, DIGEST: reference.digest})


def can_take_reference(version: Version) -> None:
    """Raise RegistryError where the version has a reference already, or nothing can be written beside its files."""
    _check_free(version_of(version.number))
    storage.located(_place(version, "sha256:0"))


def refuse(uri: str, use: Use) -> None:
    """Raise what is certain of a version before anything slow is imported; see ``RefusesEarly``."""
    version = resolve(uri)
    if use == "validate" and not version.tags.get(PLACE):
        raise _without_reference(version)
    if use == "capture":
        can_take_reference(version)


def _check_free(version: Version) -> None:
    if version.tags.get(PLACE):
        raise RegistryError(f"{version.uri} has a reference already. Register a new version to capture another.")


def _place(version: Version, digest: str) -> str:
    return storage.beside(_model_uri(version), f"{REFERENCES}/{digest.removeprefix('sha256:')}")


def _without_reference(version: Version) -> ReferenceInvalid:
    return ReferenceInvalid(
        f"{version.uri} carries no reference. Capture one: seatrial capture {version.uri} REQUESTS, or where the "
        f"model is trained: seatrial.capture(pipeline, requests, run_id='{version.number}', registry='{SCHEME}')"
    )


def _model_uri(version: Version) -> str:
    """Return the address of the files of the newest model artifact of a version."""

    async def question(api: Any) -> list[Any]:
        return await every(api.get_model_version_artifacts, version.number)

    artifacts = [each.actual_instance for each in ask(question, f"The files of {version.uri} cannot be looked up.")]
    models = [each for each in artifacts if each.artifact_type == "model-artifact" and each.uri]
    if not models:
        raise RegistryError(f"{version.uri} has no model artifact with an address. Register the version with a uri.")
    newest = max(models, key=lambda each: (int(each.create_time_since_epoch or 0), int(each.id)))
    return str(newest.uri)
