"""seatrial as an evaluator of ``mlflow.models.evaluate``: a verdict as metrics, for thresholds of MLflow's own.

MLflow finds it by the entry point ``mlflow.model_evaluator``. Unless its caller names some, it uses every evaluator of
the environment that can evaluate: this one can where its configuration names a version, and stays away elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models.evaluation import EvaluationResult, ModelEvaluator

from seatrial.errors import SeatrialError, unknown
from seatrial.registry.protocol import Version

FOLDER = "seatrial"  # of the run's artifacts
PASS = "seatrial/pass"  # noqa: S105  the metric that a threshold is set on
AGREED = {(0, "pass"), (1, "fail"), (2, "inconclusive"), (2, "error")}  # exit code and outcome that go together


@dataclass(frozen=True)
class Config:
    """What ``evaluator_config`` says.

    Attributes:
        version: address of the registered version, such as ``models:/payments/3``.
        project: folder of its project.
        options: more options of 'seatrial validate', such as ``["--skip", "load"]``.
        stage: compare the predictions with what this stage returned at training time, and validate nothing else.
        column: of the stage that the predictions are; needed where it has several.
    """

    version: str
    project: str = "."
    options: tuple[str, ...] = ()
    stage: str = ""
    column: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Config:
        """Return the configuration; MLflow's own error for a key that it has not."""
        known = [each.name for each in fields(cls)]
        for name in given:
            if name not in known:
                raise _refused(f"evaluator_config of seatrial: {unknown('Setting', name, known)}")
        return cls(**{**given, "options": tuple(given.get("options", ()))})


class SeatrialEvaluator(ModelEvaluator):  # type: ignore[misc]  # MLflow has no types here
    """Validates a registered version, or compares predictions with its reference.

    ``seatrial/pass`` is 1.0 on a pass and 0.0 on anything else. A fail raises nothing here: gate with
    ``mlflow.validate_evaluation_results``. What could not be evaluated at all raises MlflowException.
    """

    @classmethod
    def can_evaluate(cls, *, evaluator_config: Mapping[str, Any] | None, **_: Any) -> bool:
        """Return whether the configuration is one of seatrial."""
        return bool(evaluator_config) and "version" in (evaluator_config or {})

    def evaluate(
        self, *, dataset: Any, run_id: str, evaluator_config: Mapping[str, Any], model: Any = None,
        predictions: str | None = None, **_: Any,
    ) -> Any:  # fmt: skip
        """Return metrics and artifacts, which are logged to the run; see ``mlflow.models.evaluate``."""
        from seatrial.registry.mlflow import versions

        config = Config.of(evaluator_config)
        try:
            version = versions.resolve(config.version)
            _check_same(model, version)
            with tempfile.TemporaryDirectory(prefix="seatrial-evaluate-") as folder:
                if config.stage:
                    metrics = _compared(config, version, dataset, model, predictions, Path(folder))
                else:
                    metrics = _validated(config, version, Path(folder))
                return EvaluationResult(metrics, _logged(run_id, metrics, Path(folder)), run_id)
        except SeatrialError as error:
            raise _refused(str(error)) from error


def _check_same(model: Any, version: Version) -> None:
    """Raise where the model that MLflow loaded is not the version's, as far as both say where they come from."""
    if model is None:
        return
    metadata = getattr(model, "metadata", None)
    pairs = [(getattr(model, "model_id", ""), version.model_id), (getattr(metadata, "run_id", ""), version.run_id)]
    told = [(given, registered) for given, registered in pairs if given and registered]
    if not told or any(given != registered for given, registered in told):
        raise _refused(
            f"The model of evaluate() is not {version.uri}, or does not say where it comes from. Give it as "
            f'model="{version.uri}".'
        )


