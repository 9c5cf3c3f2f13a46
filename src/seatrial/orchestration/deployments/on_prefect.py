"""Create, update and remove a project's work pool, deployments and automations on a Prefect server."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import ProjectError
from seatrial.orchestration.deployments import names, pools
from seatrial.orchestration.deployments.placement import Placement
from seatrial.orchestration.flow_files import packaged
from seatrial.orchestration.prefect_api import PROJECT, client, put_automation
from seatrial.project import Project

PREFECT_FILE, AUTOMATIONS_FILE = "deployments/prefect.yaml", "deployments/automations.yaml"
DEPLOY_SECONDS = 300
MANY = 200  # at once


def create_pool(name: str) -> None:
    """Create a process work pool unless it exists."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    with client("create the work pool") as prefect:
        try:
            prefect.read_work_pool(name)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            about = "Processes on each machine that runs: seatrial worker"
            prefect.create_work_pool(
                WorkPoolCreate(name=name, type="process", base_job_template=template, description=about)
            )


def remove(prefix: str, tag: str, own: str, pool: str, blocks: Sequence[str] = ()) -> list[str]:
    """Remove automations, deployments, blocks and a work pool; return what was there.

    Args:
        prefix: of the automations' names.
        tag: of the deployments.
        own: how their names begin; a stranger may use the tag.
        pool: name of the work pool.
        blocks: names of the blocks.
    """
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
    from prefect.exceptions import ObjectNotFound

    removed = []
    with client("remove the deployments") as prefect:
        for automation in prefect.read_automations():
            if automation.name.startswith(prefix):
                prefect.delete_automation(automation.id)
                removed.append(f"automation '{automation.name}'")
        ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[tag]))
        while found := [d for d in prefect.read_deployments(deployment_filter=ours) if d.name.startswith(own)]:
            for deployment in found:
                prefect.delete_deployment(deployment.id)
                removed.append(f"deployment '{deployment.name}'")
        for document in [each for each in _blocks(prefect) if each.name in blocks]:
            prefect.delete_block_document(document.id)
            removed.append(f"block '{document.name}'")
        try:
            prefect.delete_work_pool(pool)
            removed.append(f"work pool '{pool}'")
        except ObjectNotFound:
            pass
    return removed


def _blocks(prefect: Any) -> Iterator[Any]:
    """Yield every block document: one with credentials is not left behind because there are many."""
    seen = 0
    while page := prefect.read_block_documents(limit=MANY, offset=seen, include_secrets=False):
        yield from page
        seen += len(page)


def deployment_file(project: Project, name: str) -> Path:
    """Return a deployment file: the project's own where it has one, else the packaged one."""
    own = project.root / name
    return own if own.is_file() else packaged() / name


def declared_deployments(project: Project, placement: Placement) -> tuple[Path, dict[str, Any]]:
    """Return the project's prefect.yaml, or the packaged one, and what it declares for where the runs go.

    Raises:
        ProjectError: the file cannot be read, or a work pool does not exist or does not take its job variables.
    """
    file = deployment_file(project, PREFECT_FILE)
    content = names.deployments_of(
        project, _read(file, "deployments"), placement.pool.name, placement.job_variables, placement.pull
    )
    known = {placement.pool.name: placement.pool}
    for each in content["deployments"]:
        work = each.get("work_pool") or {}
        name = str(work.get("name") or "")
        if name and "{{" not in name:
            known[name] = known.get(name) or pools.find(name)
            pools.check(known[name], work.get("job_variables") or {})
    return file, content


def create_deployments(project: Project, file: Path, content: dict[str, Any]) -> list[str]:
    """Create or update every deployment that a file declares, and return their names.

    Raises:
        ProjectError: Prefect refuses it; with the end of Prefect's own message.
    """
    import yaml

    with tempfile.TemporaryDirectory(prefix="seatrial-deploy-") as folder:
        rendered = Path(folder) / "prefect.yaml"
        rendered.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        done = subprocess.run(  # noqa: S603  Prefect's own command
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", str(rendered), "--all"],
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
    return [str(each["name"]) for each in content["deployments"]]


def create_automations(project: Project) -> list[str]:
    """Create or update the automations of the project's automations.yaml, or of the packaged one; return their names.

    Raises:
        ProjectError: the file cannot be read, or Prefect does not accept it.
    """
    from prefect.events.schemas.automations import AutomationCore
    from pydantic import ValidationError

    file = deployment_file(project, AUTOMATIONS_FILE)
    declared = names.automations_of(project, _read(file, "automations"))
    try:
        automations = [AutomationCore.model_validate(each) for each in declared]
    except ValidationError as error:
        raise ProjectError(f"{file} cannot be used: {str(error).splitlines()[0]}") from error
    for automation in automations:
        put_automation(automation)
    return [automation.name for automation in automations]


def _read(file: Path, part: str) -> dict[str, Any]:
    """Return what a YAML file declares; ``part`` of it must be a list of things with names."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProjectError(f"{file} cannot be used: {str(error).splitlines()[0]}") from error
    listed = content.get(part) if isinstance(content, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) and "name" in each for each in listed):
        raise ProjectError(f"{file} cannot be used: '{part}' must be a list, and each of it must have a 'name'.")
    return dict(content)
