"""The files of ClearML, in the process that speaks to it: a version's model, its reference, the files of runs."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from seatrial.errors import RegistryError
from seatrial.registry.clearml.session import client

PACKAGE = "package"  # the system tag of a model that is a folder, stored as one archive
REFERENCE = "seatrial-reference"  # the artifact of the task that made the model
DIGEST = "digest"  # of the reference, beside it


def model(model_id: str, into: str) -> None:
    """Download a model's file or files to a directory, which is emptied first. No cache is used."""
    found = client().models.get_by_id(model=model_id)
    if not found.uri:
        raise RegistryError(f"The model {model_id} of ClearML has no file: its training task has not uploaded one.")
    _fill(Path(into), found.uri, unpack=PACKAGE in (found.system_tags or []))


def reference(task_id: str, into: str) -> str | None:
    """Download the reference of a task to a directory, which is emptied first.

    Returns:
        The digest that was stored beside it; None where the task has no reference.
    """
    found = artifacts_of(task_id).get(REFERENCE)
    if found is None:
        return None
    _fill(Path(into), found.uri, unpack=True)
    return dict(_pairs(found)).get(DIGEST, "")


def has_reference(task_id: str) -> bool:
    """Return whether a task has a reference."""
    return REFERENCE in artifacts_of(task_id)


def store_reference(folder: str, digest: str, task_id: str) -> None:
    """Store a folder as the reference of a task."""
    from clearml import Task

    with tempfile.TemporaryDirectory(prefix="seatrial-clearml-") as beside:
        packed = shutil.make_archive(str(Path(beside) / "reference"), "zip", folder)
        task = Task.get_task(task_id=task_id)
        upload(task, REFERENCE, Path(packed), {DIGEST: digest})
        task.close()


def upload(task: Any, name: str, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Upload a file as an artifact of a task.

    Raises:
        RegistryError: ClearML did not take it.
    """
    if not task.upload_artifact(name=name, artifact_object=path, metadata=metadata, wait_on_upload=True):
        raise RegistryError(f"ClearML did not take the file {name}. Check CLEARML_FILES_HOST and that it is up.")


def artifacts_of(task_id: str) -> dict[str, Any]:
    """Return the artifacts of a task by name; a task that is not there has none."""
    found = client().tasks.get_all(id=[task_id], only_fields=["id", "execution.artifacts"])
    execution = found[0].execution if found else None
    return {each.key: each for each in (execution.artifacts if execution else None) or []}


def download(uri: str, into: str) -> str:
    """Download one file into a directory, and return its path.

    Raises:
        RegistryError: it is not there, or is a file of this machine outside the folder of ClearML's files.
    """
    from clearml import StorageManager

    _refuse_local(uri)
    path = StorageManager.download_file(uri, local_folder=into, overwrite=True, skip_zero_size_check=True)
    if not path or not Path(path).is_file():
        raise RegistryError(f"The file {uri} of ClearML could not be downloaded. Check that it was not deleted.")
    return str(path)


def _refuse_local(uri: str) -> None:
    """Refuse a file of this machine, whose address whoever registers a model can write; a shared folder is allowed."""
    from clearml.backend_api.session import Session

    address = urlparse(uri)
    if address.scheme not in ("", "file"):
        return
    shared = urlparse(Session.get_files_server_host())
    path = Path(os.path.realpath(unquote(address.path)))
    if shared.scheme != "file" or not path.is_relative_to(os.path.realpath(unquote(shared.path))):
        raise RegistryError(
            f"{uri} is a file of the machine that registered it, and is not read here. Train with output_uri=True, or "
            "set CLEARML_FILES_HOST to the shared folder: file:///FOLDER"
        )


def _fill(into: Path, uri: str, *, unpack: bool) -> None:
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="seatrial-clearml-") as beside:
        path = Path(download(uri, beside))
        if not unpack:
            shutil.move(path, into / path.name)
            return
        try:
            with zipfile.ZipFile(path) as packed:
                packed.extractall(into)
        except zipfile.BadZipFile as error:
            raise RegistryError(f"{uri} of ClearML is no zip archive: {error}. Upload it again.") from error


def _pairs(artifact: Any) -> list[tuple[str, str]]:
    """Return the metadata of an artifact."""
    return [(str(pair[0]), str(pair[1])) for pair in artifact.display_data or [] if len(pair) == 2]
