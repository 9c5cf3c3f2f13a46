"""Set up the servers for a project: work pool, deployments and automations on Prefect, the webhook on MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seatrial import registry
from seatrial.errors import ProjectError
from seatrial.orchestration import prefect_api
from seatrial.orchestration.own_files import outdated_flows
from seatrial.project import Project
from seatrial.promotion.triggers import webhook
from seatrial.promotion.triggers.delivery import Delivery
from seatrial.registry.capabilities import SendsWebhooks


def deploy(directory: Path, *, receiver: str | None = None) -> list[str]:
    """Create or update everything on the servers that the environment names; return a line for each thing done.

    Args:
        directory: of the project.
        receiver: the address of the webhook's receiver as MLflow reaches it; without one there is no webhook.

    Raises:
        ProjectError: ``PREFECT_API_URL`` is not set, or a deployment file cannot be used.
        TargetError: Prefect does not answer.
        RegistryError: MLflow does not answer, or refuses the webhook.
    """
    project = Project.find(directory)
    url = prefect_api.api_url()
    project.activate()
    prefect_api.create_pool()
    file = prefect_api.create_deployments(project)
    own = file == project.root / prefect_api.PREFECT_FILE
    lines = [f"Deployed {'' if own else 'the packaged '}{prefect_api.PREFECT_FILE} to {url}."]
    lines += [f"Automation: {name}." for name in prefect_api.create_automations(project)]
    lines += filter(None, [outdated_flows(project)])
    if receiver:
        address = receiver.rstrip("/") + webhook.PATH
        found = registry.named(project.registry)
        if not isinstance(found, SendsWebhooks):
            raise ProjectError(
                f"The registry of '{project.registry}:' sends no webhooks. Omit --receiver: the schedule finds new "
                "versions within a minute."
            )
        found.put_webhook(address, webhook.secret(project.state).decode())
        lines.append(f"Webhook of '{project.registry}:' to {address}.")
    else:
        lines.append("Without --receiver there is no webhook; the schedule finds new versions within a minute.")
    return lines


def receive(directory: Path, *, host: str, port: int) -> None:
    """Receive webhooks until the process is stopped.

    Raises:
        ProjectError: ``PREFECT_API_URL`` is not set.
    """
    from seatrial.ledger import Ledger
    from seatrial.ledger.database import url_for

    project = Project.find(directory)
    prefect_api.api_url()
    project.activate()
    inbox = Ledger.open(url_for(project.state))

    def dispatch(deliveries: Sequence[Delivery]) -> None:
        newest = deliveries[-1]
        parameters = {"name": newest.name, "number": newest.number}
        prefect_api.start_run(prefect_api.REGISTERED, parameters, f"delivery-{newest.id}")

    webhook.serve(webhook.Receiver(webhook.secret(project.state), inbox, dispatch), host=host, port=port)
