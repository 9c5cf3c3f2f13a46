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
from collections import Counter
from pathlib import Path

from tests.support import crashes
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
MODEL = "tiny"
LEASE_SECONDS, PAUSE_SECONDS = 6.0, 1.0  # instead of a minute, and of ten seconds before another attempt
WOKEN = "woken.txt"
READY_SECONDS = 240.0  # a busy machine imports for a while

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


def register(project, *, good=True, name=MODEL):
    """Register a version as a training job would, with plain MLflow; return its number."""
    from mlflow.exceptions import MlflowException

    from seatrial import Reference
    from seatrial.registry.mlflow import client as mlflow_client
    from seatrial.registry.mlflow.artifacts import store_reference

    client = mlflow_client.client()
    with contextlib.suppress(MlflowException):
        client.create_registered_model(name)
    run = client.create_run("0")
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
    """An ``mlflow server`` on the project's own store."""
    port = port or free_port()
    state = project.state
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


def rounds(root, environ, crash_at="", stops=False):
    """Reconcile again and again, without Prefect, until this process dies.

    One that ``stops`` does so in its first trial, and writes to the file ``WOKEN`` what became of that trial.
    """
    os.environ.update(environ)
    if crash_at:
        crashes.arm(crash_at)
    from seatrial.errors import SeatrialError
    from seatrial.ledger import Ledger, transactions
    from seatrial.project import Project
    from seatrial.promotion import aliases, effects, head, reconcile

    transactions.PAUSE_SECONDS = PAUSE_SECONDS
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
        with contextlib.suppress(SeatrialError), Ledger.of(project.state) as ledger:
            reconcile.scan_registry(ledger, project)
            reconcile.validate_outdated(ledger, project)
            effects.apply(ledger, project.state, lease_seconds=LEASE_SECONDS)
            head.renew_heads(ledger, project)
            for job in reconcile.jobs(ledger, lease_seconds=LEASE_SECONDS):
                reconcile.attempt(ledger, project, job, trial, LEASE_SECONDS)
                effects.apply(ledger, project.state, lease_seconds=LEASE_SECONDS)
                head.renew_heads(ledger, project)
            aliases.check_aliases(ledger, project)
        time.sleep(0.1)


def unauthorised_aliases(project):
    """Return the aliases that are, at this moment, on versions without a pass in the ledger."""
    from seatrial import registry
    from seatrial.errors import RegistryError
    from seatrial.ledger import Ledger

    with Ledger.of(project.state) as ledger, contextlib.suppress(RegistryError):
        named = registry.aliases(registry.named(project.registry))
        holders = [registry.present(f"models:/{m}/{n}") for m, each in named.items() for n in each.values()]
        return [v.uri for v in holders if v and ledger.passing(registry.subject_of(v)) is None]
    return []


def settled(ledger, versions):
    """Whether every version has its verdict and every verdict was told."""
    return len(ledger.verdicts(MODEL)) >= versions and not ledger.open_jobs() and not ledger.pending_effects()


def wrong(project, expected):
    """Return what does not hold in the end, in words; ``expected`` maps version numbers to outcomes."""
    from seatrial.ledger import Ledger
    from seatrial.promotion.verify import verify
    from seatrial.registry.mlflow import client as mlflow_client

    found, client = [], mlflow_client.client()
    with Ledger.of(project.state) as ledger:
        kept = ledger.verdicts(MODEL)
        if ledger.open_jobs() or ledger.pending_effects():
            found.append(f"not done: {ledger.open_jobs()} jobs, {ledger.pending_effects()}")
    counted = Counter(k.number for k in kept)
    found += [f"version {n} has {c} verdicts" for n, c in counted.items() if c != 1]
    found += [f"version {n} has no verdict" for n in expected if n not in counted]
    found += [f"version {k.number}: {k.outcome.value}" for k in kept if k.outcome.value != expected.get(k.number)]
    experiment = client.get_experiment_by_name(f"seatrial/{MODEL}")
    runs = client.search_runs([experiment.experiment_id], max_results=5_000)
    by_version = Counter(r.data.params.get("version") for r in runs)
    found += [f"version {n} has {by_version[n]} runs" for n in expected if by_version[n] != 1]
    by_id = {r.info.run_id: r for r in runs}
    for number, outcome in expected.items():
        version = client.get_model_version(MODEL, number)
        run = by_id.get(version.tags.get("seatrial.run_id"))
        if version.tags.get("seatrial.verdict") != outcome:
            found.append(f"version {number} is tagged {version.tags}")
        if run is None or run.info.status != {"pass": "FINISHED", "fail": "FAILED"}[outcome]:
            found.append(f"version {number} names run {run and run.info}")
        elif {a.path for a in client.list_artifacts(run.info.run_id)} < {"report.html", "verdict.dsse.json"}:
            found.append(f"the run of version {number} lacks files")
        if (version.description or "").count("seatrial: end") != 1:
            found.append(f"version {number} is described by {version.description!r}")
    passed = [n for n, outcome in expected.items() if outcome == "pass"]
    newest = max(passed, key=int)
    stand = client.get_registered_model(MODEL).aliases
    if {a: str(n) for a, n in stand.items()} != {"validated": newest, "champion": newest}:
        found.append(f"the aliases are {stand}; the newest pass is {newest}")
    elif not (answer := verify(project.root, f"models:/{MODEL}@champion")).allowed:
        found.append(answer.reason)
    return found
