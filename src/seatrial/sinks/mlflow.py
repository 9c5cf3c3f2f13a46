"""The verdict in MLflow: a run of its own in ``seatrial/<model>``, tags on the version, and the alias on a pass.

The order matters: everything is logged before the version is tagged, and the version is tagged before an alias moves,
so that whatever stops half-way leaves no verdict that was not earned.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from typing import Any

from seatrial.bundle import directory_digest
from seatrial.errors import RegistryError
from seatrial.events import Measured, Outcome, Verdict
from seatrial.registry import VALIDATED, Fetched, client, download_model, experiment_of, spoken
from seatrial.sinks.markdown import findings_markdown

STATUS = {Outcome.PASS: "FINISHED", Outcome.FAIL: "FAILED"}
PARAM_LENGTH = 500
DESCRIPTION = 4900  # MLflow cuts a version's description at 5,000 characters
BEGIN, END = "[//]: # (seatrial: begin)", "[//]: # (seatrial: end)"  # a comment in Markdown


def record(
    verdict: Verdict, fetched: Fetched, artifacts: Path, *, promote: str | None = None, whole: bool = True
) -> str:
    """Write the verdict to MLflow and return the run's id.

    Args:
        verdict: what was found.
        fetched: the version it is about, as it was downloaded for the trial.
        artifacts: a directory to log whole: report, JUnit, JSON, suites.
        promote: an alias to move to the version on a pass, besides ``validated``.
        whole: every check was asked. Otherwise the run is logged and the version stays as it is: part of a validation
            promotes nothing.

    Raises:
        RegistryError: no answer, or the model's files changed while they were on trial.
    """
    version = fetched.version
    with spoken("given its verdict", version.uri):
        registry = client()
        run_id = _log_run(registry, verdict, fetched, artifacts, whole)
        if not whole:
            return run_id
        if verdict.outcome is Outcome.PASS:
            _unchanged(fetched)
        tags = {
            "seatrial.verdict": verdict.outcome.value,
            "seatrial.run_id": run_id,
            "seatrial.subject_digest": fetched.digest,
            "seatrial.policy_digest": verdict.policy_digest,
        }
        for name, value in tags.items():
            registry.set_model_version_tag(version.name, version.number, name, value)
        _describe(registry, version.name, version.number, verdict, run_id)
        if verdict.outcome is Outcome.PASS:
            for alias in dict.fromkeys([VALIDATED, *([promote] if promote else [])]):
                registry.set_registered_model_alias(version.name, alias, version.number)
    return run_id


def _log_run(registry: Any, verdict: Verdict, fetched: Fetched, artifacts: Path, whole: bool) -> str:
    version = fetched.version
    name = experiment_of(version.name)
    experiment = registry.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else registry.create_experiment(name)
    told = f"version {version.number}: {verdict.outcome.value}" + ("" if whole else ", in part")
    run = registry.create_run(experiment_id, run_name=told)
    run_id: str = run.info.run_id
    try:
        _log_dataset(registry, run_id, fetched)
        _log_numbers(registry, run_id, verdict, version.model_id)
        registry.log_artifacts(run_id, str(artifacts))
    except BaseException:
        registry.set_terminated(run_id, "KILLED")
        raise
    registry.set_terminated(run_id, STATUS.get(verdict.outcome, "KILLED"))
    return run_id


def _log_numbers(registry: Any, run_id: str, verdict: Verdict, model_id: str) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    totals = [
        Measured("run", None, "findings", len(verdict.errors)),
        Measured("run", None, "questions", len(verdict.judged)),
        Measured("run", None, "seconds", verdict.seconds),
    ]
    last = {metric_name(m): float(m.value) for m in (*totals, *verdict.measured)}
    metrics = [Metric(n, v, now, 0, model_id=model_id or None, run_id=run_id) for n, v in last.items()]
    params = {
        "model": verdict.subject.model,
        "version": verdict.subject.version,
        "reference_digest": verdict.reference_digest,
        "policy_digest": verdict.policy_digest,
        "seed": verdict.seed,
    }
    tags = {"seatrial.verdict": verdict.outcome.value, "mlflow.note.content": findings_markdown(verdict)}
    registry.log_batch(
        run_id,
        params=[Param(k, str(v)[:PARAM_LENGTH]) for k, v in params.items()],
        tags=[RunTag(k, v) for k, v in tags.items()],
    )
    for start in range(0, len(metrics), 1000):
        registry.log_batch(run_id, metrics=metrics[start : start + 1000])


def metric_name(measured: Measured) -> str:
    """Return ``check/stage/column/name`` with whatever MLflow refuses in a metric's name replaced."""
    parts = (measured.check, measured.stage, measured.column, measured.name)
    return "/".join(re.sub(r"[^\w\-. :]", "_", part, flags=re.ASCII)[:60] for part in parts if part)


def _log_dataset(registry: Any, run_id: str, fetched: Fetched) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    reference = fetched.reference
    dataset = Dataset(
        name=f"{reference.pipeline} reference",
        digest=reference.digest.removeprefix("sha256:")[:36],
        source_type="local",
        source=f'{{"uri": "runs:/{fetched.version.run_id}/seatrial/reference"}}',
    )
    registry.log_inputs(run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "validation")])])


def _unchanged(fetched: Fetched) -> None:
    with tempfile.TemporaryDirectory(prefix="seatrial-again-") as again:
        now = directory_digest(download_model(fetched.version, Path(again) / "model"))
    if now != fetched.digest:
        raise RegistryError(
            f"The files of {fetched.version.uri} changed while they were on trial ({fetched.digest[:19]}… became "
            f"{now[:19]}…). No verdict was written; validate the version again."
        )


def _describe(registry: Any, name: str, number: str, verdict: Verdict, run_id: str) -> None:
    """Put the verdict into the version's description, in a marked block; what people wrote round it stays."""
    written = registry.get_model_version(name, number).description or ""
    before, _, rest = written.partition(BEGIN)
    after = rest.partition(END)[2] if rest else ""
    around = len(before) + len(after) + len(BEGIN) + len(END) + 100
    block = findings_markdown(verdict, max(DESCRIPTION - around, 200))
    told = f"{BEGIN}\n{block}\nRun {run_id} holds the report and every number.\n{END}"
    registry.update_model_version(name, number, before + told + after)
