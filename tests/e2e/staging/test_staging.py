"""A staging service over TLS, with an API key and a rate limit, in a process that seatrial did not start.

The process is another user's, ``nobody``'s, where the tests may change users and that user can read this interpreter;
elsewhere it is the same user's.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from seatrial.cli.app import main
from seatrial.io.loading import load_file
from seatrial.orchestration import runner
from seatrial.project import Project
from tests.conftest import FOREIGN
from tests.support import staging
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.server
KEY = "sk-Zt7q/9+Wm3-staging"
LONG = 600.0  # seconds for a server to start, on a machine that does much else
NOBODY = 65_534
PIPELINE = """
import json
import pandas as pd
from seatrial import Pipeline, Service

def parse(frame):
    return pd.DataFrame([json.loads(text) for text in frame["payload"]]).astype({{"id": "string"}})

def respond(frame):
    return pd.DataFrame({{"id": frame["id"], "y": frame["x"] * 2}})

pipeline = Pipeline(
    "double", key="id", raw=parse, respond=respond,
    service=Service(
        url="https://127.0.0.1:{port}/ml", predict="/score", headers={{"X-Key": "{{env:STAGING_KEY}}"}},
        verify="server.pem",
    ),
)
"""
TRAIN = """
import json
import mlflow
import numpy as np
import pandas as pd
import seatrial
from pathlib import Path
from seatrial.io.loading import load_file
from sklearn.linear_model import LinearRegression

def train():
    project = load_file(Path(__file__).with_name("pipeline.py"))
    texts = [json.dumps({"id": f"t{n}", "x": n + 0.5}) for n in range(60)]
    with mlflow.start_run(experiment_id="0") as run:
        model = LinearRegression().fit(np.eye(2), [0, 1])
        logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
        requests = pd.DataFrame({"payload": texts}, dtype="string")
        seatrial.capture(project.pipeline, requests, run_id=run.info.run_id)
    mlflow.register_model(logged.model_uri, "double")
"""


@dataclass
class Staging:
    """The project, and the port that its service is at."""

    project: Project
    port: int
    certificate: tuple[Path, Path]
    logs: Path

    @contextmanager
    def running(self, fault: str, port: int = 0) -> Iterator[None]:
        """Run the service in a process of its own, which alone knows what it asks for."""
        script = [sys.executable, staging.__file__, str(port or self.port), *map(str, self.certificate), fault]
        prefix = another_user()
        with (self.logs / "service.log").open("ab") as log:
            environ = {**os.environ, "STAGING_SECRET": KEY}
            service = subprocess.Popen([*prefix, *script], env=environ, stdout=log, stderr=log, start_new_session=True)
        try:
            until(lambda: listens(port or self.port) or service.poll() is not None, self.told, seconds=LONG)
            assert service.poll() is None, self.told()
            owner = Path(f"/proc/{service.pid}")
            assert not owner.exists() or owner.stat().st_uid == (NOBODY if prefix else os.getuid())
            yield
        finally:
            service.terminate()
            service.wait(30)

    def told(self) -> str:
        """Return the end of the service's log."""
        return (self.logs / "service.log").read_text()[-2_000:]

    def files(self) -> Iterator[Path]:
        """Yield every file that was written: the project's state, registry, artifacts, pages and logs."""
        yield from (path for path in self.project.root.rglob("*") if path.is_file())


@cache
def another_user() -> tuple[str, ...]:
    """Return what starts a command as another user, or nothing where that user cannot run this interpreter."""
    prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return ()
    probe = [*prefix, sys.executable, "-c", f"import fastapi, uvicorn; open({staging.__file__!r}).close()"]
    return prefix if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode == 0 else ()


def listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def theirs() -> Iterator[Path]:
    """A folder that another user can enter, as those of the tests are not."""
    with tempfile.TemporaryDirectory(prefix="staging-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, theirs: Path) -> Iterator[Staging]:
    root, elsewhere = tmp_path_factory.mktemp("double"), tmp_path_factory.mktemp("elsewhere")
    port = free_port()
    theirs.chmod(0o755)
    cert, key = staging.certificate(theirs)
    (root / "expectations").mkdir()
    (root / "expectations" / "service.toml").write_text("[contract]\ngenerated_requests = 20\n")
    (root / "server.pem").write_bytes(cert.read_bytes())
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\nmodels = ["double"]\n')
    (root / "pipeline.py").write_text(PIPELINE.format(port=port))
    (root / "train.py").write_text(TRAIN)
    with pytest.MonkeyPatch.context() as patch:
        for name in (*FOREIGN, "_MLFLOW_SERVER_ARTIFACT_ROOT"):
            patch.delenv(name, raising=False)
        project = Project.find(root)
        project.activate()
        load_file(root / "train.py").train()
        patch.setenv("STAGING_KEY", KEY)
        patch.setenv("COLUMNS", "200")
        patch.setattr(runner, "START_SECONDS", LONG)
        with runner.prefect_server(project) as wait:
            wait()
            yield Staging(project, port, (cert, key), elsewhere)


@pytest.fixture
def validate(made: Staging, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Any]:
    """Run ``seatrial validate`` and return its exit code, its verdict, and all that it printed."""

    def command(*words: str) -> tuple[int, Any, str]:
        out = tmp_path / "verdict.json"
        written = ["--sink", f"json={out}", "--sink", f"html={made.project.state / 'page.html'}"]
        with pytest.raises(SystemExit) as ended:
            main(["validate", "models:/double/1", "--project", str(made.project.root), *written, *words])
        said = capfd.readouterr()
        verdict = json.loads(out.read_text()) if out.exists() else {}
        assert not holds_key((said.out + said.err + json.dumps(verdict)).encode())
        return int(ended.value.code or 0), verdict, said.out + said.err

    return command


def holds_key(content: bytes) -> bool:
    encoded = base64.b64encode(KEY.encode()).rstrip(b"=")
    return KEY.encode() in content or encoded in content or json.dumps(KEY)[1:-1].encode() in content


def assert_key_is_in_no_file(made: Staging) -> None:
    files = list(made.files())
    assert len(files) > 20
    assert not [str(path) for path in files if holds_key(path.read_bytes())]


def causes(verdict: Any, severity: str) -> set[str]:
    return {f["cause"] for f in verdict["findings"] if f["severity"] == severity}


def test_a_staging_service_is_validated_by_its_url(made: Staging, validate: Callable[..., Any]) -> None:
    """It passes; its rate limit is told; the key is in no file, log, artifact or page."""
    with made.running("none"):
        code, verdict, said = validate()
    assert code == 0, said
    assert {e["check"] for e in verdict["evaluated"] if e["stage"] == "service"} >= {"golden", "contract"}
    assert "rate-limit" in causes(verdict, "info")
    assert_key_is_in_no_file(made)


def test_a_wrong_value_is_found(made: Staging, validate: Callable[..., Any]) -> None:
    """One request answered with a wrong value fails, with its column; also by ``--target``, which is partial."""
    other = free_port()
    with made.running("wrong-value", other):
        code, verdict, said = validate("--only", "golden", "--target", f"https://127.0.0.1:{other}/ml")
    assert code == 1, said
    found = [f for f in verdict["findings"] if f["severity"] == "error"]
    assert [(f["stage"], f["column"]) for f in found] == [("service", "y")]
    assert "Partial validation" in said
    assert_key_is_in_no_file(made)


def test_a_refused_key_is_told_as_one(made: Staging, validate: Callable[..., Any]) -> None:
    """A service that refuses the key is no fault of the version: inconclusive, and says what to check."""
    with made.running("refuses-key"):
        code, _, said = validate("--only", "golden", "contract")
    assert code == 2, said
    assert "refuses the client" in said
    assert "x-key" in said
    assert_key_is_in_no_file(made)


def test_a_missing_key_names_its_variable(
    made: Staging, validate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the variable nothing is asked, and the message names it."""
    monkeypatch.delenv("STAGING_KEY")
    code, _, said = validate("--only", "golden")
    assert code == 2, said
    assert "the variable STAGING_KEY is not set" in said
    assert "Traceback" not in said
