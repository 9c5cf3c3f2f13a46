"""Remove what a project has on its servers, and nothing of anybody else."""

from __future__ import annotations

from pathlib import Path

from seatrial import registry
from seatrial.formatting import without_user
from seatrial.orchestration import prefect_api
from seatrial.orchestration.deployments import board, names, notify, on_prefect
from seatrial.project import Project
from seatrial.registry.capabilities import SendsWebhooks


def undeploy(directory: Path) -> list[str]:
    """Remove automations, deployments, pool, artifact and webhook of a project; return a line for each that was there.

    Past flow runs, verdicts and the ledger stay.

    Args:
        directory: of the project.

    Raises:
        ProjectError: ``PREFECT_API_URL`` is not set.
        TargetError: Prefect does not answer.
        RegistryError: MLflow does not answer.
    """
    project = Project.find(directory)
    url = without_user(prefect_api.api_url())
    project.activate()
    blocks = [names.block(project, kind) for kind in (*notify.KINDS, names.ENVIRONMENT)]
    removed = on_prefect.remove(
        names.prefix(project), names.tag(project), names.deployment(project, ""), names.pool(project), blocks
    )
    lines = [f"Removed from {url}: {each}." for each in removed]
    if board.remove(project):
        lines.append(f"Removed from {url}: artifact '{names.status(project)}'.")
    found = registry.named(project.registry)
    if isinstance(found, SendsWebhooks) and found.remove_webhook(project.name):
        lines.append(f"Removed the webhook of '{project.registry}:'.")
    return lines or [f"Nothing of project '{project.name}' is on {url}."]
