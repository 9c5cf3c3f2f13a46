"""The one door for flows: every step that a flow file wires into Prefect tasks.

A flow file imports ``prefect``, ``seatrial`` and this module alone. The file says how Prefect names, orders and
shows the steps; what a step does is in the library.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from seatrial import registry
from seatrial.errors import SeatrialError
from seatrial.events import Case
from seatrial.orchestration import flow_files
from seatrial.orchestration.capturing import capture, resolve_for_capture, show_reference
from seatrial.orchestration.deployments import board
from seatrial.orchestration.deployments.prune import prune, prune_runs
from seatrial.orchestration.own_files import outdated_flows
from seatrial.orchestration.reconciliation import Reconciliation, open_reconciliation, tagged
from seatrial.orchestration.runner import is_temporary
from seatrial.orchestration.tasks import counted, redact_logs, wait_for
from seatrial.orchestration.validation import Validation, open_validation
from seatrial.policy.service import promotion
from seatrial.project import Project
from seatrial.promotion import aliases, effects
from seatrial.promotion import reconcile as reconciling
from seatrial.promotion.head import renew_heads
from seatrial.sinks.markdown import literal

__all__ = [
    "Reconciliation", "all_passed", "apply_effects", "capture", "check_aliases", "commit", "fetch", "load",
    "load_flow", "open_project", "open_reconciliation", "open_validation", "promoted_versions",
    "reconcile_run_name", "resolve", "resolve_for_capture", "run_case", "scan", "show_reference", "show_status",
    "tagged", "wait_for",
]  # fmt: skip


def open_project(directory: str) -> Project:
    """Find the project, point MLflow and Prefect at its state, and warn of outdated flows.

    Raises:
        ProjectError: there is no project at the directory or above it, or its settings cannot be used.
    """
    redact_logs()
    project = Project.find(directory)
    project.activate()
    if warning := outdated_flows(project):
        get_run_logger().warning(warning)
    return project


def load_flow(project: Project, name: str) -> Any:
    """Load a flow of the project by its name, such as ``validate``: its own, else the packaged one.

    Raises:
        ProjectError: there is no such flow, or its file cannot be loaded.
    """
    return flow_files.load_flow(project, name)


# --- validate and stress ---------------------------------------------------------------------------------


def resolve(uri: str) -> registry.Version:
    """Look up in the registry which version is meant, now."""
    version = registry.resolve(uri)
    registered = datetime.fromtimestamp(version.created / 1000, UTC)
    get_run_logger().info("%s: registered %s", version.uri, f"{registered:%Y-%m-%d %H:%M:%S} UTC")
    return version


def fetch(validation: Validation, version: registry.Version) -> None:
    """Download the version's files and verify its reference."""
    validation.fetch(version)
    reference = validation.fetched.reference
    get_run_logger().info("Model %s; reference %s", validation.fetched.digest, reference.digest)


def load(validation: Validation) -> State[Any]:
    """Load the model in its own process, with the champion it is compared with; red where it cannot be loaded."""
    return validation.load()


def run_case(case: Case, validation: Validation) -> State[Any]:
    """Run one check on one stage; red where it found an error or could not be evaluated."""
    return validation.run(case)


def commit(validation: Validation) -> str:
    """Write the verdict's files, and commit it to the ledger and from there to the registry."""
    run_id = validation.commit()
    registered = f"logged as run {run_id}" if run_id else "the registry is updated next, by the run that started this"
    get_run_logger().info("%s: %s; %s", validation.verdict.subject, validation.verdict.outcome, registered)
    return run_id


# --- champions -------------------------------------------------------------------------------------------


def promoted_versions(project: Project, alias: str = "") -> list[str]:
    """Return the URI of the champion of each model of the project.

    Args:
        project: whose models are listed.
        alias: the alias of the champion; by default the one the policy names.
    """
    alias = alias or promotion(project.expectations).alias or registry.VALIDATED
    by_model = registry.aliases(registry.named(project.registry), project.models)
    numbers = {name: found[alias] for name, found in by_model.items() if alias in found}
    return [f"{project.registry}:/{name}/{numbers[name]}" for name in sorted(filter(project.owns, numbers))]


def all_passed(states: Mapping[str, State[Any]]) -> State[Any]:
    """Return Completed where every run completed, else Failed with the addresses of those that did not."""
    for uri, state in states.items():
        get_run_logger().info("%s: %s", uri, state.message)
    if not states:
        return Completed(message="No version is promoted.")
    failed = [uri for uri, state in states.items() if not state.is_completed()]
    if failed:
        return Failed(message=f"{len(failed)} of {counted(len(states), 'version')} did not pass: {', '.join(failed)}.")
    return Completed(message=f"{counted(len(states), 'version')} passed.")


# --- reconcile -------------------------------------------------------------------------------------------


def reconcile_run_name() -> str:
    """Return the name of the flow run, with the model it is limited to."""
    return f"reconcile {flow_run.parameters.get('model') or 'all models'}"


def scan(run: Reconciliation, model: str = "") -> bool:
    """Record every version that is new; return whether the whole registry was listed."""
    found = reconciling.scan_registry(run.ledger, run.project, model=model)
    run.new = found.new
    if again := reconciling.validate_outdated(run.ledger, run.project, model=model):
        run.results.append(f"{counted(again, 'version')} to validate again: the code or the policy changed.")
    if found.full:
        _prune(run.project)
    return found.full


def _prune(project: Project) -> None:
    """Delete what is old; that it could not be does not end a reconciliation."""
    with contextlib.suppress(OSError):  # of a folder that somebody else deletes meanwhile
        get_run_logger().info("Deleted what is old: %s.", prune(project))
    with contextlib.suppress(SeatrialError):
        get_run_logger().info("Deleted old flow runs: %s.", prune_runs(project))


def apply_effects(run: Reconciliation) -> None:
    """Apply the effects of committed verdicts: run, tags, description, alias; note which have to wait. Renew heads."""
    run.waiting += effects.apply(run.ledger, run.project.state) + renew_heads(run.ledger, run.project)


def show_status(run: Reconciliation) -> None:
    """Renew the artifact that shows where every version stands; that it could not be is a line of the log.

    There is none on a server that ends with this command: nobody could open it, and every version would be read for it.
    """
    if is_temporary(os.environ.get("PREFECT_API_URL", "")):
        return
    try:
        board.renew(run.project, run.ledger)
    except SeatrialError as error:
        get_run_logger().warning("The status was not renewed: %s", error)


def check_aliases(run: Reconciliation, hashing: bool = False) -> None:
    """Find aliases on versions without a passing verdict, and put them back where the policy says so."""
    run.unauthorised = aliases.check_aliases(run.ledger, run.project, hashing=hashing)
    if run.unauthorised:
        create_markdown_artifact(
            key="unauthorised-aliases",
            markdown="\n".join(f"- {literal(alias, 1_000)}" for alias in run.unauthorised),
            description="Aliases on versions without a passing verdict",
        )
