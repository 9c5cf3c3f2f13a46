"""Set up the servers for a project: work pool, deployments and automations on Prefect, the webhook on MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seatrial import registry
from seatrial.errors import ProjectError
from seatrial.formatting import without_user
from seatrial.orchestration import prefect_api
from seatrial.orchestration.deployments import names, notify, on_prefect
from seatrial.orchestration.deployments.placement import Wanted, placed, save
from seatrial.orchestration.deployments.pools import Pool
from seatrial.orchestration.own_files import outdated_flows
from seatrial.project import Project
from seatrial.promotion import reconcile as reconciling
from seatrial.promotion.triggers import mlflow, polling, webhook
from seatrial.promotion.triggers.delivery import Delivery
from seatrial.registry.capabilities import SendsWebhooks


def deploy(
    directory: Path,
    *,
    receiver: str | None = None,
    since: str = "",
    all_models: bool = False,
    notifications: Sequence[str] = (),
    wanted: Wanted | None = None,
) -> list[str]:
    """Create or update everything on the servers that the environment names; return a line for each thing done.

    Args:
        directory: of the project.
        receiver: the address of the webhook's receiver as MLflow reaches it; without one there is no webhook.
        since: validate versions registered since; by default, for a ledger that is new, those registered from now on.

        all_models: the servers are this project's alone, and every model on them is its own.

        notifications: whom to tell when a verdict changes, each as ``KIND=VARIABLE``.
        wanted: where the runs go; by default to a process pool of the project's own.

    Raises:
        ProjectError: no Prefect server is named, the project names no models, a file or a work pool cannot be used.
        TargetError: Prefect does not answer.
        RegistryError: MLflow does not answer, or refuses the webhook.
    """
    project = Project.find(directory)
    url = without_user(prefect_api.api_url())
    project.activate()
    if "*" in project.models and not all_models:
        raise ProjectError(
            "This project names no models: it would validate every model of the registry, those of others too, and "
            'write to them. Name its own in pyproject.toml: [tool.seatrial] models = ["payments"]. If the registry is '
            "this project's alone: seatrial deploy --all-models"
        )
    addresses, here = notify.wanted(notifications), registry.named(project.registry)
    if receiver and not isinstance(here, SendsWebhooks):
        raise ProjectError(
            f"The registry of '{project.registry}:' sends no webhooks. Omit --receiver: the schedule finds new "
            "versions within a minute."
        )
    wanted = wanted or Wanted()
    placement = placed(project, wanted)
    file, content = on_prefect.declared_deployments(project, placement)
    started = _start(project, since)
    if not wanted.pool:
        on_prefect.create_pool(placement.pool.name)
    save(project, placement)
    deployed = on_prefect.create_deployments(project, file, content)
    own = file == project.root / on_prefect.PREFECT_FILE
    lines = [f"Deployed {'' if own else 'the packaged '}{on_prefect.PREFECT_FILE} to {without_user(url)}."]
    lines += [f"Deployment: {name}." for name in deployed]
    lines += [f"Automation: {name}." for name in on_prefect.create_automations(project)]
    lines += [f"Notification: {name}." for name in notify.create(project, addresses)]
    lines.append(f"Work pool: {placement.pool.name}. To start a worker of it: {_worker(placement.pool, wanted)}")
    lines += placement.lines
    lines += filter(None, [outdated_flows(project), started])
    if receiver and isinstance(here, SendsWebhooks):
        address = receiver.rstrip("/") + mlflow.PATH
        here.put_webhook(project.name, address, webhook.secret(project.state).decode())
        lines.append(f"Webhook of '{project.registry}:' to {address}.")
    else:
        lines.append("Without --receiver there is no webhook; the schedule finds new versions within a minute.")
    return lines


def _worker(pool: Pool, wanted: Wanted) -> str:
    """Return the command that starts a worker of a pool."""
    if pool.lasting:
        return f"seatrial worker --pool {pool.name}" if wanted.pool else "seatrial worker"
    return f"prefect worker start --pool {pool.name}"


def _start(project: Project, since: str) -> str:
    """Set from when on versions are validated; nothing is changed where the ledger knows it and nobody says."""
    from seatrial.ledger import Ledger

    with Ledger.of(project.state) as ledger:
        if not since and polling.START in ledger.watermarks():
            return ""
        reconciling.start(ledger, since or "now")
    if since:
        return ""
    return "Versions registered from now on are validated. To catch up: seatrial reconcile --since 2026-01-31"


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
    registered = f"registered/{names.deployment(project, names.ON_REGISTRATION)}"

    def dispatch(deliveries: Sequence[Delivery]) -> None:
        newest = deliveries[-1]
        parameters = {"name": newest.name, "number": newest.number}
        prefect_api.start_run(registered, parameters, f"delivery-{newest.id}")

    webhook.serve(webhook.Receiver(webhook.senders(project.state), inbox, dispatch), host=host, port=port)
