"""What the server keeps, and what it does with it: the actions that the package and seatrial send."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

Found = dict[str, Any]
SINGLE_VALUE = -(2**31)  # the iteration of a value that has none
MERGED = ("hyperparams", "configuration")


class Refused(Exception):
    """A request that the real server answers with 400."""


class Store:
    """Projects, models, tasks and events in memory. An action is a method ``SERVICE_ACTION(request)``."""

    def __init__(self) -> None:
        self.projects: dict[str, Found] = {}
        self.models: dict[str, Found] = {}
        self.tasks: dict[str, Found] = {}
        self.events: dict[tuple[Any, ...], Found] = {}

    def action(self, service: str, action: str) -> Callable[[Any], Found]:
        found = getattr(self, f"{service}_{action}", None)
        if found is None:
            raise Refused(f"Unsupported action {service}.{action}")
        return found

    def projects_create(self, request: Found) -> Found:
        return self._create(self.projects, request)

    def projects_get_all(self, request: Found) -> Found:
        return {"projects": select(self.projects, request)}

    def projects_get_by_id(self, request: Found) -> Found:
        return {"project": self._one(self.projects, request["project"])}

    def models_create(self, request: Found) -> Found:
        made = self._create(self.models, {"ready": False, "metadata": {}, **request})
        return {**made, "created": True}

    def models_get_all(self, request: Found) -> Found:
        return {"models": select(self.models, request)}

    def models_get_by_id(self, request: Found) -> Found:
        return {"model": self._one(self.models, request["model"])}

    def models_edit(self, request: Found) -> Found:
        return self._edit(self.models, request.pop("model"), request)

    def models_add_or_update_metadata(self, request: Found) -> Found:
        model = self._one(self.models, request["model"])
        model["metadata"] |= {item["key"]: item for item in request["metadata"]}
        model["last_update"] = model["last_change"] = now()
        return {"updated": 1}

    def tasks_create(self, request: Found) -> Found:
        parts = {"execution": {"artifacts": []}, "output": {"destination": ""}, "models": {"input": [], "output": []}}
        return self._create(self.tasks, {"status": "created", **parts, **request})

    def tasks_get_all(self, request: Found) -> Found:
        return {"tasks": select(self.tasks, request)}

    def tasks_get_by_id(self, request: Found) -> Found:
        return {"task": self._one(self.tasks, request["task"])}

    def tasks_edit(self, request: Found) -> Found:
        if "output_dest" in request:
            request["output"] = {"destination": request.pop("output_dest")}
        return self._edit(self.tasks, request.pop("task"), request)

    tasks_update = tasks_edit

    def tasks_delete(self, request: Found) -> Found:
        del self.tasks[request["task"]]
        self.events = {key: event for key, event in self.events.items() if event["task"] != request["task"]}
        return {"deleted": True}

    def tasks_add_or_update_artifacts(self, request: Found) -> Found:
        task = self._one(self.tasks, request["task"])
        held = {each["key"]: each for each in task["execution"].get("artifacts", [])}
        task["execution"]["artifacts"] = list((held | {each["key"]: each for each in request["artifacts"]}).values())
        return {"updated": 1}

    def tasks_add_or_update_model(self, request: Found) -> Found:
        held = self._one(self.tasks, request["task"])["models"]
        held[request["type"]].append({"name": request["name"], "model": request["model"]})
        return {"updated": 1}

    def tasks_ping(self, _: Found) -> Found:
        return {}

    def tasks_started(self, request: Found) -> Found:
        return {**self._end(request, "in_progress"), "started": 1}

    def tasks_completed(self, request: Found) -> Found:
        return self._end(request, "completed")

    def tasks_failed(self, request: Found) -> Found:
        return self._end(request, "failed")

    def tasks_stopped(self, request: Found) -> Found:
        return self._end(request, "stopped")

    def tasks_edit_hyper_params(self, request: Found) -> Found:
        held = self._one(self.tasks, request["task"]).setdefault("hyperparams", {})
        for item in request["hyperparams"]:
            held.setdefault(item["section"], {})[item["name"]] = item
        return {"updated": 1}

    def tasks_edit_configuration(self, request: Found) -> Found:
        held = self._one(self.tasks, request["task"]).setdefault("configuration", {})
        held.update({item["name"]: item for item in request["configuration"]})
        return {"updated": 1}

    def tasks_get_configurations(self, request: Found) -> Found:
        tasks = [self._one(self.tasks, each) for each in request["tasks"]]
        held = [{"task": each["id"], "configuration": list(each.get("configuration", {}).values())} for each in tasks]
        return {"configurations": held}

    def events_add_batch(self, events: list[Found]) -> Found:
        for event in events:
            self._one(self.tasks, event["task"])
            if event["type"] == "log":
                key: tuple[Any, ...] = ("log", uuid.uuid4().hex)
            else:  # as the real server does, one value for each of these
                key = tuple(event.get(part) for part in ("type", "task", "metric", "variant", "iter"))
            self.events[key] = event
        return {"added": len(events), "errors": 0, "errors_info": {}}

    def events_get_task_single_value_metrics(self, request: Found) -> Found:
        def values(task: str) -> list[Found]:
            scalars = [e for e in self._of(task, "training_stats_scalar") if e["iter"] == SINGLE_VALUE]
            return [{part: event[part] for part in ("metric", "variant", "value", "timestamp")} for event in scalars]

        return {"tasks": [{"task": task, "values": values(task)} for task in request["tasks"]]}

    def events_get_task_plots(self, request: Found) -> Found:
        plots = self._of(request["task"], "plot")
        return {"plots": plots, "returned": len(plots), "total": len(plots), "scroll_id": "end"}

    def _of(self, task: str, kind: str) -> list[Found]:
        return [event for event in self.events.values() if event["task"] == task and event["type"] == kind]

    def _create(self, into: dict[str, Found], request: Found) -> Found:
        made = {
            "id": uuid.uuid4().hex,
            "created": now(),
            "last_update": now(),
            "tags": [],
            "system_tags": [],
            **request,
        }
        into[made["id"]] = made
        return {"id": made["id"]}

    def _one(self, among: dict[str, Found], wanted: str) -> Found:
        if wanted not in among:
            raise Refused(f"Invalid id: {wanted}")
        return among[wanted]

    def _edit(self, among: dict[str, Found], wanted: str, fields: Found) -> Found:
        held = self._one(among, wanted)
        for name, value in fields.items():
            held[name] = {**held.get(name, {}), **value} if name in MERGED else value
        held["last_update"] = held["last_change"] = now()
        return {"updated": 1, "fields": {}}

    def _end(self, request: Found, status: str) -> Found:
        self._one(self.tasks, request["task"])["status"] = status
        return {"updated": 1, "fields": {}}


def select(among: dict[str, Found], request: Found) -> list[Found]:
    """Return what a query for all finds, as the real server does: filters, order, page, and the fields asked for."""
    found = [each for each in among.values() if _wanted(each, request)]
    for field in reversed(request.get("order_by") or []):
        found.sort(key=partial(_field, field.lstrip("-")), reverse=field.startswith("-"))
    if (size := request.get("page_size")) is not None:
        found = found[request.get("page", 0) * size :][:size]
    only = {field.partition(".")[0] for field in request.get("only_fields") or []}
    return [{name: value for name, value in each.items() if not only or name in only | {"id"}} for each in found]


def _field(name: str, each: Found) -> str:
    return str(each.get(name) or "")


def _wanted(each: Found, request: Found) -> bool:
    given = {field: request.get(field) for field in ("id", "project", "name", "tags", "system_tags")}
    if given["id"] and each["id"] not in given["id"]:
        return False
    if given["project"] and each.get("project") not in given["project"]:
        return False
    if given["name"] and not re.search(given["name"], each["name"]):
        return False
    if (late := request.get("_or_")) and not any(each[f] > late["datetime"][0][1:] for f in late["fields"]):
        return False
    wanted = [tag for tag in given["tags"] or [] if not tag.startswith("-")]
    refused = [tag[1:] for tag in given["system_tags"] or [] if tag.startswith("-")]
    return (not wanted or bool(set(wanted) & set(each["tags"] or []))) and not set(refused) & set(each["system_tags"])


def now() -> str:
    """Return the time as the server writes it, in milliseconds, each later than the one before."""
    time.sleep(0.001)
    return datetime.now(UTC).isoformat(timespec="milliseconds")
