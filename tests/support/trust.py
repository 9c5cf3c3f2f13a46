"""A small project on an MLflow store and a ledger of its own, with versions that are validated and signed for real."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seatrial import capture, registry, run
from seatrial.events import Finding, NotEvaluated, Outcome, Verdict
from seatrial.io.loading import load_file
from seatrial.ledger import JOB, Job, Ledger
from seatrial.project import QUIET, Project
from seatrial.promotion import effects, reconcile
from seatrial.promotion.code import read_code
from seatrial.promotion.commit import commit_verdict
from seatrial.promotion.head import renew_heads
from seatrial.reference.snapshot import Reference
from seatrial.registry.mlflow.client import client
from seatrial.sinks.files import new_directory, write_results

FILES = {
    "pyproject.toml": '[tool.seatrial]\npipeline = "serving/pipeline.py:pipeline"\nmodels = ["trusted*"]\n',
    "expectations/service.toml": '[promotion]\nalias = "champion"\n',
    "serving/pipeline.py": """
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from common.rates import RATE

from seatrial import Pipeline


def read(frame):
    return frame.assign(x=frame["x"].astype("float64"))


def score(frame, model):
    return frame[["id"]].assign(y=frame["x"] * model * RATE)


def load(path):
    return json.loads((Path(path) / "weight.json").read_text())


pipeline = Pipeline("trusted", key="id", raw=read, score=score, model=load)
""",
    "serving/service.py": "ANSWERS = 1\n",
    "serving/notes.db": "not code\n",
    "common/rates.py": "RATE = 1.0\n",
    "server/main.go": "package main\n",
    "unrelated/plot.py": "print('a picture')\n",
}


@contextlib.contextmanager
def own_environment(**given: str) -> Iterator[None]:
    """Run a block in which nothing names a store or a server; what it sets, as a project does, is put back."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "_MLFLOW_SERVER_ARTIFACT_ROOT", *QUIET):
            patch.delenv(name, raising=False)
        patch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
        for name, value in given.items():
            patch.setenv(name, value)
        before = dict(os.environ)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def registered(root: Path, name: str) -> str:
    """Register a version as a training job would, with plain MLflow, and the reference below root; return its URI."""
    server = client()
    if not server.search_registered_models(f"name = '{name}'"):
        server.create_registered_model(name)
    logged = server.create_run("0")
    weight = root / "weight.json"
    weight.write_text("2.0", encoding="utf-8")
    server.log_artifact(logged.info.run_id, str(weight), "model")
    registry.named("models").store_reference(Reference.load(root / "reference"), logged.info.run_id)
    server.set_terminated(logged.info.run_id)
    version = server.create_model_version(name, f"{logged.info.artifact_uri}/model", logged.info.run_id)
    return f"models:/{name}/{version.version}"


class Trusted:
    """The project, and what training, validating and reconciling do with it."""

    def __init__(self, root: Path) -> None:
        import pandas as pd

        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        self.root, self.project = root, Project.find(root)
        self.project.activate()
        rows = pd.DataFrame({"id": [f"r{n}" for n in range(20)], "x": range(20)})
        capture(self.project.pipeline(), rows, model=2.0).save(root / "reference")

    def register(self, name: str) -> str:
        """Register a version as a training job would; return its URI."""
        return registered(self.root, name)

    def validate(self, uri: str, outcome: Outcome = Outcome.PASS, *, service: str = "") -> Verdict:
        """Validate a version with the golden check and commit the verdict, which is made another one where asked."""
        project = self.project = Project.find(self.root)
        code = read_code(project, service)
        with tempfile.TemporaryDirectory(prefix="trial-", dir=project.state) as folder:
            fetched = registry.fetch(registry.resolve(uri), Path(folder) / "version")
            pipeline = load_file(project.pipeline_file).pipeline
            pipeline.source = (project.pipeline_file, project.pipeline_name)
            verdict = run(
                pipeline, fetched.reference, ["golden"], model=str(fetched.model), policy=project.policy(pipeline),
                subject=replace(fetched.subject, code_digest=code.digest),
            )  # fmt: skip
            if outcome is Outcome.FAIL:
                verdict = replace(verdict, outcome=outcome, findings=(Finding("golden", "score", "It differs."),))
            elif outcome is not Outcome.PASS:
                verdict = replace(verdict, outcome=outcome, not_evaluated=(NotEvaluated("load", None, "Too few."),))
            else:
                assert verdict.outcome is Outcome.PASS, verdict.to_json()
            directory = new_directory(project.state, verdict.subject)
            write_results(verdict, [], directory)
            commit_verdict(project, verdict, fetched, directory, code=code)
        return verdict

    def reconcile(self, uri: str, validate: Callable[[Job], Any] | None = None) -> list[str]:
        """Do what the flow does for a version's model, in its order; return what it says about the version."""
        project = self.project = Project.find(self.root)
        name = uri.split("/")[1]
        with Ledger.of(project.state) as ledger:
            reconcile.scan_registry(ledger, project, model=name)
            reconcile.validate_outdated(ledger, project, model=name)
            results = [*effects.apply(ledger, project.state), *renew_heads(ledger, project)]
            for job in reconcile.jobs(ledger):
                results.append(
                    reconcile.attempt(ledger, project, job, validate or (lambda job: self.validate(job.uri)))
                )
                results += [*effects.apply(ledger, project.state), *renew_heads(ledger, project)]
        assert JOB.get() is None
        return [line for line in results if uri in line]

    def edit(self, name: str, text: str) -> None:
        """Write another text into a file of the project."""
        (self.root / name).write_text(text, encoding="utf-8")

    def runs(self, uri: str) -> list[str]:
        """Return the ids of the verdict's runs of a version, the oldest first."""
        _, name, number = uri.replace(":", "").split("/")
        experiment = client().get_experiment_by_name(f"seatrial/{name}")
        if experiment is None:
            return []
        found = client().search_runs(
            [experiment.experiment_id], f"params.version = '{number}'", order_by=["attributes.start_time ASC"]
        )
        return [each.info.run_id for each in found]
