"""What is asked of a Prefect server over its API: to have a pool, automations and deployments, and to begin a run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.errors import ProjectError, TargetError
from seatrial.project import Project

POOL = "seatrial"
PREFECT_FILE, AUTOMATIONS_FILE = "deployments/prefect.yaml", "deployments/automations.yaml"
REGISTERED = "registered/on-registration"  # the deployment that the webhook's receiver begins
PROJECT = "SEATRIAL_PROJECT"
DEPLOY_SECONDS = 300


def api_url() -> str:
    """Return the address of the Prefect server; ProjectError when there is none."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise ProjectError(
            "PREFECT_API_URL names no Prefect server. Start all of it on this machine with 'seatrial up', or set it."
        )
    return url


def begin(deployment: str, parameters: Mapping[str, Any], key: str) -> str:
    """Begin a run of a deployment and return its id; asked again with the same key, it is the same run.

    Raises:
        TargetError: the server does not answer, or has no such deployment.
    """
    with _asked(f"begin a run of '{deployment}'") as client:
        found = client.read_deployment_by_name(deployment)
        run = client.create_flow_run_from_deployment(found.id, parameters=dict(parameters), idempotency_key=key)
        return str(run.id)


def put_pool() -> None:
    """Have the process work pool."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    with _asked("have a work pool") as client:
        try:
            client.read_work_pool(POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            told = "Processes on the machine of whoever runs: prefect worker start --pool seatrial"
            client.create_work_pool(
                WorkPoolCreate(name=POOL, type="process", base_job_template=template, description=told)
            )


def put_deployments(project: Project) -> None:
    """Deploy everything in the project's prefect.yaml.

    Raises:
        ProjectError: with Prefect's own words.
    """
    file = project.root / PREFECT_FILE
    if not file.is_file():
        raise ProjectError(f"There is no {file}. 'seatrial init' writes one.")
    done = subprocess.run(  # noqa: S603  Prefect's own command
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", PREFECT_FILE, "--all"],
        cwd=project.root,
        env={**os.environ, PROJECT: str(project.root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=DEPLOY_SECONDS,
        check=False,
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise ProjectError(f"Prefect did not deploy {file}:\n{said}")


def put_automations(project: Project) -> list[str]:
    """Have the automations of the project's automations.yaml, each under its name, and return their names.

    Raises:
        ProjectError: the file is not there, or Prefect does not know what it says.
    """
    import yaml
    from prefect.events.schemas.automations import AutomationCore
    from pydantic import ValidationError

    file = project.root / AUTOMATIONS_FILE
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        wanted = [AutomationCore.model_validate(automation) for automation in said["automations"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise ProjectError(f"{file} cannot be used: {str(error).splitlines()[0]}") from error
    with _asked("have automations") as client:
        for automation in wanted:
            there = client.read_automations_by_name(automation.name)
            if there:
                client.update_automation(there[0].id, automation)
            else:
                client.create_automation(automation)
    return [automation.name for automation in wanted]


def workers() -> list[str]:
    """Return the names of the workers that are online in the pool."""
    with _asked("list its workers") as client:
        return [w.name for w in client.read_workers_for_work_pool(POOL) if str(w.status).endswith("ONLINE")]


@contextlib.contextmanager
def _asked(what: str) -> Iterator[Any]:
    """Give a client, and turn whatever goes wrong into one sentence."""
    url = api_url()
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectException

    try:
        with get_client(sync_client=True) as client:
            yield client
    except ObjectNotFound as error:
        raise TargetError(f"Prefect at {url} has no such thing, asked to {what}. Run 'seatrial deploy'.") from error
    except (HTTPError, PrefectException, RuntimeError, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise TargetError(f"Prefect at {url} could not be asked to {what}: {first}.") from error
