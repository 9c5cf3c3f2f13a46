"""The names of what a project puts on a shared server: each carries the project's name, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.formatting import slug
from seatrial.orchestration.deployments.pools import merged
from seatrial.project import Project

POOL = "seatrial"  # as deployment files name the project's pool
RESOURCE = "{{ project }}"  # as automations name what is the project's
ENVIRONMENT = "environment"  # the block with what runs in containers need and no page may show
HERE = "SEATRIAL_PROJECT"  # the folder that the packaged deployment file names
ON_REGISTRATION = "on-registration"  # the deployment that the receiver of webhooks starts
WHEN_DUE = "when-due"  # the deployment of which each job gets a run
_TITLE = "seatrial - "


def pool(project: Project) -> str:
    """Return the name of the project's work pool.

    Example:
        >>> from types import SimpleNamespace
        >>> pool(SimpleNamespace(name="shop"))
        'seatrial-shop'
    """
    return f"{POOL}-{project.name}"


def tag(project: Project) -> str:
    """Return the tag of everything that is the project's on a Prefect server."""
    return f"seatrial:{project.name}"


def deployment(project: Project, name: str) -> str:
    """Return the name of one of the project's deployments.

    Example:
        >>> from types import SimpleNamespace
        >>> deployment(SimpleNamespace(name="shop"), "nightly")
        'shop-nightly'
    """
    return f"{project.name}-{name}"


def when_due(project: Project) -> str:
    """Return the flow and deployment of which each job gets a run.

    Example:
        >>> from types import SimpleNamespace
        >>> when_due(SimpleNamespace(name="shop"))
        'due/shop-when-due'
    """
    return f"due/{deployment(project, WHEN_DUE)}"


def title(project: Project, text: str) -> str:
    """Return the name of one of the project's automations, from that in a file.

    Example:
        >>> from types import SimpleNamespace
        >>> title(SimpleNamespace(name="shop"), "seatrial - a version was registered")
        'seatrial shop - a version was registered'
    """
    return f"{prefix(project)}{text.removeprefix(_TITLE)}"


def block(project: Project, kind: str) -> str:
    """Return the name of the block that holds an address of notifications.

    Example:
        >>> from types import SimpleNamespace
        >>> block(SimpleNamespace(name="shop"), "slack")
        'seatrial-shop-slack'
    """
    return f"{pool(project)}-{kind}"


def status(project: Project) -> str:
    """Return the key of the artifact that shows where the project's versions stand.

    Example:
        >>> from types import SimpleNamespace
        >>> status(SimpleNamespace(name="shop"))
        'seatrial-shop-status'
    """
    return slug(f"{pool(project)}-status")


def resource(project: Project) -> str:
    """Return the resource that the project's own events are about."""
    return f"seatrial.project.{project.name}"


def prefix(project: Project) -> str:
    """Return how the names of the project's automations begin."""
    return f"seatrial {project.name} - "


def deployments_of(
    project: Project,
    content: Mapping[str, Any],
    pool: str = "",
    job_variables: Mapping[str, Any] | None = None,
    pull: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return what a prefect.yaml declares, under the project's names; KeyError or TypeError for what is none.

    Args:
        project: the project.
        content: of the file.
        pool: the work pool of the deployments that name none of their own; by default the project's.
        job_variables: over those of the file, for the same deployments.
        pull: the pull steps of the same deployments; by default the file's. Where the file brings the code in a way of
            its own, what follows that is kept.
    """
    own = _brought(content.get("pull"))
    named = [_named(project, each) for each in content["deployments"]]
    for declared, each in zip(content["deployments"], named, strict=True):
        if (declared.get("work_pool") or {}).get("name") == POOL:
            work = each["work_pool"]
            each["work_pool"] = {**work, "name": pool or work["name"]}
            if job_variables:
                each["work_pool"]["job_variables"] = merged(work.get("job_variables") or {}, job_variables)
            if pull:
                brought = _brought(each.get("pull")) or own
                each["pull"] = [*brought, *_after_code(pull)] if brought else list(pull)
    return {**content, "deployments": named}


def _brought(pull: Any) -> list[Any]:
    """Return pull steps that a project wrote itself; the packaged ones go to a folder of the machine that deploys."""
    return [] if not pull or HERE in str(pull) else list(pull)


def _after_code(pull: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [step for step in pull if not next(iter(step)).startswith("prefect.")]


def _named(project: Project, declared: Mapping[str, Any]) -> dict[str, Any]:
    named = {
        **declared,
        "name": deployment(project, declared["name"]),
        "tags": [*declared.get("tags", ()), tag(project)],
    }
    work = dict(declared.get("work_pool") or {})
    if work.get("name") == POOL:
        named["work_pool"] = {**work, "name": pool(project)}
    if triggers := declared.get("triggers"):
        named["triggers"] = [{**each, "name": title(project, str(each.get("name", "")))} for each in triggers]
    return named


def automations_of(project: Project, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what an automations.yaml declares, under the project's names and about its runs alone.

    Args:
        project: the project.
        content: of the file; ``{{ project }}`` in it becomes the resource of the project's tag.
    """
    found: list[dict[str, Any]] = _filled(content["automations"], f"prefect.tag.{tag(project)}")
    return [{**each, "name": title(project, each["name"])} for each in found]


def _filled(value: Any, resource: str) -> Any:
    if value == RESOURCE:
        return resource
    if isinstance(value, Mapping):
        return {key: _filled(each, resource) for key, each in value.items()}
    return [_filled(each, resource) for each in value] if isinstance(value, list) else value
