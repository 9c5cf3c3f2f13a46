"""Requests to a Prefect server: create the work pool, deployments and automations, and start a run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import ProjectError, TargetError
from seatrial.orchestration.flow_files import packaged
from seatrial.project import Project

POOL = "seatrial"
PREFECT_FILE, AUTOMATIONS_FILE = "deployments/prefect.yaml", "deployments/automations.yaml"
REGISTERED = "registered/on-registration"  # the deployment that the webhook's receiver starts
PROJECT = "SEATRIAL_PROJECT"
DEPLOY_SECONDS = 300


def api_url() -> str:
    """Return the address of the Prefect server; ProjectError where the environment names none."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise ProjectError(
            "PREFECT_API_URL is not set, so there is no Prefect server to use. Set it, for example to "
            "http://127.0.0.1:4200/api, or start all servers on this machine: seatrial up"
        )
    return url


def unanswered(url: str, why: str) -> str:
    """Return the message for a Prefect server that cannot be reached."""
    return (
        f"Prefect does not answer at {url}, from PREFECT_API_URL: {why}. Start it (prefect server start), correct "
        "PREFECT_API_URL, or unset it: seatrial then starts its own server."
    )


def start_run(deployment: str, parameters: Mapping[str, Any], key: str) -> str:
    """Start a run of a deployment and return its id; a second call with the same key returns the same run.

    Raises:
        TargetError: the server does not answer, or has no such deployment.
    """
    with _client(f"start a run of '{deployment}'") as client:
        found = client.read_deployment_by_name(deployment)
        run = client.create_flow_run_from_deployment(found.id, parameters=dict(parameters), idempotency_key=key)
        return str(run.id)


def create_pool() -> None:
    """Create the process work pool unless it exists."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    with _client("create the work pool") as client:
        try:
            client.read_work_pool(POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            about = f"Processes on each machine that runs: prefect worker start --pool {POOL}"
            client.create_work_pool(
                WorkPoolCreate(name=POOL, type="process", base_job_template=template, description=about)
            )


def deployment_file(project: Project, name: str) -> Path:
    """Return a deployment file: the project's own where it has one, else the packaged one."""
    own = project.root / name
    return own if own.is_file() else packaged() / name


def create_deployments(project: Project) -> Path:
    """Create or update every deployment of the project's prefect.yaml, or of the packaged one; return the file.

    Raises:
        ProjectError: Prefect refuses the file; with the end of Prefect's own message.
    """
    file = deployment_file(project, PREFECT_FILE)
    done = subprocess.run(  # noqa: S603  Prefect's own command
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", str(file), "--all"],
        cwd=project.root,
        env={**os.environ, PROJECT: str(project.root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=DEPLOY_SECONDS,
        check=False,
    )
    if done.returncode:
        message = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise ProjectError(f"Prefect did not deploy {file}:\n{message}")
    return file


def create_automations(project: Project) -> list[str]:
    """Create or update the automations of the project's automations.yaml, or of the packaged one; return their names.

    Raises:
        ProjectError: the file cannot be read, or Prefect does not accept it.
    """
    import yaml
    from prefect.events.schemas.automations import AutomationCore
    from pydantic import ValidationError

    file = deployment_file(project, AUTOMATIONS_FILE)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        automations = [AutomationCore.model_validate(automation) for automation in content["automations"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise ProjectError(f"{file} cannot be used: {str(error).splitlines()[0]}") from error
    with _client("create automations") as client:
        for automation in automations:
            existing = client.read_automations_by_name(automation.name)
            if existing:
                client.update_automation(existing[0].id, automation)
            else:
                client.create_automation(automation)
    return [automation.name for automation in automations]


@contextlib.contextmanager
def _client(purpose: str) -> Iterator[Any]:
    """Yield a client, and turn whatever goes wrong into one sentence that names the purpose."""
    url = api_url()
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectException

    try:
        with get_client(sync_client=True) as client:
            yield client
    except ObjectNotFound as error:
        raise TargetError(
            f"Prefect at {url} could not {purpose}: it was not found there. Create it first: seatrial deploy"
        ) from error
    except (HTTPError, PrefectException, RuntimeError, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise TargetError(f"Prefect at {url} could not {purpose}: {first}.") from error
