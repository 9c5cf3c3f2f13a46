"""Extensions of other packages, installed as anybody installs them, in a whole validation by the command line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import venv
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conformance.environments import sdv_python  # noqa: F401  a fixture

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]
SAMPLES = sorted(path.parent for path in (ROOT / "examples" / "plugins").glob("*/pyproject.toml"))
PROJECT = Path(__file__).with_name("plugins_project")
WEIGHTS = {"a": 2.0, "b": 3.0, "c": 5.0}
FOREIGN = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PREFECT_API_URL", "PREFECT_HOME", "SEATRIAL_LEDGER_URL")
INSTALLED = {
    ("Check", "bounds", "seatrial-bounds"),
    ("Target", "jsonrpc+http", "seatrial-jsonrpc"),
    ("Fault", "truncated", "seatrial-truncated"),
    ("Sink", "jsonl", "seatrial-jsonl"),
    ("Registry", "folder", "seatrial-folder"),
    ("Fixture source", "grid", "seatrial-grid"),
    ("Fixture source", "sdv", "seatrial-sdv"),
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment of its own that sees the present packages, with all samples installed."""
    home = tmp_path_factory.mktemp("plugins") / "venv"
    venv.create(home)
    interpreter = home / "bin" / "python"
    [packages] = home.glob("lib/python*/site-packages")
    present = [path for path in sys.path if path.endswith("site-packages")]
    # addsitedir and not a plain line: an editable seatrial is a .pth file there itself
    (packages / "present.pth").write_text(
        "import site; " + "; ".join(f"site.addsitedir({p!r})" for p in present) + "\n"
    )
    for sample in SAMPLES:  # built in a copy: nothing is left in the checkout
        shutil.copytree(sample, home / "samples" / sample.name)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-index", "--no-deps",
         "--no-build-isolation", "--no-warn-script-location", *map(str, (home / "samples").iterdir())],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return interpreter


