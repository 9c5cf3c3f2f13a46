"""Files of a version in Weights & Biases: the model's, and its reference, an artifact in the project of its run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import ReferenceInvalid, RegistryError
from seatrial.registry.descriptions import with_verdict
from seatrial.registry.protocol import Version
from seatrial.registry.wandb import process
from seatrial.registry.wandb.client import api, registry_errors
from seatrial.registry.wandb.content import ENTITY, PROJECT, REFERENCE, accepted
from seatrial.registry.wandb.versions import find, source_run
from seatrial.sinks.links import Link, links_markdown

if TYPE_CHECKING:
    from seatrial.reference.snapshot import Reference

DESCRIPTION = 10_000  # characters; W&B states no limit


def fetch(version: Version, into: Path) -> Path:
    """Download the version's model files to ``into``, which is emptied first, and return it."""
    return download(find(version.name, f"v{version.number}"), into, version.uri)


def download(artifact: Any, into: Path, what: str) -> Path:
    """Download the files of an artifact to ``into``, which is emptied first, and return it."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with registry_errors("downloaded", what):
        artifact.download(root=str(into), skip_cache=True)
    return into


def reference(version: Version, into: Path) -> Reference:
    """Download the version's reference to ``into``, which is emptied first, and verify it.

    Raises:
        RegistryError: W&B does not answer.
        ReferenceInvalid: the version carries no reference, or one that is damaged.
    """
    from seatrial.reference.snapshot import Reference

    artifact = _reference_of(version)
    if artifact is None:
        raise ReferenceInvalid(
            f"{version.uri} carries no reference. Its training run must store one: "
            "seatrial.capture(pipeline, requests, model=…, run_id=run.id, registry='wandb'). "
            f"Or make it now, from a file of requests: seatrial capture {version.uri} REQUESTS.parquet"
        )
    found, stated = Reference.load(download(artifact, into, f"The reference of {version.uri}")), artifact.metadata
    if found.digest != stated.get("digest"):
        raise ReferenceInvalid(
            f"The reference of {version.uri} is damaged: its digest is {found.digest[:19]}…, and its artifact states "
            f"{str(stated.get('digest'))[:19]}…. Capture it again in the training run."
        )
    return found


def store_reference(reference: Reference, run_id: str) -> None:
    """Store a reference as an artifact in the project of a run; a run of its own logs it, beside that one.

    Args:
        reference: to store.
        run_id: of the run that logged the model: its id, in the project of ``WANDB_PROJECT``; or its path,
            ``entity/project/id``.

    Raises:
        RegistryError: W&B refused it or does not answer, or the project is not known.
    """
    entity, project, name = _path(run_id)
    with tempfile.TemporaryDirectory(prefix="seatrial-wandb-") as folder:
        artifact = {
            "name": reference_name(name), "type": REFERENCE, "aliases": [],
            "metadata": {"digest": reference.digest, "run": name},
        }  # fmt: skip
        where = {"entity": entity, "project": project, "id": f"seatrial-capture-{name}"}
        process.ask("store", Path(folder), run=where, artifact=artifact, files=str(reference.root), root=folder)


def can_take_reference(version: Version) -> None:
    """Raise RegistryError unless the version has a run beside which to store a reference, and has none yet."""
    run = source_run(find(version.name, f"v{version.number}"))
    if run is None:
        raise RegistryError(
            f"{version.uri} was logged by no run, and references are stored beside runs. "
            "Register a version that a run logged."
        )
    _PATHS[run.id] = (run.entity, run.project, run.id)
    if _reference_of(version) is not None:
        raise RegistryError(
            f"{version.uri} has a reference already, and its verdicts depend on it. Register a new version to capture "
            "another."
        )


_PATHS: dict[str, tuple[str, str, str]] = {}  # of the runs whose versions were looked up for a reference, by id


def _path(run_id: str) -> tuple[str, str, str]:
    given = run_id.split("/")
    if len(given) == 3:
        return given[0], given[1], given[2]
    if run_id in _PATHS:
        return _PATHS[run_id]
    if not os.environ.get(PROJECT):
        raise RegistryError(
            f"The project of run '{run_id}' is not known. Set {PROJECT}, or pass entity/project/{run_id}."
        )
    return os.environ.get(ENTITY, ""), os.environ[PROJECT], run_id


def reference_name(run_id: str) -> str:
    """Return the name of the artifact with the reference of a run."""
    return accepted(f"seatrial-reference-{run_id}")


def _reference_of(version: Version) -> Any:
    run = source_run(find(version.name, f"v{version.number}"))
    return existing(f"{run.entity}/{run.project}/{reference_name(run.id)}:latest") if run else None


def existing(path: str) -> Any:
    """Return the artifact of a path, or None where W&B says that there is none."""
    client = api()
    with registry_errors("looked up", path):
        try:
            return client.artifact(path)
        except Exception as error:
            if isinstance(getattr(error, "exc", None), ValueError) and "not found" in str(error):  # the package's own
                return None
            raise


def annotate(
    version: Version, tags: Mapping[str, str], texts: Sequence[str] = (), run_id: str = "", page: str = ""
) -> None:
    """Put tags into the metadata of a version, and the verdict into its description; text of people around it stays.

    Args:
        version: the version.
        tags: those to set.
        texts: the verdict, the longest text first; the first that fits is taken.
        run_id: of the run with the report; W&B shows it with the report's artifact.
        page: the address of the flow run's page.

    Raises:
        RegistryError: W&B does not answer, or the API key may not change the version.
    """
    del run_id
    artifact = find(version.name, f"v{version.number}")
    with registry_errors("annotated", version.uri):
        artifact.metadata.update(tags)
        if texts:
            links = links_markdown([Link("flow run", page)])
            artifact.description = with_verdict(artifact.description or "", texts, links, DESCRIPTION)
        artifact.save()
    kept = find(version.name, f"v{version.number}").metadata
    if any(kept.get(name) != value for name, value in tags.items()):
        raise RegistryError(
            f"{version.uri} was not annotated: the API key may not change the artifact in project "
            f"{artifact.source_entity}/{artifact.source_project}, from which it is linked. Give it write access there."
        )
