"""A verdict in MLflow: a run in ``seatrial/<model>``, tags and a description on the version.

Each write is idempotent, because a worker may die at any line and another one starts again. A run is searched by its
key before it is created, its metrics have the time of the verdict, and it is terminated when it is complete.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.process import crash_points
from seatrial.registry.descriptions import with_verdict
from seatrial.registry.mlflow import unity
from seatrial.registry.mlflow.artifacts import download
from seatrial.registry.mlflow.client import client, registry_errors
from seatrial.registry.mlflow.hosted import experiment_of, make_folder
from seatrial.registry.mlflow.pages import KIND, NOTE, describe_experiment, run_links
from seatrial.registry.protocol import Version
from seatrial.sinks.links import Link, links_markdown

MOST_RUNS = 200  # the newest of a version that are read
PASSED_RUNS = 10  # of those that passed
NOTE_BYTES = 5_000  # of a tag of a run: what MLflow's protocol promises of every server
KEY_TAG = "seatrial.key"  # of the run: the key of its verdict
FIRST = ("seatrial", "seatrial.verdict")  # the tags of a run that MLflow shows first: those that are set first
DESCRIPTION = 4900  # MLflow cuts a version's description at 5,000 characters


def log_run(body: Mapping[str, Any], artifacts: Path, key: str = "") -> str:
    """Log the run that ``run_payload`` returned, with every file of a directory, and return its id.

    Args:
        body: the content.
        artifacts: the directory.
        key: of the verdict; an existing run with this key is completed, or left unchanged if it is terminated.

    Raises:
        RegistryError: the registry does not answer.
    """
    with registry_errors("given its verdict", f"models:/{body['model']}"):
        registry = client(files=True)
        experiment = _experiment(registry, body["model"])
        run = _existing_run(registry, experiment, key) or _created_run(registry, experiment, body, key)
        run_id: str = run.info.run_id
        crash_points.point("mid-effect")
        if run.info.status != "RUNNING":
            return run_id
        try:
            _log_numbers(registry, run, body)
            registry.log_artifacts(run_id, str(artifacts))
            describe_experiment(registry, run.info.experiment_id, run_id, body["name"])
        except BaseException:
            if not key:  # nobody will complete it
                registry.set_terminated(run_id, "KILLED")
            raise
        registry.set_terminated(run_id, body["status"])
    return run_id


def _experiment(registry: Any, model: str) -> str:
    from mlflow.exceptions import MlflowException

    name = experiment_of(model)
    experiment = registry.get_experiment_by_name(name)
    if experiment is None:
        make_folder(name)
        try:
            return str(registry.create_experiment(name, tags=KIND))
        except MlflowException:  # another worker was first
            experiment = registry.get_experiment_by_name(name)
            if experiment is None:
                raise
    return str(experiment.experiment_id)


def _existing_run(registry: Any, experiment: str, key: str) -> Any:
    """Return the first run of this verdict; None when there is none or it has no key."""
    if not key:
        return None
    runs = registry.search_runs([experiment], f"tags.`{KEY_TAG}` = '{key}'", max_results=10)
    return min(runs, key=lambda r: (r.info.start_time, r.info.run_id), default=None)


def _created_run(registry: Any, experiment: str, body: Mapping[str, Any], key: str) -> Any:
    first_seen = {name: body["tags"][name] for name in FIRST if name in body["tags"]}
    tags = first_seen | ({KEY_TAG: key} if key else {})
    run = registry.create_run(experiment, run_name=body["name"], tags=tags, start_time=body["at"])
    first = _existing_run(registry, experiment, key)
    if first is None or first.info.run_id == run.info.run_id:
        return run
    registry.delete_run(run.info.run_id)  # another worker created one at the same moment
    return first


def _log_numbers(registry: Any, run: Any, body: Mapping[str, Any]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    run_id, tags = run.info.run_id, dict(body["tags"])
    if dataset := body.get("dataset"):
        context = [InputTag("mlflow.data.context", "validation")]
        _log_inputs(registry, run_id, datasets=[DatasetInput(Dataset(**dataset), context)])
    if body["model_id"]:
        _log_model(registry, run_id, body["model_id"])
    if links := links_markdown([*run_links(run.info.experiment_id, run_id), Link("flow run", body.get("page", ""))]):
        tags[NOTE] = _with_links(tags.get(NOTE, ""), links)
    registry.log_batch(
        run_id,
        params=[Param(k, v) for k, v in body["params"].items()],
        tags=[RunTag(k, v) for k, v in tags.items()],
    )
    of = {"model_id": body["model_id"] or None, "run_id": run_id}
    metrics = [Metric(n, v, body["at"], 0, **of) for n, v in body["metrics"].items()]
    for start in range(0, len(metrics), 1000):
        registry.log_batch(run_id, metrics=metrics[start : start + 1000])


def _with_links(text: str, links: str) -> str:
    """Return a note that every server takes, with its links whole."""
    last = f"\n{links}\n"
    return text.encode()[: NOTE_BYTES - len(last.encode())].decode(errors="ignore") + last


def _log_model(registry: Any, run_id: str, model_id: str) -> None:
    """Log the model as what the run was given; releases before 3 know no such input."""
    try:
        from mlflow.entities import LoggedModelInput
    except ImportError:
        return
    _log_inputs(registry, run_id, models=[LoggedModelInput(model_id)])


def _log_inputs(registry: Any, run_id: str, **inputs: Any) -> None:
    """Log what the run was given, where the server has that request: Azure Machine Learning has not."""
    try:
        registry.log_inputs(run_id, **inputs)
    except Exception as error:
        if getattr(error, "error_code", "") != "ENDPOINT_NOT_FOUND":
            raise


def artifacts(version: Version, name: str, *, most_bytes: int, passed: bool = False) -> Iterator[bytes]:
    """Yield the files of that name of the version's runs, the newest first; a longer file is left out.

    Raises:
        RegistryError: the registry does not answer.
    """
    with registry_errors("looked up", version.uri), tempfile.TemporaryDirectory(prefix="seatrial-artifacts-") as folder:
        registry = client()
        experiment = registry.get_experiment_by_name(experiment_of(version.name))
        if experiment is None:
            return
        only = f"params.version = '{int(version.number)}'"
        if passed:
            only += f" and attributes.start_time >= {version.created} and tags.`seatrial.verdict` = 'pass'"
        runs = registry.search_runs(
            [experiment.experiment_id], only, max_results=PASSED_RUNS if passed else MOST_RUNS,
            order_by=["attributes.start_time DESC"],
        )  # fmt: skip
        for run in runs:
            listed = [a for a in registry.list_artifacts(run.info.run_id) if a.path == name and not a.is_dir]
            if listed and (listed[0].file_size or 0) <= most_bytes:
                yield download(Path(folder), listed=True, run_id=run.info.run_id, artifact_path=name).read_bytes()


def files(version: Version, key: str, into: Path) -> Path | None:
    """Download every artifact of the verdict's run with this key to ``into``, and return it; None without a run.

    Raises:
        RegistryError: the registry does not answer.
    """
    with registry_errors("looked up", version.uri):
        registry = client()
        experiment = registry.get_experiment_by_name(experiment_of(version.name))
        run = _existing_run(registry, experiment.experiment_id, key) if experiment else None
        if run is None or not registry.list_artifacts(run.info.run_id):
            return None
        into.mkdir(parents=True, exist_ok=True)
        return download(into, listed=True, run_id=run.info.run_id, artifact_path="")


def annotate(
    version: Version, tags: Mapping[str, str], texts: Sequence[str] = (), run_id: str = "", page: str = ""
) -> None:
    """Set tags of a version, and write the verdict into its part of the description; text of people around it stays.

    Args:
        version: the version.
        tags: those to set.
        texts: the verdict, the longest text first; the first that fits is used.
        run_id: the run with the report.
        page: the address of the flow run's page.
    """
    with registry_errors("tagged", version.uri):
        registry = client()
        for key, value in unity.written(tags).items() if tags else ():
            registry.set_model_version_tag(version.name, version.number, key, value)
    if not texts:
        return
    with registry_errors("described", version.uri):
        described = registry.get_model_version(version.name, version.number).description or ""
        found = run_links(registry.get_run(run_id).info.experiment_id, run_id) if run_id else []
        links = links_markdown([*found, Link("flow run", page)])
        text = with_verdict(described, texts, links, DESCRIPTION)
        registry.update_model_version(version.name, version.number, text)
