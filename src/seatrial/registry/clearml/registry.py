"""ClearML as a registry: its models are the versions, its tags the aliases."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import ReferenceInvalid, RegistryError
from seatrial.registry.clearml.addresses import parse
from seatrial.registry.clearml.client import FILES_SECONDS, call
from seatrial.registry.clearml.tracker import ClearMLTracker
from seatrial.registry.protocol import Version
from seatrial.sinks.links import Link, links_text

if TYPE_CHECKING:
    from seatrial.reference.snapshot import Reference


class ClearMLRegistry:
    """The registry of addresses such as ``clearml:/payments/fraud@champion``: project, model, and a tag or number.

    A version is a registered model. Its number is the millisecond of its registration, its aliases are its tags, its
    run is the task that made it, and its tags here are its metadata there.
    """

    def __init__(self) -> None:
        self.tracker = ClearMLTracker()

    def resolve(self, uri: str) -> Version:
        """Return the version that an address means now; of several models with a tag, the newest."""
        parse(uri)  # before a process is started
        return _version(call("resolve", uri=uri))

    def changed_since(self, since: float = 0.0, *, model: str = "") -> Sequence[Version]:
        """Return every version that was last changed at ``since`` or later, newest first; archived models are none."""
        return [_version(each) for each in call("changed_since", since=since, model=model)]

    def fetch(self, version: Version, into: Path) -> Path:
        """Download the model's files to ``into``, which is emptied first, and return it."""
        call("model", seconds=FILES_SECONDS, model_id=version.model_id, into=str(into.absolute()))
        return into

    def reference(self, version: Version, into: Path) -> Reference:
        """Download the reference of the task that made the model, and verify it."""
        from seatrial.reference.snapshot import Reference

        shutil.rmtree(into, ignore_errors=True)
        stated = None
        if version.run_id:
            stated = call("reference", seconds=FILES_SECONDS, task_id=version.run_id, into=str(into.absolute()))
        if stated is None:
            raise ReferenceInvalid(
                f"{version.uri} carries no reference. Its training task must store one: "
                "seatrial.capture(pipeline, requests, model=…, run_id=task.id, registry='clearml'). "
                f"Or make it now, from a file of requests: seatrial capture {version.uri} REQUESTS.parquet"
            )
        found = Reference.load(into)
        if found.digest != stated:
            raise ReferenceInvalid(
                f"The reference beside {version.uri} is not the one its task stored: its digest is "
                f"{found.digest[:19]}… and the task states {stated[:19]}…. Capture it again in the training task."
            )
        return found

    def store_reference(self, reference: Reference, run_id: str) -> None:
        """Store a reference as an artifact of the task that made a model."""
        folder = str(reference.root.absolute())
        call("store_reference", seconds=FILES_SECONDS, folder=folder, digest=reference.digest, task_id=run_id)

    def can_take_reference(self, version: Version) -> None:
        """Raise RegistryError unless the version has a task to store a reference with, and has none yet."""
        if not version.run_id:
            raise RegistryError(
                f"{version.uri} was registered without a task, and references are stored with tasks. Register a model "
                "that a task made."
            )
        if call("has_reference", task_id=version.run_id):
            raise RegistryError(
                f"{version.uri} has a reference already, and its verdicts depend on it. Register a new version to "
                "capture another."
            )

    def annotate(
        self, version: Version, tags: Mapping[str, str], texts: Sequence[str] = (), run_id: str = "", page: str = ""
    ) -> None:
        """Set metadata of the model, and put the verdict into its description and its tag ``seatrial: OUTCOME``."""
        links = [*(self.pages(version, run_id)[1:] if run_id else ()), *([Link("flow run", page)] if page else ())]
        said = links_text(links)
        call("annotate", model_id=version.model_id, tags=dict(tags), texts=list(texts), links=said)

    def move_alias(self, version: Version, alias: str) -> bool:
        """Move a tag to the version's model; False if another process moved it elsewhere at the same moment."""
        return bool(call("move_tag", model_id=version.model_id, model=version.name, tag=alias))

    def aliases(self) -> Mapping[str, Mapping[str, str]]:
        """Return every registered model with its tags: model to tag to the number of the newest version with it."""
        found: dict[str, dict[str, str]] = call("aliases")
        return found

    def pages(self, version: Version, run_id: str) -> Sequence[Link]:
        """Return the pages of the version's model, and of the task of its verdict where it has one."""
        found = call("pages", model_id=version.model_id, run_id=run_id)
        return [Link(f"ClearML {title}", address) for title, address in found]


def _version(found: Mapping[str, Any]) -> Version:
    return Version(**{**found, "aliases": tuple(found["aliases"])})
