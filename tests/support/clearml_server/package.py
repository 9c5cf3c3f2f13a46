"""The package in a process of its own, as a training script and a reader use it: one request a line, one reply."""

from __future__ import annotations

import base64
import json
import os
import sys
import traceback
import zipfile
from pathlib import Path
from typing import Any

WATCHING: dict[str, Any] = {}  # the names of a script that watches


def register(project: str, name: str, folder: str, task_name: str = "train") -> dict[str, str]:
    """Register a folder as a model, as a training task does, and return the ids of both."""
    from clearml import OutputModel, Task

    task = Task.create(project_name=project, task_name=task_name, detect_repository=False)
    task.mark_started()
    task.output_uri = True
    model = OutputModel(task=task, name=name)
    model.update_weights_package(weights_path=folder, auto_delete_file=False)
    task.flush(wait_for_uploads=True)
    task.close()
    return {"model": model.id, "task": task.id}


def register_bare(name: str, folder: str) -> dict[str, str]:
    """Register a folder as a model of no project, by the API alone."""
    from clearml import StorageManager, Task
    from clearml.backend_api.session import Session
    from clearml.backend_api.session.client import APIClient

    task = Task.create(project_name="training", task_name="train", detect_repository=False)
    packed = Path(folder).with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as into:
        for path in Path(folder).rglob("*"):
            into.write(path, path.relative_to(folder))
    uri = StorageManager.upload_file(str(packed), f"{Session.get_files_server_host()}/{task.id}/model.zip")
    client = APIClient()
    made = client.models.create(name=name, uri=uri, task=task.id, system_tags=["package"])
    return {"model": made.id, "task": task.id}


def register_at(name: str, uri: str) -> dict[str, str]:
    """Register a model that is somewhere else."""
    from clearml.backend_api.session.client import APIClient

    return {"model": APIClient().models.create(name=name, uri=uri).id}


def upload(model_id: str, name: str, uri: str) -> None:
    """Say what a model is called, and where its file is, as the package does once it is uploaded."""
    from clearml.backend_api.session.client import APIClient

    APIClient().models.edit(model=model_id, name=name, uri=uri)


def read(task_id: str) -> dict[str, Any]:
    """Return everything of a task, by the package's own readers."""
    from clearml import Task

    task = Task.get_task(task_id=task_id)
    files = {
        name: base64.b64encode(
            Path(artifact.get_local_copy(force_download=True)).read_bytes() if artifact.size else b""
        ).decode()
        for name, artifact in task.artifacts.items()
    }  # it gives no copy of an empty file
    return {
        "name": task.name, "project": task.get_project_name(), "status": task.get_status(), "type": str(task.task_type),
        "tags": list(task.get_tags()), "parameters": task.get_parameters(), "comment": task.comment,
        "values": task.get_reported_single_values(), "configuration": task.get_configuration_object("seatrial"),
        "plots": {each["metric"]: json.loads(each["plot_str"]) for each in task.get_reported_plots()}, "files": files,
    }  # fmt: skip


def model(model_id: str) -> dict[str, Any]:
    """Return what a model shows of its verdict."""
    from clearml import Model

    found = Model(model_id=model_id)
    return {"tags": found.tags, "comment": found.comment, "metadata": found.get_all_metadata()}


def tag(model_id: str, tags: list[str]) -> None:
    """Set the tags of a model, as a person does."""
    from clearml.backend_api.session.client import APIClient

    APIClient().models.edit(model=model_id, tags=tags)


def imported(archive: str) -> str:
    """Import an archive, as a person does."""
    from clearml import Task

    return str(Task.import_offline_session(archive))


def watch(script: str) -> None:
    """Run a script that adds a trigger and starts a scheduler, up to the start, which does not return."""
    added, start, _ = script.partition("scheduler.start()")
    assert start
    exec(added, WATCHING)


def poll() -> None:
    """Have that scheduler look for events once, as it does each time that it wakes up."""
    WATCHING["scheduler"]._step()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as replies:
        os.dup2(2, 1)
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"result": globals()[request.pop("call")](**request)}
            except Exception:  # noqa: BLE001  told to the test
                answer = {"error": traceback.format_exc()}
            replies.write(json.dumps(answer) + "\n")
            replies.flush()
    os._exit(0)
