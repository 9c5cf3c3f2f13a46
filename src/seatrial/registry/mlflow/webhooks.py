"""The webhook of an MLflow server, sent when a version is registered."""

from __future__ import annotations

from typing import Any

from seatrial.errors import ProjectError
from seatrial.registry.mlflow.client import client, registry_errors
from seatrial.registry.mlflow.stores import is_server, store

WEBHOOK = "seatrial-"  # and the project
EVENTS = ["model_version.created"]
TEXT = "Notifies seatrial of a new version. Versions whose event is lost are found by the schedule."


def put_webhook(project: str, url: str, secret: str) -> None:
    """Create or update the one webhook of a project at the MLflow server.

    Args:
        project: its name.
        url: the receiver's address.
        secret: that signs each delivery.

    Raises:
        ProjectError: ``MLFLOW_TRACKING_URI`` names no server: only a server sends webhooks.
        RegistryError: the server does not answer, or refuses the address.
    """
    if not is_server(store()[0]):
        raise ProjectError("MLFLOW_TRACKING_URI names no MLflow server, and only a server sends webhooks.")
    settings: dict[str, Any] = {"url": url, "events": EVENTS, "description": TEXT, "secret": secret, "status": "ACTIVE"}
    with registry_errors("given its webhook", "the registry"):
        registry = client()
        ours = _ours(registry, project)
        for extra in ours[1:]:
            registry.delete_webhook(extra.webhook_id)
        if ours:
            registry.update_webhook(ours[0].webhook_id, **settings)
        else:
            registry.create_webhook(f"{WEBHOOK}{project}", **settings)


def remove_webhook(project: str) -> bool:
    """Remove the webhook of a project from the MLflow server; False where it has none.

    Raises:
        RegistryError: the server does not answer.
    """
    if not is_server(store()[0]):
        return False
    with registry_errors("freed of its webhook", "the registry"):
        registry = client()
        ours = _ours(registry, project)
        for each in ours:
            registry.delete_webhook(each.webhook_id)
    return bool(ours)


def _ours(registry: Any, project: str) -> list[Any]:
    return [each for each in registry.list_webhooks() if each.name == f"{WEBHOOK}{project}"]