def _validated(config: Config, version: Version, folder: Path) -> dict[str, float]:
    """Validate the version by the command, in a process of its own, and return what its verdict measured."""
    import mlflow

    from seatrial.events import Measurement
    from seatrial.registry.runs import metric_name

    sinks = {"json": folder / "verdict.json", "html": folder / "report.html", "junit": folder / "junit.xml"}
    written = [word for name, file in sinks.items() for word in ("--sink", f"{name}={file}")]
    command = ["validate", version.uri, "--project", config.project, "--quiet", *written, *config.options]
    addresses = {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "MLFLOW_REGISTRY_URI": mlflow.get_registry_uri()}
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_RUN_ID"} | addresses
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "seatrial", *command], env=environment, capture_output=True, text=True, check=False
    )
    verdict = json.loads(sinks["json"].read_text(encoding="utf-8")) if sinks["json"].is_file() else {}
    if (done.returncode, verdict.get("outcome")) not in AGREED:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise _refused(f"{version.uri} was not validated. {said[-1] if said else ''}")
    numbers = {
        f"seatrial/{metric_name(Measurement(**measured))}": float(measured["value"])
        for measured in verdict["measurements"]
    }
    errors = sum(finding["severity"] == "error" for finding in verdict["findings"])
    return {PASS: float(done.returncode == 0), "seatrial/findings": float(errors), **numbers}


def _compared(
    config: Config, version: Version, dataset: Any, model: Any, predictions: str | None, folder: Path
) -> dict[str, float]:
    """Compare predictions with what a stage returned at training time, for the keys of the data."""
    import pandas as pd

    from seatrial.parity.compare import compare
    from seatrial.registry.mlflow import artifacts

    with tempfile.TemporaryDirectory(prefix="seatrial-reference-") as below:
        reference = artifacts.reference(version, Path(below) / "reference")
        expected, key = reference.frame(config.stage), list(reference.key_of(config.stage))
    given = dataset.features_data
    if not isinstance(given, pd.DataFrame) or not {*key} <= {*given.columns}:
        columns = ", ".join(map(str, getattr(given, "columns", ()))) or "none"
        raise _refused(f"The data lacks the key of the reference: {', '.join(key)}. Columns: {columns}.")
    column = _column(config, expected, key, predictions)
    answers = dataset.predictions_data if model is None else model.predict(given)
    if answers is None:
        raise _refused("There is nothing to compare: give a model, or the column of the data with the predictions.")
    if isinstance(answers, pd.DataFrame):
        answers = answers[column if column in answers.columns else answers.columns[0]]
    actual = given[key].assign(**{column: getattr(answers, "to_numpy", lambda: answers)()})
    asked = pd.MultiIndex.from_frame(expected[key]).isin(pd.MultiIndex.from_frame(actual[key]))
    parity = compare(expected.loc[asked, [*key, column]], actual, key=key, distributions=False)
    if not parity.compared:
        raise _refused(f"Nothing was compared: no {', '.join(key)} of the data is in the reference of {version.uri}.")
    parity.frame.to_csv(folder / "parity.csv", index=False)
    different = sum(each.mismatches + each.null_flips for each in parity.columns)
    return {
        PASS: float(parity.ok), "seatrial/rows_compared": float(parity.rows_compared),
        "seatrial/rows_different": float(different), "seatrial/rows_unknown": float(parity.extra_keys.count),
    }  # fmt: skip


def _column(config: Config, expected: Any, key: list[str], predictions: str | None) -> str:
    known = [str(name) for name in expected.columns if name not in key]
    wanted = config.column or (predictions if predictions in known else "") or (known[0] if len(known) == 1 else "")
    if wanted not in known:
        raise _refused(
            f"Stage '{config.stage}' has the columns {', '.join(known)}. Name the one that is predicted: "
            f"evaluator_config={{'column': '{known[0] if known else ''}', …}}"
        )
    return wanted


def _logged(run_id: str, metrics: Mapping[str, float], folder: Path) -> dict[str, Any]:
    """Log metrics and files to the run of the evaluation, and return the files as MLflow's artifacts."""
    from mlflow.models.evaluation.artifacts import CsvEvaluationArtifact, JsonEvaluationArtifact, TextEvaluationArtifact

    from seatrial.registry.mlflow.client import client

    kinds = {".csv": CsvEvaluationArtifact, ".json": JsonEvaluationArtifact}
    store = client(files=True)
    for name, value in metrics.items():
        store.log_metric(run_id, name, value)
    store.log_artifacts(run_id, str(folder), FOLDER)
    root, found = store.get_run(run_id).info.artifact_uri, {}
    for file in sorted(folder.iterdir()):
        made = kinds.get(file.suffix, TextEvaluationArtifact)(uri=f"{root}/{FOLDER}/{file.name}")
        made._load(str(file))
        found[f"seatrial_{file.name.replace('.', '_')}"] = made
    return found


def _refused(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)
