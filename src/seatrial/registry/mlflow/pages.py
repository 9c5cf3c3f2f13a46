"""The pages of MLflow: where run, report and version are, and how the experiment of a model opens.

Since release 3, MLflow's pages have a mode for language-model applications, with traces and tokens, and one for other
models, with a table of runs. Which one opens is decided by the experiment's kind, in later releases by the browser, or
by the address. So the kind is set, every link names the mode, and the experiment's note leads to its runs.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from seatrial.errors import RegistryError
from seatrial.formatting import without_user
from seatrial.project import is_hosted
from seatrial.registry.mlflow import hosted, unity
from seatrial.registry.mlflow.client import client, registry_errors
from seatrial.registry.protocol import Version
from seatrial.sinks.links import Link

KIND = {"mlflow.experimentKind": "custom_model_development"}
NOTE = "mlflow.note.content"
OURS = "seatrial: "  # the note of an experiment begins with it unless a person wrote it
MODE = "?workflowType=machine_learning"
DEFAULT_ADDRESS = "http://127.0.0.1:5000"  # where 'mlflow server' answers
DEFAULT_STORE = "sqlite:///mlflow.db"
REPORT = "report.html"


def run_page(experiment: str, run_id: str, file: str = "") -> str:
    """Return the part of a run's address after that of the server, or of a file of the run; whole on Databricks."""
    if host := hosted.workspace():
        return f"{host}/#mlflow/experiments/{experiment}/runs/{run_id}{f'/artifactPath/{file}' if file else ''}"
    return f"#/experiments/{experiment}/runs/{run_id}{f'/artifacts/{file}' if file else ''}{MODE}"


def runs_page(experiment: str) -> str:
    """Return the part of the address of an experiment's table of runs after that of the server; whole on Databricks."""
    if host := hosted.workspace():
        return f"{host}/#mlflow/experiments/{experiment}"
    return f"#/experiments/{experiment}/runs{MODE}"


def version_page(name: str, number: str) -> str:
    """Return the part of a version's address after that of the server; whole in the Unity Catalog of Databricks."""
    if unity.is_unity() and (host := hosted.workspace()):
        return f"{host}/explore/data/models/{quote(name.replace('.', '/'))}/version/{number}"
    return f"#/models/{quote(name, safe='')}/versions/{number}"


def run_links(experiment: str, run_id: str) -> list[Link]:
    """Return links to report and run that work on any page of the same MLflow server."""
    return [Link("report", run_page(experiment, run_id, REPORT)), Link("all metrics", run_page(experiment, run_id))]


def pages(version: Version, run_id: str) -> list[Link]:
    """Return the pages of the version and of the run, with the server's address or the command that starts one.

    Raises:
        RegistryError: the registry does not answer.
    """
    found = [("Model version", version_page(version.name, version.number))]
    if run_id:
        with registry_errors("looked up", version.uri):
            experiment = client().get_run(run_id).info.experiment_id
        found += [("MLflow run", run_page(experiment, run_id)), ("MLflow report", run_page(experiment, run_id, REPORT))]
    return [_link(title, part) for title, part in found]


def pages_of_many(versions: Sequence[tuple[Version, str]]) -> list[list[Link]]:
    """Return the pages of versions and of their runs where a server shows them: one request for each model with a run.

    Args:
        versions: each with its run; empty where it has none.
    """
    store = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not (store.startswith(("http://", "https://")) or is_hosted(store)):
        return [[] for _ in versions]
    experiments = _experiments(dict.fromkeys(version.name for version, run_id in versions if run_id))
    found = []
    for version, run_id in versions:
        shown = [_link("version", version_page(version.name, version.number))]
        if run_id and (experiment := experiments.get(version.name)):
            shown.append(_link("run", run_page(experiment, run_id)))
        found.append(shown)
    return found


def _experiments(names: Iterable[str]) -> dict[str, str]:
    """Return the experiment of each model; none from where the server does not answer."""
    found = {}
    try:
        for name in names:
            with registry_errors("looked up", f"models:/{name}"):
                experiment = client().get_experiment_by_name(hosted.experiment_of(name))
            if experiment is not None:
                found[name] = str(experiment.experiment_id)
    except RegistryError:
        return found
    return found


def _link(title: str, part: str) -> Link:
    store = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
    if store.startswith(("http://", "https://")):
        return Link(title, f"{without_user(store).rstrip('/')}/{part}")
    if is_hosted(store):
        return Link(title, part)
    command = f"MLFLOW_DISABLE_TELEMETRY=true mlflow server --backend-store-uri {shlex.quote(store)}"
    return Link(title, f"{DEFAULT_ADDRESS}/{part}", without_user(command))


def describe_experiment(registry: Any, experiment: str, run_id: str, name: str) -> None:
    """Have the experiment open on its runs where MLflow asks for its kind, and name its newest verdict in the note.

    A kind or a note that a person has set is left as it is.

    Args:
        registry: a client of MLflow.
        experiment: the id of the experiment.
        run_id: of the newest verdict.
        name: of that run.
    """
    from seatrial.sinks.markdown import literal  # capture stores a reference without it

    tags = registry.get_experiment(experiment).tags
    for key, value in KIND.items():
        if key not in tags:
            registry.set_experiment_tag(experiment, key, value)
    if tags.get(NOTE, OURS).startswith(OURS):
        links = f"[newest run]({run_page(experiment, run_id)}) · [all runs]({runs_page(experiment)})"
        registry.set_experiment_tag(experiment, NOTE, f"{OURS}{literal(name)} · {links}")
