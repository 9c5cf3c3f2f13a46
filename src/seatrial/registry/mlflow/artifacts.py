"""What is kept with a version: its model and its reference, here on this disk, and what it promised when it passed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from seatrial.errors import ReferenceInvalid, RegistryError
from seatrial.io import strict_json
from seatrial.io.bundle import directory_digest
from seatrial.openapi.document import is_openapi
from seatrial.reference.snapshot import Reference
from seatrial.registry.mlflow.client import client, spoken
from seatrial.registry.mlflow.versions import promoted
from seatrial.registry.protocol import Fetched, Version
from seatrial.trial import ChampionContract

REFERENCE_PATH = "seatrial/reference"  # of the run's artifacts
REFERENCE_TAG = "seatrial.reference_digest"  # of the run
OPENAPI, OPENAPI_BYTES = "openapi.json", 8 * 2**20  # of a verdict's run, and how much of it is read
LAST_RUNS = 10  # verdicts of a version that are looked through


def fetch(version: Version, into: Path) -> Fetched:
    """Download the version's model and reference below ``into``, which is emptied first.

    Raises:
        RegistryError: no answer, or files that cannot be had.
        ReferenceInvalid: the version carries no reference, or one that is damaged or of another run.
    """
    into.mkdir(parents=True, exist_ok=True)
    model = download_model(version, into / "model")
    reference = fetch_reference(version, into / "reference")
    return Fetched(version, model, directory_digest(model), reference)


def download_model(version: Version, into: Path) -> Path:
    """Download the version's model files to ``into`` and return it."""
    import mlflow

    shutil.rmtree(into, ignore_errors=True)
    with spoken("downloaded", version.uri):
        source = client().get_model_version_download_uri(version.name, version.number)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(into)))


def fetch_reference(version: Version, into: Path) -> Reference:
    """Download the version's reference to ``into``, which is emptied first, and verify it.

    Raises:
        RegistryError: no answer.
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
    with spoken("downloaded", f"the reference of {version.uri}"):
        registry = client()
        stated = registry.get_run(version.run_id).data.tags.get(REFERENCE_TAG)
        if not registry.list_artifacts(version.run_id, REFERENCE_PATH):
            raise ReferenceInvalid(without)
        path = mlflow.artifacts.download_artifacts(
            run_id=version.run_id, artifact_path=REFERENCE_PATH, dst_path=str(into)
        )
    reference = Reference.load(path)
    if reference.digest != stated:
        raise ReferenceInvalid(
            f"The reference beside {version.uri} is not the one its training run captured: its digest is "
            f"{reference.digest[:19]}… and the run states {str(stated)[:19]}…. Capture it again in the training run."
        )
    return reference


def store_reference(reference: Reference, run_id: str) -> None:
    """Store the reference with an MLflow run, beside the model the run logged, and its digest as the run's tag."""
    registry = client()
    with spoken("stored with run", run_id):
        registry.log_artifacts(run_id, str(reference.root), REFERENCE_PATH)
        registry.set_tag(run_id, REFERENCE_TAG, reference.digest)


def can_take_reference(version: Version) -> None:
    """Raise RegistryError unless the version has a run to keep a reference with, and none is there yet."""
    if not version.run_id:
        raise RegistryError(f"{version.uri} was registered without a run; a reference is kept with the model's run.")
    with spoken("looked up", version.uri):
        stated = client().get_run(version.run_id).data.tags.get(REFERENCE_TAG)
    if stated:
        raise RegistryError(
            f"{version.uri} has a reference already ({stated[:19]}…), which its verdicts rest on. "
            "Register a new version to capture another."
        )


def champion_contract(version: Version, alias: str, into: Path) -> ChampionContract | None:
    """Return what the version promises that ``alias`` stands on; None where it stands on none.

    The OpenAPI is that of its last pass: a later verdict that failed may be about a service that broke its word.

    Args:
        version: the one on trial.
        alias: of the promoted one.
        into: where the promoted version's reference is downloaded to.
    """
    best = promoted(version.name, alias)
    if best is None:
        return None
    document, why = _stored_openapi(best)
    reference = None
    if best.number != version.number:
        with contextlib.suppress(ReferenceInvalid):
            reference = fetch_reference(best, into).root
    return ChampionContract(best.number, document, why, reference)


def experiment_of(name: str) -> str:
    """Return the experiment that holds the verdicts of a model."""
    return f"seatrial/{name}"


def _stored_openapi(version: Version) -> tuple[dict[str, Any] | None, str]:
    """Return the OpenAPI kept with the version's last pass, or None and why."""
    import mlflow

    registry = client()
    with spoken("asked for its OpenAPI", version.uri):
        experiment = registry.get_experiment_by_name(experiment_of(version.name))
        if experiment is None:
            return None, "it never got a verdict"
        since = f"params.version = '{version.number}' and attributes.start_time >= {version.created}"
        runs = registry.search_runs(
            [experiment.experiment_id], f"{since} and tags.`seatrial.verdict` = 'pass'", max_results=LAST_RUNS,
            order_by=["attributes.start_time DESC"],
        )  # fmt: skip
        kept = [(r, a) for r in runs for a in registry.list_artifacts(r.info.run_id) if a.path == OPENAPI]
        if not kept:
            return None, "none is stored with a verdict that it passed"
        run, artifact = kept[0]
        if (artifact.file_size or 0) > OPENAPI_BYTES:
            return None, f"the stored one has {artifact.file_size:,} bytes; at most {OPENAPI_BYTES:,} are read"
        with tempfile.TemporaryDirectory(prefix="seatrial-openapi-") as here:
            path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=OPENAPI, dst_path=here)
            text = Path(path).read_bytes()
    try:
        document = strict_json.loads(text, depth=500, any_text=True)
    except ValueError:
        document = None
    return (document, "") if is_openapi(document) else (None, "the stored one is no OpenAPI 3 document")
