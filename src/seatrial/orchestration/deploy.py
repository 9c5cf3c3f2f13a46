"""Put the project on its servers: work pool, deployments and automations on Prefect, the webhook on MLflow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import ProjectError
from seatrial.orchestration import prefect_api
from seatrial.project import Project
from seatrial.promotion.triggers import webhook
from seatrial.promotion.triggers.delivery import Delivery

WEBHOOK = "seatrial"
EVENTS = ["model_version.created"]
TOLD = "Tells seatrial that a version was registered. Versions whose event is lost are found by the schedule."


def deploy(directory: Path, *, receiver: str | None = None) -> list[str]:
    """Put everything on the servers that the environment names, and return what was done, a line each.

    It can be done again at any time: what is there is brought up to date.

    Args:
        directory: of the project.
        receiver: the address of the webhook's receiver as MLflow reaches it; no webhook without one.

    Raises:
        ProjectError: ``PREFECT_API_URL`` names no server, or a file that cannot be used.
        TargetError: Prefect does not answer.
        RegistryError: MLflow does not answer, or refuses the webhook.
    """
    project = Project.find(directory)
    url = prefect_api.api_url()
    project.settle()
    prefect_api.put_pool()
    prefect_api.put_deployments(project)
    told = [f"Deployed {prefect_api.PREFECT_FILE} to {url}."]
    told += [f"Automation: {name}." for name in prefect_api.put_automations(project)]
    if receiver:
        address = receiver.rstrip("/") + webhook.PATH
        put_webhook(address, webhook.secret(project.state).decode())
        told.append(f"Webhook of MLflow to {address}.")
    else:
        told.append("No --receiver was named: no webhook; the schedule finds versions within a minute.")
    return told


def put_webhook(url: str, secret: str) -> None:
    """Have one webhook of ours at the MLflow server, to this address.

    Raises:
        ProjectError: ``MLFLOW_TRACKING_URI`` names no server: only a server sends webhooks.
        RegistryError: no answer, or the server refuses the address.
    """
    where = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not where.startswith(("http://", "https://")):
        raise ProjectError("MLFLOW_TRACKING_URI names no MLflow server, and only a server sends webhooks.")
    from seatrial.registry import client, spoken

    wanted: dict[str, Any] = {"url": url, "events": EVENTS, "description": TOLD, "secret": secret, "status": "ACTIVE"}
    with spoken("given its webhook", "the registry"):
        registry = client()
        ours = [w for w in registry.list_webhooks() if w.name == WEBHOOK]
        for extra in ours[1:]:
            registry.delete_webhook(extra.webhook_id)
        if ours:
            registry.update_webhook(ours[0].webhook_id, **wanted)
        else:
            registry.create_webhook(WEBHOOK, **wanted)


def receive(directory: Path, *, host: str, port: int) -> None:
    """Receive webhooks until the process is told to end.

    Raises:
        ProjectError: ``PREFECT_API_URL`` names no server.
    """
    from seatrial.ledger import Ledger
    from seatrial.ledger.database import url_for

    project = Project.find(directory)
    prefect_api.api_url()
    project.settle()
    inbox = Ledger.open(url_for(project.state))

    def begin(deliveries: Sequence[Delivery]) -> None:
        newest = deliveries[-1]
        parameters = {"name": newest.name, "number": newest.number}
        prefect_api.begin(prefect_api.REGISTERED, parameters, f"delivery-{newest.id}")

    webhook.serve(webhook.Receiver(webhook.secret(project.state), inbox, begin), host=host, port=port)