class Answering(BaseHTTPRequestHandler):
    """The scales."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"weight": WEIGHTS[self.path[1:]]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def scales() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project") / "parcels"


@pytest.fixture(scope="module")
def ran(python: Path, scales: str, project: Path, prefect_beside: str) -> Run:
    """Run ``python -m seatrial``, or a script, in a new project with a trained version."""
    env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    env |= {
        "SCALES_URL": scales, "FOLDER_REGISTRY": str(project / "registry"), "COLUMNS": "120",
        "PATH": f"{python.parent}{os.pathsep}{env.get('PATH', '')}",
    }  # fmt: skip

    def run(*words: str, cwd: Path = project) -> subprocess.CompletedProcess[str]:
        command = [str(python), *(words if words[0].endswith(".py") else ("-m", "seatrial", *words))]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)

    assert run("init", str(project), "--example", "payments", "--quiet", cwd=project.parent).returncode == 0
    shutil.rmtree(project / "expectations")
    shutil.copytree(PROJECT, project, dirs_exist_ok=True)
    trained = run("scales/train.py")
    assert trained.stdout == "folder:/parcels/1\n", trained
    env["PREFECT_API_URL"] = prefect_beside
    return run


def test_they_are_listed_with_their_packages(ran: Run) -> None:
    """Beside our own, in the table and for programs."""
    listed = json.loads(ran("plugins", "--json").stdout)
    assert {(each["kind"], each["name"], each["package"]) for each in listed} >= INSTALLED
    assert {each["version"] for each in listed if each["package"] != "seatrial"} == {"0.1.0"}
    table = ran("plugins").stdout
    assert all(name in table and package in table for _, name, package in INSTALLED)


def test_a_whole_validation_uses_each_of_them_and_passes(ran: Run, project: Path) -> None:
    """Check, target, fault, sink and registry, by settings and command line; the report shows what they found."""
    done = ran("validate", "folder:/parcels/1", "--sink", "jsonl=out/events.jsonl", "--sink", "junit=out/junit.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in (project / "out" / "events.jsonl").read_text().splitlines()]
    assert events[-1]["outcome"] == "pass"
    evaluated = {(e["check"], e["stage"]): e["compared"] for e in events if e["event"] == "Evaluated"}
    assert evaluated["bounds", "price"] == 40
    assert evaluated["golden", "service"] > 0
    assert evaluated["contract", "service"] > 20
    assert evaluated["resilience", "scales"] > 0
    measured = {e["name"] for e in events if e["event"] == "Measurement"}
    assert "truncated: degraded answers" in measured
    assert 'name="bounds"' in (project / "out" / "junit.xml").read_text()
    report = (project / ".seatrial" / "reports" / "parcels-1" / "latest" / "report.html").read_text()
    assert "bounds" in report
    assert "truncated" in report
    home = project / "registry" / "models" / "parcels"
    assert {p.name: p.read_text() for p in (home / "aliases").iterdir()} == {"validated": "1", "champion": "1"}
    assert json.loads((home / "1" / "tags.json").read_text())["seatrial.verdict"] == "pass"
    assert "pass" in (home / "1" / "verdict.md").read_text()
    [run] = (project / "registry" / "runs" / "parcels" / "1").iterdir()
    assert {"report.html", "verdict.dsse.json", "run.json"} <= {p.name for p in run.iterdir()}


def test_the_verdict_in_another_registry_is_verified(ran: Run) -> None:
    """By signature and content, as with MLflow; and reconciling finds nothing to do."""
    done = ran("verify", "folder:/parcels@champion")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "folder:/parcels/1 passed" in done.stdout
    again = ran("reconcile")
    assert again.returncode == 0, again


def test_a_fixture_of_another_source_is_made_predicted_and_compared_with(ran: Run) -> None:
    """Every combination, with the predictions of the version, and the service must give the same response."""
    made = ran("fixtures", "make", "every", "--predict-with", "folder:/parcels/1")
    assert made.returncode == 0, made
    assert "every: 12 rows by grid" in made.stdout
    assert ran("fixtures", "check", "every").returncode == 0
    done = ran("validate", "folder:/parcels/1", "--fixture", "every", "--only", "golden", "bounds")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sameness, not correctness" in " ".join(done.stdout.split())


def test_what_the_check_checks_is_broken_and_it_fails(ran: Run, project: Path) -> None:
    """A price beyond its bounds is found by the check of another package, with stage, column and advice."""
    file = project / "scales" / "pipeline.py"
    sound = file.read_text()
    file.write_text(sound.replace('frame["weight"] * model', 'frame["weight"] * model * 100'))
    try:
        done = ran("validate", "folder:/parcels/1", "--only", "bounds")
    finally:
        file.write_text(sound)
    assert done.returncode == 1, done
    shown = " ".join(done.stdout.split())
    assert "values lie outside [0, 60]." in shown
    assert "price" in shown
    assert "out-of-bounds" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "bound"], "Did you mean 'bounds'?"),
        (["--sink", "jsnl=x"], "Did you mean 'jsonl'?"),
        (["--sink", "jsonl"], "is not NAME=FILE"),
    ],
)
def test_a_name_that_is_misspelt_is_told_with_the_nearest(ran: Run, words: list[str], message: str) -> None:
    """Theirs are among the names that are known."""
    done = ran("validate", "folder:/parcels/1", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def samples_tested(
    python: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[int, list[str]]]:
    """The own tests of all packages, in one process of their environment: how many passed and what failed, of each."""
    env = dict(os.environ)
    with contextlib.suppress(pytest.skip.Exception):  # without an index there is no SDV; the rest is tested
        env["SEATRIAL_SDV_PYTHON"] = str(request.getfixturevalue("sdv_python"))
    told = tmp_path_factory.mktemp("samples") / "junit.xml"
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib",
         "--rootdir", str(ROOT / "examples"), "--junit-xml", str(told), *(f"{s.name}/tests" for s in SAMPLES)],
        cwd=python.parents[1] / "samples", env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.is_file(), done.stdout + done.stderr
    found: dict[str, tuple[int, list[str]]] = {s.name: (0, []) for s in SAMPLES}
    for case in ElementTree.parse(told).iter("testcase"):
        module = f"{case.get('classname')}.{case.get('name')}"
        sample = next(s.name for s in SAMPLES if f"test_{s.name.removeprefix('seatrial-')}" in module)
        passed, failed = found[sample]
        wrong = [e.text or "" for e in case if e.tag in ("failure", "error")]
        found[sample] = (passed + (len(case) == 0), failed + wrong)
    assert done.returncode == (1 if any(failed for _, failed in found.values()) else 0), done.stdout + done.stderr
    return found


@pytest.mark.parametrize("sample", [path.name for path in SAMPLES])
def test_the_samples_keep_their_protocols(sample: str, samples_tested: dict[str, tuple[int, list[str]]]) -> None:
    """Each package's own tests, which call ``seatrial.testing``, pass in its environment."""
    passed, failed = samples_tested[sample]
    assert not failed, "\n".join(failed)
    assert passed
