"""``seatrial doctor`` as a command: its exit code, servers that answer and that do not, and what it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tests.support.ports import free_port
from tests.support.serving import in_thread
from tests.support.tutorial import environ

HEAVY = ("prefect", "mlflow", "great_expectations", "pandas", "sqlalchemy", "pyarrow", "schemathesis")
RUN = f"""
import json, sys
from seatrial.cli.app import main
try:
    main(["doctor"])
except SystemExit as ended:
    print(json.dumps([ended.code, [name for name in {HEAVY!r} if name in sys.modules]]))
"""


def doctor(root: Path, **variables: str) -> tuple[int, list[str], str]:
    """Return the exit code, the heavy libraries that were imported, and what was printed."""
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=root, env=environ() | variables, capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    said, _, last = done.stdout.rstrip().rpartition("\n")
    code, imported = json.loads(last)
    return code, imported, said


class MLflow(BaseHTTPRequestHandler):
    """A server that is well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_nothing_heavy_is_imported_and_a_server_that_answers_is_ok(tmp_path: Path) -> None:
    """A project whose store, ledger and Prefect answer can be validated."""
    (tmp_path / "pipeline.py").write_text("from seatrial import Pipeline\npipeline = Pipeline('p', key='id')\n")
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    server = HTTPServer(("127.0.0.1", 0), MLflow)
    with in_thread(server):
        url = f"http://127.0.0.1:{server.server_port}"
        code, imported, said = doctor(tmp_path, MLFLOW_TRACKING_URI=url, PREFECT_API_URL=f"{url}/api")
    assert (code, imported) == (0, []), said
    assert f"{url} (from MLFLOW_TRACKING_URI): answers with status 200" in said
    assert f"{url}/api (from PREFECT_API_URL): answers with status 200" in said
    assert "isolation" in said
    assert not (tmp_path / ".seatrial").exists()


def test_servers_that_do_not_answer_are_missing(tmp_path: Path) -> None:
    """All of them are asked side by side; passwords are not shown."""
    (tmp_path / "pipeline.py").write_text("pipeline = 3\n")
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    url = f"http://ann:s3cret@127.0.0.1:{free_port()}"
    ledger = f"postgresql://ann:s3cret@127.0.0.1:{free_port()}/ledger"
    code, imported, said = doctor(tmp_path, MLFLOW_TRACKING_URI=url, PREFECT_API_URL=url, SEATRIAL_LEDGER_URL=ledger)
    assert (code, imported) == (1, []), said
    assert said.count("does not answer within 1 s") == 3
    assert "3 things are missing." in said
    assert "s3cret" not in said


def test_without_a_project_it_says_how_to_make_one(tmp_path: Path) -> None:
    """The libraries are examined all the same."""
    code, imported, said = doctor(tmp_path)
    assert (code, imported) == (1, [])
    assert "seatrial init --here" in said
    assert "libraries" in said


def test_the_interpreter_of_the_worker_is_asked(tmp_path: Path) -> None:
    """It runs, and has what a worker needs; the one of a system without pandas has not."""
    (tmp_path / "pipeline.py").write_text("pipeline = 3\n")
    text = '[tool.seatrial]\npipeline = "pipeline.py:pipeline"\npython = '
    (tmp_path / "pyproject.toml").write_text(f"{text}{json.dumps(sys.executable)}\n")
    assert "Python 3" in next(line for line in doctor(tmp_path)[2].splitlines() if "worker" in line)
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    (tmp_path / "pyproject.toml").write_text(f'{text}"bare/bin/python"\n')
    code, _, said = doctor(tmp_path)
    assert code == 1
    assert "bare/bin/python lacks numpy >= 1.24, pandas >= 2.0, pyarrow >= 12" in said
    assert "bare/bin/python -m pip install 'numpy>=1.24' 'pandas>=2.0' 'pyarrow>=12'" in said
