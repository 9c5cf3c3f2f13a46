"""A predictor of KServe's V1 protocol in an image of its own, started by its engine and validated from here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seatrial import Outcome, Severity, Subject, capture
from seatrial.events import Verdict
from seatrial.io.loading import load_file
from seatrial.orchestration.judge import judging
from seatrial.project import Project
from tests.e2e.containers.image import Container
from tests.support.serving import in_thread

RATES = {"north": 1.25, "south": 0.75, "harbour": 2.0}
COEFFICIENTS = {"coef": [0.4, 1.5], "at": 0.8}
PIPELINE = """
import json
import urllib.request
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression

from seatrial import Dependency, Pipeline, Service


class Zones:
    def __init__(self, url):
        self.url = url

    def rate(self, zone):
        with urllib.request.urlopen(f"{self.url}/{zone}") as answer:
            return json.load(answer)["rate"]


class Usual:
    def rate(self, zone):
        return None


def load(folder):
    known = json.loads((Path(folder) / "coefficients.json").read_text())
    model = LinearRegression()
    model.coef_, model.intercept_ = np.array(known["coef"]), known["at"]
    return model


def features(frame, zones):
    rates = frame["zone"].map({zone: zones.rate(zone) for zone in frame["zone"].unique()}).astype("float64")
    made = frame[["id"]].assign(charged=frame["distance"] * rates.fillna(1.0), night=frame["night"].astype("float64"))
    return made.assign(degraded=rates.isna())


def prediction(frame, model):
    return frame[["id"]].assign(tip=model.predict(frame[["charged", "night"]].to_numpy()), degraded=frame["degraded"])


tips = Pipeline(
    "tips", key="id", model=load, raw=lambda frame: frame, features=features, prediction=prediction,
    dependencies=[Dependency("zones", "ZONES", Zones, Usual)], service=Service(**SERVICE),
)
"""
POLICY = """
[resilience]
bind = "127.0.0.2"

[dependencies.zones]
timeout_ms = 500
deadline_ms = 3000
path = "/score"
circuit_breaker = false
faults = ["down"]
fault_seconds = 1.0
rate = 20.0
"""


class Store(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"rate": RATES[self.path[1:]]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def zones() -> Iterator[str]:
    """The address of the store, on the loopback of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.daemon_threads = True
    with in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logged")
    (folder / "coefficients.json").write_text(json.dumps(COEFFICIENTS))
    return folder


def requests() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(40)],
            "zone": (list(RATES) * 14)[:40],
            "distance": [0.5 + 1.3 * n for n in range(40)],
            "night": [n % 3 == 0 for n in range(40)],
        }
    )


def written(zones: str, **service: Any) -> str:
    return f"SERVICE = {service!r}\n" + PIPELINE.replace("ZONES", zones)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, zones: str, model: Path) -> Any:
    file = tmp_path_factory.mktemp("trained") / "pipeline.py"
    file.write_text(written(zones, command=["true", "{port}"]))
    return capture(load_file(file).tips, requests(), model=str(model))


def service_of(container: Container, fault: str = "none", **more: Any) -> dict[str, Any]:
    """Return the fields of a service that the engine runs; its container has the network of this machine."""
    assigned, name, *engine = container.engine[1:]
    variables = {"MODEL": "/model", "ZONES": "{zones.url}", "HOST": "127.0.0.1", "PORT": "{port}", "FAULT": fault}
    options = [part for pair in variables.items() for part in ("-e", "=".join(pair))]
    return {
        "command": [
            name, *engine, "run", "--isolation", "chroot", *options, "-v", "{model.path}:/model:ro",
            container.name, "--", "python", "/opt/predictor/predictor.py",
        ],
        "env": dict([assigned.split("=", 1)]), "ready": "/v1/models/tips", "predict": "/v1/models/tips:predict",
        "envelope": "instances", "openapi": None, **more,
    }  # fmt: skip


@pytest.fixture
def validated(tmp_path: Path, zones: str, model: Path, reference: Any) -> Callable[..., Verdict]:
    """Validate the version in a project of its own with this service, by these checks."""
    return partial(verdict_in, tmp_path / "project", zones, model, reference)


def verdict_in(
    root: Path,
    zones: str,
    model: Path,
    reference: Any,
    service: dict[str, Any],
    *only: str,
    engines: Sequence[str] = ("buildah",),
) -> Verdict:
    (root / "expectations").mkdir(parents=True)
    (root / "expectations" / "service.toml").write_text(POLICY)
    (root / "pipeline.py").write_text(written(zones, **service))
    (root / "pyproject.toml").write_text(
        f'[tool.seatrial]\npipeline = "pipeline.py:tips"\nengines = {json.dumps(engines)}\n'
    )
    with judging(Project.find(root)) as judge:
        judge.load(model, reference, only=only)
        events = [event for case in judge.planned for event in judge.run(case)]
        return judge.verdict(events, judge.planned, subject=Subject("tips", "1"))


def errors(found: Verdict) -> set[tuple[str, str | None, str | None]]:
    assert found.outcome is Outcome.FAIL, (found.summary, found.not_evaluated)
    return {(f.check, f.stage, f.cause) for f in found.findings if f.severity is Severity.ERROR}


def test_a_clean_predictor_passes(validated: Callable[..., Verdict], predictor: Container) -> None:
    """Golden over the envelope, contract, and its store broken behind a proxy at another address of the loopback."""
    checks = ("golden", "contract", "resilience", "environment")
    found = validated(service_of(predictor), *checks)
    assert found.outcome is Outcome.PASS, (found.summary, found.findings, found.not_evaluated)
    assert {e.check for e in found.evaluated if e.compared} == {*checks}
    assert [f.message for f in found.findings if f.check == "environment" and "container" in f.message]


@pytest.mark.parametrize(("fault", "check"), [("skew", "golden"), ("unlists", "contract")])
def test_a_bug_in_the_image_is_found(
    validated: Callable[..., Verdict], predictor: Container, fault: str, check: str
) -> None:
    """A rate that is not applied is other values; a list read as its first value is a silent change."""
    found = errors(validated(service_of(predictor, fault), "golden", "contract"))
    assert {name for name, _, _ in found} == {check}, found
    assert {stage for _, stage, _ in found} == {"service"}


def test_a_predictor_that_cannot_start_fails(validated: Callable[..., Verdict], predictor: Container) -> None:
    """With its own words."""
    found = validated(service_of(predictor, "ends"), "golden")
    assert found.outcome is Outcome.FAIL
    assert any("the model cannot be read" in f.message for f in found.findings)


def test_what_the_engine_cannot_do_is_no_fault_of_the_version(
    validated: Callable[..., Verdict], predictor: Container
) -> None:
    """A container that is not there is inconclusive, with the engine's words."""
    missing = service_of(replace(predictor, name="no-such-container"))
    found = validated(missing, "golden")
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "no-such-container" in str(found.not_evaluated)
    assert "Build or pull the image first" in str(found.not_evaluated)


def test_an_engine_that_the_project_does_not_allow_is_not_run(
    validated: Callable[..., Verdict], predictor: Container
) -> None:
    """Pipelines are not trusted with it: the project's owner says so, in the line that is told."""
    found = validated(service_of(predictor), "golden", engines=())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert 'engines = ["buildah"]' in str(found.not_evaluated)
