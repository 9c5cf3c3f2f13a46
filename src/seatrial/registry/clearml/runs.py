"""Verdicts as tasks on the server, in the process that speaks to ClearML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import RegistryError
from seatrial.process import crash_points
from seatrial.registry.clearml.content import KEY_TAG, TYPE, VERDICT_TAG, project_of, tags_of, title, version_tag, write
from seatrial.registry.clearml.session import client, everything, exactly, projects

ENDED = {"completed", "failed", "stopped", "closed", "published", "publishing"}
FIELDS = ["id", "name", "status", "created", "tags", "execution.artifacts"]
_END = {"FINISHED": "completed", "FAILED": "failed"}  # by the status of the run; another one is stopped


def log_run(body: dict[str, Any], folder: Path, key: str) -> str:
    """Log a run with every file of a directory, and return its id.

    A task with that key is completed, or left as it is where it has ended.
    """
    from clearml import Task

    found = with_key(body["model"], key) if key else []
    run = found[0] if found else _created(body, key)
    run_id = str(run.id)
    crash_points.point("mid-effect")
    if found and has_ended(run):
        return run_id
    task = Task.get_task(task_id=run_id)
    task.mark_started(force=True)
    write(task, body, folder)
    task.flush(wait_for_uploads=True)
    task.close()
    end(run_id, body["status"])
    return run_id


def has_ended(task: Any) -> bool:
    """Return whether a task is in a state that it does not leave by itself."""
    return getattr(task.status, "value", task.status) in ENDED


def end(run_id: str, status: str) -> None:
    """End a task as its verdict did: completed for a pass, failed for a fail, stopped where none was reached."""
    getattr(client().tasks, _END.get(status, "stopped"))(task=run_id, force=True, status_reason="verdict of seatrial")


def with_key(model: str, key: str) -> list[Any]:
    """Return the tasks of one verdict, the first one first."""
    return _tasks(model, KEY_TAG + key, "created")


def listed(model: str, number: str, key: str, passed: bool) -> list[dict[str, Any]]:
    """Return the runs that ended, with a key or else of a version, the newest first: each one's id and files."""
    found = _tasks(model, KEY_TAG + key if key else version_tag(model, number), "-created")
    wanted = [each for each in found if has_ended(each) and (not passed or VERDICT_TAG + "pass" in each.tags)]
    return [{"id": each.id, "files": _files(each)} for each in wanted]


def _created(body: Mapping[str, Any], key: str) -> Any:
    """Create the task, with its key from the first moment; where another worker was first, return that one's."""
    from clearml.backend_interface.util import get_or_create_project

    project = get_or_create_project(client().session, project_of(body["model"]))
    if not project:
        raise RegistryError(f"ClearML did not create the project {project_of(body['model'])}. Check the credentials.")
    made = client().tasks.create(name=title(body), type=TYPE, project=project, tags=tags_of(body, key))
    first = with_key(body["model"], key)[0] if key else made
    if first.id != made.id:
        client().tasks.delete(task=made.id, force=True)
    return first


def _tasks(model: str, tag: str, order: str) -> list[Any]:
    held = [each.id for each in projects(name=exactly(project_of(model)))]
    if not held:
        return []
    query = {"project": held, "tags": [tag], "only_fields": FIELDS, "order_by": [order, "id"]}
    return [each for each in everything(client().tasks.get_all, **query) if tag in (each.tags or [])]


def _files(task: Any) -> list[dict[str, Any]]:
    artifacts = task.execution.artifacts if task.execution else None
    return [{"path": each.key, "uri": each.uri, "bytes": each.content_size or 0} for each in artifacts or []]
