"""The commands that run servers or set them up: up, deploy, undeploy, worker, webhook, reconcile, sync."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seatrial.cli.conventions import Flag
from seatrial.errors import EXIT_FAIL, EXIT_PASS


def up(
    *,
    mlflow_port: int | None = None,
    prefect_port: int | None = None,
    receiver_port: int | None = None,
    project: Path = Path(),
) -> int:
    """Run MLflow, Prefect, a webhook receiver and a worker on this machine, and validate every registered version.

    Args:
        mlflow_port: port of MLflow; by default 5000, or a free one if that is in use.
        prefect_port: port of Prefect; by default 4200, or a free one if that is in use.
        receiver_port: port of the webhook receiver; by default 4300, or a free one if that is in use.
        project: project directory.
    """
    from seatrial.orchestration.stack import up as command

    ports = {"mlflow": mlflow_port, "prefect": prefect_port, "receiver": receiver_port}
    command(project, ports=ports, on_line=lambda line: print(line, flush=True))  # noqa: T201
    return EXIT_PASS


def deploy(
    *,
    receiver: str | None = None,
    since: str = "",
    all_models: Flag = False,
    notify: Annotated[list[str], Parameter(negative="")] | None = None,
    pool: str = "",
    image: str = "",
    job_variable: Annotated[list[str], Parameter(negative="")] | None = None,
    secret: Annotated[list[str], Parameter(negative="")] | None = None,
    git_credentials: str = "",
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Create the deployments and automations on the Prefect server, and the webhook on MLflow.

    The Prefect server is that of PREFECT_API_URL, else that of Prefect's active profile.

    Args:
        receiver: URL of 'seatrial webhook' as seen from the MLflow server; without it no webhook is created.
        since: validate versions registered since this date, or 'all'; by default those registered from now on.
        all_models: the registry is this project's alone, and every model in it is its own.
        notify: whom to tell when a version's verdict changes: KIND=VARIABLE, where KIND is slack, teams, webhook or
            email, and the environment variable holds the address (for email: SENDGRID_KEY SENDER RECIPIENT…). May be
            repeated.
        pool: name of an existing work pool, of type process, docker, kubernetes or another; by default a process pool
            of the project's own is created.
        image: image of the containers, for a pool whose type has them.
        job_variable: NAME=VALUE of the pool's base job template, such as mem_limit=4g or env.OMP_NUM_THREADS=2. May be
            repeated.
        secret: name of an environment variable whose value is kept in a block of Prefect for runs in containers. May
            be repeated.
        git_credentials: TYPE/NAME of the block that runs in containers clone the repository with, such as
            secret/git-token.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.orchestration.deployments.deploy import deploy as command
    from seatrial.orchestration.deployments.placement import Wanted

    wanted = Wanted(pool, image, job_variable or (), secret or (), git_credentials)
    lines = command(
        project,
        receiver=receiver,
        since=since,
        all_models=all_models,
        notifications=notify or (),
        wanted=wanted,
    )
    if not quiet:
        print("\n".join(lines))  # noqa: T201
    return EXIT_PASS


def undeploy(*, project: Path = Path(), quiet: Flag = False) -> int:
    """Remove the project's deployments, automations, work pool and webhook; past runs, verdicts and the ledger stay.

    Args:
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.orchestration.deployments.undeploy import undeploy as command

    lines = command(project)
    if not quiet:
        print("\n".join(lines))  # noqa: T201
    return EXIT_PASS


def worker(*, runs: int = 2, healthcheck: Flag = False, pool: str = "", project: Path = Path()) -> int:
    """Run a Prefect worker of the project's work pool, until Ctrl-C.

    Args:
        runs: flow runs at once.
        healthcheck: answer at /health, on the port of PREFECT_WORKER_WEBSERVER_PORT.
        pool: name of another work pool of type process.
        project: project directory.
    """
    from seatrial.orchestration.deployments.worker import work

    work(project, runs, healthcheck=healthcheck, pool=pool)


def webhook(*, host: str = "127.0.0.1", port: int = 4300, project: Path = Path()) -> int:
    """Receive the webhooks of MLflow or Weights & Biases and start a validation for each, until Ctrl-C.

    Args:
        host: address to listen on.
        port: port to listen on.
        project: project directory.
    """
    from seatrial.orchestration.deployments.deploy import receive

    receive(project, host=host, port=port)
    return EXIT_PASS


def reconcile(
    *,
    every: float = 0.0,
    model: str = "",
    most: int = 0,
    since: str = "",
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Validate every registered version that has no verdict yet, and write all verdicts of the ledger to the registry.

    Args:
        every: repeat after this many seconds, until Ctrl-C; 0: once.
        model: reconcile only this registered model; empty: all models.
        most: validate at most this many versions; 0: no limit.
        since: catch up: validate versions registered since this date, or 'all'.
        project: project directory.
        quiet: print only errors.
    """
    from seatrial.cli.commands import reconcile as command

    return command(project, every=every, model=model, most=most, since=since, quiet=quiet)


def sync(*, project: Path = Path(), quiet: Flag = False) -> int:
    """Write again what a registry or tracker refused, and have trackers upload what was logged without their server.

    Args:
        project: project directory.
        quiet: print only errors.
    """
    from seatrial.cli.preflight import before
    from seatrial.project import Project

    here = Project.find(project)
    here.activate()
    before.effects(here)
    from seatrial.promotion.effects import resume

    lines, waiting = resume(here)
    if not quiet:
        print("\n".join([*lines, *waiting] or ["Nothing waits."]))  # noqa: T201
    return EXIT_FAIL if waiting else EXIT_PASS
