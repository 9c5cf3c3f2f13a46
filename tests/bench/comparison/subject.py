"""The churn project in a folder of its own: trained, with a fault planted, served, and asked what was recorded."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pandas as pd
from faults import Fault

from seatrial.process.running import free_port

HERE = Path(__file__).parent
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
}
ROWS = 300


@dataclass(frozen=True)
class Subject:
    """A trained project, and the address of the store it asks."""

    root: Path
    store_url: str

    @property
    def env(self) -> dict[str, str]:
        """The variables that the project's own commands run with; tools find its modules."""
        return {
            **os.environ,
            **QUIET,
            "STORE_URL": self.store_url,
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.root}/mlflow.db",
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, with further variables, whatever its exit code."""
        env = self.env | more
        return subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)


def trained(root: Path, store_url: str, noise: float = 0.0, previous: Path | None = None) -> Subject:
    """Copy the project and the tools to a folder and train there; ``previous`` is what an earlier training recorded."""
    if not root.exists():
        shutil.copytree(HERE / "project", root)
    shutil.copytree(HERE / "tools", root / "checks", dirs_exist_ok=True)
    subject = Subject(root, store_url)
    if not (root / "previous").exists():
        done = subject.run(sys.executable, "train.py", CHURN_LABEL_NOISE=str(noise))
        assert done.returncode == 0, done.stderr[-3000:]
        shutil.copytree(previous or root / "recorded", root / "previous")
    return subject


@contextlib.contextmanager
def planted(subject: Subject, fault: Fault) -> Iterator[None]:
    """Edit the code that serves, and put it back when the block ends."""
    before = {name: (subject.root / name).read_text(encoding="utf-8") for name, _, _ in fault.edits}
    try:
        for name, text, other in fault.edits:
            code = (subject.root / name).read_text(encoding="utf-8")
            assert code.count(text) == 1, f"{fault.name}: {text!r} is in {name} {code.count(text)} times"
            (subject.root / name).write_text(code.replace(text, other), encoding="utf-8")
        yield
    finally:
        for name, code in before.items():
            (subject.root / name).write_text(code, encoding="utf-8")


@contextlib.contextmanager
def serving(subject: Subject, *command: str, **more: str) -> Iterator[str]:
    """Start a server of the project, wait until it is ready, and return its address."""
    port = str(free_port())
    filled = [part.format(port=port) for part in command]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(filled, cwd=subject.root, env=subject.env | more, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(1200):
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(url + "/health", trust_env=False)
                    break
                assert server.poll() is None, f"{command} ended"
                time.sleep(0.1)
            yield url
        finally:
            server.terminate()


def replayed(subject: Subject, requests: Path, labels: pd.Series, path: Path) -> None:
    """Send requests to the service, and write what it logged, with its answers and the labels, to a file."""
    log = path.with_suffix(".jsonl")
    log.unlink(missing_ok=True)
    asked = [json.loads(line) for line in requests.read_text(encoding="utf-8").splitlines()]
    command = (sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "error")
    with serving(subject, *command, SERVED_LOG=str(log), MODEL_PATH=".", STORE_SECONDS="30") as url:
        limits = httpx.Limits(max_connections=8)
        with (
            httpx.Client(base_url=url, timeout=60, limits=limits, trust_env=False) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            answers = pd.DataFrame(list(pool.map(lambda each: client.post("/predict", json=each).json(), asked)))
    answers = answers.drop(columns=["degraded", "degraded_reason"], errors="ignore")
    logged = pd.DataFrame([json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()])
    served = logged.merge(answers, on="customer_id")
    order = [each["customer_id"] for each in asked]
    served = served.set_index("customer_id").loc[order].reset_index().assign(left=labels.to_numpy())
    served.to_csv(path, index=False)
