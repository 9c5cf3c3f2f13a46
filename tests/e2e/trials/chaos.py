"""A tiny project on a real MLflow server, workers that die where they are told to, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.support import crashes
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
MODEL = "tiny"
LEASE_SECONDS, PAUSE_SECONDS = 6.0, 0.1  # instead of a minute, and of ten seconds before another attempt
WOKEN = "woken.txt"
READY_SECONDS = 240.0  # a busy machine imports for a while

PRELOADED = [
    "mlflow", "mlflow.artifacts", "mlflow.tracking", "httpx", "pandas", "pyarrow.parquet", "securesystemslib.dsse",
    "securesystemslib.signer", "sqlalchemy.dialects.sqlite.pysqlite", "seatrial.checks.golden.check",
    "seatrial.checks.engine", "seatrial.promotion.commit", "seatrial.promotion.reconcile", "seatrial.sinks.files",
    "seatrial.registry.mlflow.registry", "tests.e2e.trials.chaos",
]  # fmt: skip

FILES = {
    "pyproject.toml": '[tool.seatrial]\npipeline = "pipeline.py:pipeline"\nmodels = ["tiny*"]\n',
    "expectations/service.toml": '[promotion]\nalias = "champion"\n',
    "pipeline.py": """
import json
from pathlib import Path

from seatrial import Pipeline


def read(frame):
    return frame.assign(x=frame["x"].astype("float64"))


def score(frame, model):
    return frame[["id"]].assign(y=frame["x"] * model)


def load(path):
    return json.loads((Path(path) / "weight.json").read_text())


pipeline = Pipeline("tiny", key="id", raw=read, score=score, model=load)
""",
    "flows/validate.py": '''
"""Validate one version with the golden check alone: a trial of milliseconds."""

from prefect import flow
from prefect.states import Completed, Failed

from seatrial.project import Project
from tests.e2e.trials.chaos import validated


@flow(name="validate", flow_run_name="{model_uri}", validate_parameters=False)
def validate(model_uri: str, project: str = "."):
    verdict = validated(Project.find(project), model_uri)
    ended = Completed if verdict.outcome.value == "pass" else Failed
    return ended(message=verdict.summary)
''',
}


def make(root):
    """Write the project, and beside it the reference that every version carries."""
    import pandas as pd

    from seatrial import capture
    from seatrial.project import Project

    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    project = Project.find(root)
    project.state.mkdir(exist_ok=True)
    rows = pd.DataFrame({"id": [f"r{n}" for n in range(20)], "x": range(20)})
    capture(project.pipeline(), rows, model=2.0).save(root / "reference")
    return project


def validated(project, uri):
    """Run the trial of one version in this process and keep its verdict."""
    from seatrial import registry, run
    from seatrial.promotion.commit import commit_verdict
    from seatrial.sinks.files import write_results

    with tempfile.TemporaryDirectory(prefix="trial-", dir=project.state) as folder:
        fetched = registry.fetch(registry.resolve(uri), Path(folder) / "version")
        pipeline = project.pipeline()
        verdict = run(
            pipeline, fetched.reference, ["golden"], model=str(fetched.model), policy=project.policy(pipeline),
            subject=fetched.subject,
        )  # fmt: skip
        write_results(verdict, [], Path(folder) / "results")
        commit_verdict(project, verdict, fetched, Path(folder) / "results")
    return verdict


def register(project, *, good=True, name=MODEL, experiment="0"):
    """Register a version as a training job would, with plain MLflow; return its number."""
    from mlflow.exceptions import MlflowException

    from seatrial import Reference
    from seatrial.registry.mlflow import client as mlflow_client
    from seatrial.registry.mlflow.artifacts import store_reference

    client = mlflow_client.client()
    with contextlib.suppress(MlflowException):
        client.create_registered_model(name)
    run = client.create_run(experiment)
    weight = project.root / "weight.json"
    weight.write_text("2.0" if good else "3.0", encoding="utf-8")
    client.log_artifact(run.info.run_id, str(weight), "model")
    store_reference(Reference.load(project.root / "reference"), run.info.run_id)
    client.set_terminated(run.info.run_id)
    version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    return str(version.version)


class Server:
    """A server process that can be killed and started again where it was."""

    def __init__(self, command, environ, log, health):
        self.command, self.environ, self.log, self.health = command, environ, log, health
        self.process = None

    def start(self):
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command, env=self.environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        return self

    def wait(self):
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.health, timeout=10) as answer:
                if answer.status == 200:
                    return self
            assert self.process.poll() is None, f"{self.command[:4]} ended: {self.log.read_text()[-2000:]}"
            time.sleep(0.1)
        raise AssertionError(f"{self.health} did not answer")

    def kill(self):
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def mlflow_server(project, port=None):
    """An ``mlflow server`` with a store beside the project's."""
    port = port or free_port()
    state = project.root / ".mlflow"
    state.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{state / 'mlflow.db'}", "--artifacts-destination", str(state / "artifacts"),
    ]  # fmt: skip
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "_MLFLOW"))}
    environ = {
        **plain, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    return url, Server(command, environ, state / "mlflow-server.log", f"{url}/health")


def rounds(root, environ, crash_at="", stops=False, lease_seconds=LEASE_SECONDS, every=0.1, log=""):
    """Reconcile again and again, without Prefect, until this process dies.

    One that ``stops`` does so in its first trial, and writes to the file ``WOKEN`` what became of that trial.
    """
    os.environ.update(environ)
    said = open(log or os.devnull, "a", buffering=1)  # noqa: SIM115  until the process ends
    if crash_at:
        crashes.arm(crash_at)
    from seatrial.errors import SeatrialError
    from seatrial.ledger import Ledger, database, transactions
    from seatrial.project import Project

    transactions.PAUSE_SECONDS, transactions.LONGEST_PAUSE_SECONDS = PAUSE_SECONDS, 30 * PAUSE_SECONDS
    database.BUSY_SECONDS = 5
    project = Project.find(root)
    project.activate()
    woken = project.root / WOKEN

    def trial(job):
        if not stops or woken.exists():
            validated(project, job.uri)
            return
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            validated(project, job.uri)
            woken.write_text("its verdict was committed")
        except SeatrialError as error:
            woken.write_text(type(error).__name__)
            raise

    while True:
        try:
            with Ledger.of(project.state) as ledger:
                said.writelines(f"{each}\n" for each in one_round(ledger, project, trial, lease_seconds))
        except SeatrialError as error:
            said.write(f"{type(error).__name__}: {error}\n")
        time.sleep(every)


def one_round(ledger, project, trial=None, lease_seconds=60.0):
    """Reconcile once, as the flow does; return what was said of jobs and of effects that wait."""
    from seatrial.promotion import aliases, effects, head, reconcile

    def settle():
        said.extend(effects.apply(ledger, project.state, lease_seconds=lease_seconds))
        head.renew_heads(ledger, project)

    said = []
    reconcile.scan_registry(ledger, project)
    reconcile.validate_outdated(ledger, project)
    settle()
    for job in reconcile.jobs(ledger, lease_seconds=lease_seconds):
        run = trial or (lambda job: validated(project, job.uri))
        said.append(reconcile.attempt(ledger, project, job, run, lease_seconds))
        settle()
    aliases.check_aliases(ledger, project)
    return said


def only_validate(ledger, project):
    """Give every version its verdict, and leave it to others to tell it."""
    from seatrial.promotion import reconcile

    reconcile.scan_registry(ledger, project)
    for job in reconcile.jobs(ledger):
        reconcile.attempt(ledger, project, job, lambda job: validated(project, job.uri))
