"""A version that is judged here and runs in a container: the verdict is its own, and no library of ours is there."""

import pytest

from seatrial import Outcome
from tests.support import shop

SERVER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import pandas as pd
sys.path.insert(0, os.environ["HERE"])
from stages import Rates, features, load, prediction, raw, response

model = load(os.environ["MODEL"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"{}")

    def do_POST(self):
        frame = pd.DataFrame([json.loads(self.rfile.read(int(self.headers["content-length"])))])
        frame = response(prediction(features(raw(frame), Rates()), model))
        self.answer(frame.to_json(orient="records", double_precision=15)[1:-1].encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
STAGES, _, DECLARED = shop.PIPELINE.partition("shop = Pipeline(")
STAGES = STAGES.replace("from seatrial import Dependency, Pipeline\n", "")  # it is not in the container
SERVED = f"""
import sys
from pathlib import Path
from seatrial import Dependency, Pipeline, Service
from stages import Rates, features, load, prediction, raw, response

HERE = str(Path(__file__).parent)
service = Service([sys.executable, HERE + "/server.py", "{{port}}"], openapi=None,
                  env={{"MODEL": "{{model.path}}", "HERE": HERE}})
shop = Pipeline({DECLARED.replace("dependencies=[", "service=service, dependencies=[")}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return shop.save_model(tmp_path_factory.mktemp("logged") / "model")


@pytest.fixture(scope="module")
def reference(tmp_path_factory, model):
    return shop.captured(tmp_path_factory.mktemp("trained"), model)


def test_a_container_is_the_judged_environment(tmp_path, old_container, model, reference):
    """It passes, its libraries are told, and a skew fails where it is."""
    settings = {"command": old_container.command}
    found = shop.verdict(shop.project(tmp_path / "clean", **settings), model, reference)
    assert found.outcome is Outcome.PASS, found.summary
    assert any("pandas is 2.1" in f.message and "in the worker" in f.message for f in found.findings)
    skewed = shop.PIPELINE.replace(".dt.hour.astype", '.dt.tz_convert("Europe/Berlin").dt.hour.astype')
    failed = shop.verdict(
        shop.project(tmp_path / "skewed", skewed, **settings), model, reference, only=("expectations",)
    )
    assert (failed.outcome, failed.first_failing_stage) == (Outcome.FAIL, "features")


def test_its_service_starts_in_the_container_too(tmp_path, old_container, model, reference):
    """And answers on the host's network."""
    project = shop.project(tmp_path, SERVED, command=old_container.command)
    (tmp_path / "stages.py").write_text(STAGES)
    (tmp_path / "server.py").write_text(SERVER)
    found = shop.verdict(project, model, reference, only=("golden", "environment"))
    assert found.outcome is Outcome.PASS, found.summary
    assert {e.check for e in found.evaluated if e.stage == "service"} == {"golden", "environment"}
    assert any("pandas is 2.1" in f.message and "in the service" in f.message for f in found.findings)


def test_an_image_that_is_not_there_is_inconclusive(tmp_path, old_container, model, reference):
    """With what its engine printed."""
    command = [word.replace(old_container.name, "no-such-container") for word in old_container.command]
    found = shop.verdict(shop.project(tmp_path, command=command), model, reference)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "no-such-container" in found.summary


SPY = """def raw(frame):
    seen = not Path("ROOT/pipeline.py").exists() or [*Path("ROOT/.seatrial").rglob("*")]
    try:
        seen = seen or Path("ROOT/mlflow.db").read_bytes()
    except OSError:
        pass
    if seen:
        raise ValueError
"""


def test_it_sees_no_key_of_the_judge(tmp_path, old_container, model, reference):
    """The project is there; its state is empty, and so is the store."""
    spy = shop.PIPELINE.replace("def raw(frame):\n", SPY.replace("ROOT", str(tmp_path)))
    project = shop.project(tmp_path, spy, command=old_container.command)
    (tmp_path / ".seatrial" / "keys").mkdir(parents=True)
    (tmp_path / ".seatrial" / "keys" / "verdict.key").write_text("planted")
    (tmp_path / "mlflow.db").write_text("planted")
    found = shop.verdict(project, model, reference, only=("golden",))
    assert found.outcome is Outcome.PASS, found.summary
