"""The webhook of an MLflow server, sent when a version is registered."""

from __future__ import annotations

import os
from typing import Any

from seatrial.errors import ProjectError
from seatrial.registry.mlflow.client import client, registry_errors

WEBHOOK = "seatrial"
EVENTS = ["model_version.created"]
TEXT = "Notifies seatrial of a new version. Versions whose event is lost are found by the schedule."


def put_webhook(url: str, secret: str) -> None:
    """Create or update the one webhook of seatrial at the MLflow server.

    Raises:
        ProjectError: ``MLFLOW_TRACKING_URI`` names no server: only a server sends webhooks.
        RegistryError: the server does not answer, or refuses the address.
    """
    where = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not where.startswith(("http://", "https://")):
        raise ProjectError("MLFLOW_TRACKING_URI names no MLflow server, and only a server sends webhooks.")
    settings: dict[str, Any] = {"url": url, "events": EVENTS, "description": TEXT, "secret": secret, "status": "ACTIVE"}
    with registry_errors("given its webhook", "the registry"):
        registry = client()
        ours = [w for w in registry.list_webhooks() if w.name == WEBHOOK]
        for extra in ours[1:]:
            registry.delete_webhook(extra.webhook_id)
        if ours:
            registry.update_webhook(ours[0].webhook_id, **settings)
        else:
            registry.create_webhook(WEBHOOK, **settings)
