"""Put the project on its servers: work pool, deployments and automations on Prefect, the webhook on MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seatrial import registry
from seatrial.errors import ProjectError
from seatrial.orchestration import prefect_api
from seatrial.project import Project
from seatrial.promotion.triggers import webhook
from seatrial.promotion.triggers.delivery import Delivery
from seatrial.registry.protocol import SendsWebhooks


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
        found = registry.named(project.registry)
        if not isinstance(found, SendsWebhooks):
            raise ProjectError(
                f"The registry of '{project.registry}:' sends no webhooks. Leave --receiver out: the schedule finds "
                "versions within a minute."
            )
        found.put_webhook(address, webhook.secret(project.state).decode())
        told.append(f"Webhook of MLflow to {address}.")
    else:
        told.append("No --receiver was named: no webhook; the schedule finds versions within a minute.")
    return told


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
