"""Verdicts that wait for ClearML: archives of the package, each of one task, in the process that speaks to it.

``clearml/waiting/KEY.zip`` below the state directory is what ``Task.import_offline_session`` takes.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seatrial.errors import RegistryError, SeatrialError
from seatrial.registry.clearml import runs, session
from seatrial.registry.clearml.content import BODY, KEY_TAG, TYPE, files_of, project_of, tags_of, title, write

TASK, EVENTS = "task.json", "metrics.jsonl"  # of an archive
VISIBLE_SECONDS = 5.0  # until the server shows what was reported


def archive(body: dict[str, Any], folder: Path, key: str, state: str) -> str:
    """Log a run to an archive, and return its id. An archive with that key is left as it is.

    Raises:
        RegistryError: there is no directory for it, or the package left something out.
    """
    if not state:
        raise RegistryError("ClearML is offline here, and a registry needs its server. Set CLEARML_API_HOST and keys.")
    from clearml import Task

    waiting = Path(state) / "clearml" / "waiting"
    waiting.mkdir(parents=True, exist_ok=True)
    key = key or uuid.uuid4().hex
    done = waiting / f"{quote(key, safe='')}.zip"
    if done.exists():
        return str(_task(done)["id"])
    Task.set_offline(True)
    with tempfile.TemporaryDirectory(dir=waiting.parent, prefix=".new-") as beside:
        os.environ["CLEARML_CACHE_DIR"] = beside
        task = Task.init(
            project_name=project_of(body["model"]), task_name=title(body), task_type=TYPE, tags=tags_of(body, key),
            reuse_last_task_id=False, output_uri=False, auto_connect_arg_parser=False, auto_connect_streams=False,
            auto_connect_frameworks={"detect_repository": False}, auto_resource_monitoring=False,
        )  # fmt: skip
        try:
            write(task, body, folder)
        finally:
            task.close()
        packed = next(Path(beside).glob("offline/*.zip"), None)
        names = {path.relative_to(folder).as_posix() for path in files_of(folder)}
        if packed is None or _names(_task(packed)) != names:
            raise RegistryError(
                "ClearML's package wrote no whole archive of the verdict. Check that the disk is not full."
            )
        os.replace(packed, done)
    return str(_task(done)["id"])


def sync(state: str) -> dict[str, list[str]]:
    """Import every archive that waits, each once; return a sentence for each that was, and for each that waits."""
    done, waiting = list[str](), list[str]()
    for packed in sorted((Path(state) / "clearml" / "waiting").glob("*.zip")):
        try:
            session.client()
            done.append(_hand_over(packed))
        except Exception as error:  # noqa: BLE001  the others are imported nevertheless
            said = str(error) if isinstance(error, SeatrialError) else session.described(error)
            waiting.append(f"{packed.name} waits: {said}")
    return {"done": done, "waiting": waiting}


def _hand_over(packed: Path) -> str:
    """Import an archive, unless that was done. What an import that was cut short left is deleted first."""
    from clearml import Task

    stored = _task(packed)
    body = json.loads(stored["configuration"][BODY]["value"])
    key = next(tag for tag in stored["tags"] if tag.startswith(KEY_TAG)).removeprefix(KEY_TAG)
    run_id = ""
    for each in runs.with_key(body["model"], key):
        if not run_id and runs.has_ended(each) and _imported(each.id, packed):
            run_id = str(each.id)
        else:
            session.client().tasks.delete(task=each.id, force=True)
    if not run_id:
        run_id = str(Task.import_offline_session(str(packed)))
        if not _imported(run_id, packed):
            raise RegistryError(f"ClearML did not take all of '{body['name']}'. Try again: seatrial sync")
    runs.end(run_id, body["status"])
    packed.unlink()
    return f"'{body['name']}' was imported as task {run_id}."


def _imported(run_id: str, packed: Path) -> bool:
    """Return whether a task has every file, number and plot of an archive: the package only warns where it does not."""
    from clearml import Task

    with zipfile.ZipFile(packed) as content:
        events = [each for line in content.read(EVENTS).splitlines() for each in json.loads(line)]
    numbers = {each["variant"]: each["value"] for each in events if each["type"] == "training_stats_scalar"}
    plots = {(each["metric"], each["variant"]) for each in events if each["type"] == "plot"}
    task, until = Task.get_task(task_id=run_id), time.monotonic() + VISIBLE_SECONDS
    while True:
        shown = {(each["metric"], each["variant"]) for each in task.get_reported_plots()}
        whole = task.get_reported_single_values() == numbers and shown == plots
        if whole or time.monotonic() > until:
            return whole and set(task.artifacts) == _names(_task(packed))
        time.sleep(0.5)


def _task(packed: Path) -> Mapping[str, Any]:
    """Return the task that an archive holds."""
    with zipfile.ZipFile(packed) as content:
        return dict(json.loads(content.read(TASK)))


def _names(task: Mapping[str, Any]) -> set[str]:
    return {each["key"] for each in task["execution"]["artifacts"] or []}
