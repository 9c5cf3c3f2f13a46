"""The commands that run servers or set them up: up, deploy, webhook, reconcile."""

from __future__ import annotations

from pathlib import Path

from seatrial.cli.version_commands import Flag
from seatrial.errors import EXIT_PASS


def up(
    *,
    mlflow_port: int | None = None,
    prefect_port: int | None = None,
    receiver_port: int | None = None,
    project: Path = Path(),
) -> int:
    """Run MLflow, Prefect, a webhook receiver and a worker on this machine, and validate every registered version.

    Args:
        mlflow_port: 5000 by default, or a free one where that is in use.
        prefect_port: 4200 by default, or a free one where that is in use.
        receiver_port: 4300 by default, or a free one where that is in use.
        project: the project's directory.
    """
    from seatrial.orchestration.stack import up as command

    ports = {"mlflow": mlflow_port, "prefect": prefect_port, "receiver": receiver_port}
    command(project, ports=ports, on_line=lambda line: print(line, flush=True))  # noqa: T201
    return EXIT_PASS


def deploy(*, receiver: str | None = None, project: Path = Path(), quiet: Flag = False) -> int:
    """Create the deployments and automations on the Prefect server of PREFECT_API_URL, and the webhook on MLflow.

    Args:
        receiver: the address of 'seatrial webhook' as the MLflow server reaches it; without it there is no webhook.
        project: the project's directory.
        quiet: print nothing.
    """
    from seatrial.orchestration.deploy import deploy as command

    lines = command(project, receiver=receiver)
    if not quiet:
        print("\n".join(lines))  # noqa: T201
    return EXIT_PASS


def webhook(*, host: str = "127.0.0.1", port: int = 4300, project: Path = Path()) -> int:
    """Receive MLflow's registry webhooks and start a validation for each, until Ctrl-C.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        project: the project's directory.
    """
    from seatrial.orchestration.deploy import receive

    receive(project, host=host, port=port)
    return EXIT_PASS


def reconcile(
    *,
    every: float = 0.0,
    model: str = "",
    most: int = 0,
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Validate every registered version that has no verdict yet, and update the registry from the ledger.

    Args:
        every: repeat after this many seconds, until Ctrl-C.
        model: reconcile this registered model alone.
        most: validate at most this many versions.
        project: the project's directory.
        quiet: print nothing but errors.
    """
    from seatrial.cli.commands import reconcile as command

    return command(project, every=every, model=model, most=most, quiet=quiet)
