"""The gate of Kubeflow Pipelines: compiled as it is checked in, and run by ``kfp.local`` on real versions."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

from seatrial.project import Project

HERE = Path(__file__).parent / "kubeflow"
ROOT = HERE.parents[2]
PIPELINE = ROOT / "deployments" / "kubeflow" / "pipeline.py"
COMPILED = PIPELINE.with_suffix(".yaml")
UNREACHABLE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
COLOURS = re.compile(r"\x1b\[\d+m")


@dataclass(frozen=True)
class Ran:
    """What a run of the pipeline left behind."""

    root: Path

    @property
    def steps(self):
        [folder] = (self.root / "outputs").iterdir()
        return folder

    def output(self, name):
        return (self.steps / "validate" / name).read_text(encoding="utf-8")

    def text(self, name):
        file = self.root / f"{name}.txt"
        return COLOURS.sub("", file.read_text(encoding="utf-8")) if file.is_file() else ""

    @property
    def metrics(self):
        told = json.loads(self.output("executor_output.json"))
        return told["artifacts"]["metrics"]["artifacts"][0]["metadata"]


@pytest.fixture(scope="module")
def kfp(kfp_python):
    """Run a script in kfp's environment, where there is nothing of ours but seatrial itself."""

    def run(*words, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        env["PYTHONPATH"] = str(ROOT / "src")
        env["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), env["PATH"]])  # as in the image
        command = [kfp_python, *map(str, words)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, **more)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    return run


@pytest.fixture(scope="module")
def project(tmp_path_factory, prefect_beside):
    """A project with two versions in a file, and the Prefect server that its validations share."""
    root = tmp_path_factory.mktemp("kubeflow") / "project"
    shutil.copytree(HERE, root, ignore=shutil.ignore_patterns("gate.py", "__pycache__"))
    found = Project.find(root)
    found.state.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", prefect_beside)
        patch.setenv("PREFECT_HOME", str(root / "prefect"))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(root / "artifacts"))
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        subprocess.run([sys.executable, root / "train.py"], check=True, capture_output=True)
        yield root


@pytest.fixture(scope="module")
def runs(kfp, project):
    """The pipeline on a version of each kind; the failing one through the container steps that are checked in."""
    compiled, other = project.with_name("pipeline.yaml"), project.with_name("elsewhere")
    text = COMPILED.read_text(encoding="utf-8")
    here = {"/project": str(project), "http://mlflow.mlflow:5000": os.environ["MLFLOW_TRACKING_URI"]}
    for there, place in here.items():
        assert f" {there}\n" in text
        text = text.replace(f" {there}\n", f" {place}\n")
    compiled.write_text(text, encoding="utf-8")
    shutil.copytree(HERE, other, ignore=shutil.ignore_patterns("gate.py", "train.py", "__pycache__"))
    settings = (other / "pyproject.toml").read_text(encoding="utf-8")
    (other / "pyproject.toml").write_text(f'{settings}python = "model"\n', encoding="utf-8")
    asked = {
        "pass": {"version": "models:/baskets@candidate"},
        "fail": {"version": "models:/baskets/2", "compiled": str(compiled)},
        "inconclusive": {"version": "models:/baskets/1", "project": str(other), "environment": UNREACHABLE},
        "missing": {"version": "models:/baskets/7"},
    }
    roots = {name: str(project.with_name(f"run-{name}")) for name in asked}
    wanted = [{"project": str(project), "root": roots[name], **run} for name, run in asked.items()]
    kfp(HERE / "gate.py", sys.executable, input=json.dumps(wanted))
    found = {name: Ran(Path(root)) for name, root in roots.items()}
    for ran in found.values():  # kfp.local takes a condition that it cannot read as false
        assert "Could not resolve" not in ran.text("log")
    return found


def test_the_compiled_pipeline_is_the_one_checked_in(kfp, tmp_path):
    """Byte for byte; ``python deployments/kubeflow/pipeline.py deployments/kubeflow/pipeline.yaml`` makes it again."""
    kfp(PIPELINE, tmp_path / "pipeline.yaml")
    assert (tmp_path / "pipeline.yaml").read_text(encoding="utf-8") == COMPILED.read_text(encoding="utf-8")


def test_without_kfp_one_sentence_says_what_to_type():
    """kfp is in no environment with the rest."""
    call = "from seatrial import kfp; kfp.validation()"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.endswith("need kfp, which is not installed. Type: pip install 'seatrial[kfp]'"), done.stderr


@pytest.mark.server
def test_a_passing_version_is_deployed_by_its_number(runs):
    """Past the gate, wherever the alias is by then; report, JUnit and metrics are what the run's page shows."""
    ran = runs["pass"]
    assert (ran.output("verdict"), ran.output("uri")) == ("pass", "models:/baskets/1")
    assert ran.text("deployed") == "models:/baskets/1\n"
    assert ET.fromstring(ran.output("junit")).get("failures") == "0"
    assert "baskets" in ran.output("report")
    assert ran.metrics["findings"] == 0
    assert ran.metrics["seconds"] > 0


@pytest.mark.server
def test_a_failing_version_stops_at_the_gate_of_the_compiled_pipeline(runs):
    """The steps that are checked in, with this project's folder: the run succeeds, and nothing was deployed."""
    ran = runs["fail"]
    assert (ran.output("verdict"), ran.output("uri")) == ("fail", "models:/baskets/2")
    assert [path.name for path in ran.steps.iterdir()] == ["validate"]
    assert ran.text("failed") == ""
    assert int(ET.fromstring(ran.output("junit")).get("failures")) > 0
    assert ran.metrics["expectations/lines/price/mismatch_share"] == 1


@pytest.mark.server
def test_what_cannot_be_judged_is_not_deployed_and_fails_no_step(runs):
    """The environment of the version cannot be built: the verdict says so, and neither step failed."""
    ran = runs["inconclusive"]
    assert ran.output("verdict") == "inconclusive"
    assert [path.name for path in ran.steps.iterdir()] == ["validate"]
    assert (ran.text("failed"), ran.text("deployed")) == ("", "")


@pytest.mark.server
def test_a_version_that_is_not_there_fails_the_step(runs):
    """There is no verdict to decide by: the step of the validation fails, and the run with it."""
    ran = runs["missing"]
    assert "has no version '7'" in ran.text("log")
    assert "Inner task failed: 'validate'" in ran.text("failed")
    assert not (ran.steps / "validate" / "verdict").exists()
    assert ran.text("deployed") == ""
