"""The files under ``deployments/``: what their own linters say, and what must hold of them besides."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from seatrial.cli.app import app
from tests.support.paths import ROOT

HERE = ROOT / "deployments"
COMPOSE: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text(encoding="utf-8"))


def test_compose_keeps_to_its_specification() -> None:
    """Every key is one of the specification's, with variables filled; a misspelt one would be refused."""
    from compose_spec import PyCompose

    plain = {key: value for key, value in COMPOSE.items() if not key.startswith("x-")}
    filled = json.loads(re.sub(r"\$\{[A-Z_]+:?[-?][^}]*\}", "filled", json.dumps(plain)))
    names = PyCompose.from_json(json.dumps(filled)).service_names()
    assert set(names) == {"postgres", "mlflow", "prefect", "deploy", "receiver", "worker"}
    filled["services"]["worker"]["imagge"] = "x"
    with pytest.raises(ValueError, match="imagge"):
        PyCompose.from_json(json.dumps(filled))


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_is_watched_pinned_and_kept_small(name: str) -> None:
    """A health check, a pinned image, named volumes that exist, and pages on this machine alone."""
    service = COMPOSE["services"][name]
    assert "healthcheck" in service
    assert service["image"] == "seatrial" or re.fullmatch(r"[a-z]+:\d+[\w.-]*", service["image"])
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    if service["image"] == "seatrial":
        assert service["cap_drop"] == ["ALL"]


def test_no_secret_is_in_any_file() -> None:
    """Whatever is a password or a key is taken from the environment, and its absence is an error."""
    for service in COMPOSE["services"].values():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY|_URL|_URI", variable) and ("@" in value or "SECRET" in variable):
                assert ":?" in value, variable
    dockerfile = (HERE / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)", dockerfile)
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == ["10001"]
    assert "-c deployments/constraints.txt" in dockerfile
    ignored = (HERE / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {".seatrial", "**/.env", "*.key", ".git"} <= set(ignored)


@pytest.mark.parametrize("name", ["deploy", "receiver", "worker"])
def test_a_service_of_ours_runs_a_command_that_is_there(name: str) -> None:
    """With options that it has: a misspelt one would end the container."""
    program, *words = COMPOSE["services"][name]["command"]
    assert program == "seatrial"
    app.parse_args(words, exit_on_error=False, print_error=False)


def test_the_services_hold_together_with_what_is_deployed() -> None:
    """Addresses name services and their ports; the worker is of the pool that is deployed to, and has its keys."""
    services = COMPOSE["services"]
    listening = {
        ("mlflow", "5000"): "--port=5000", ("prefect", "4200"): "--port=4200", ("receiver", "4300"): "webhook",
    }  # fmt: skip
    for service in services.values():
        values = [*service.get("environment", {}).values(), *service.get("command", ())]
        for host, port in re.findall(r"http://(?!localhost)([a-z]+):(\d+)", " ".join(values)):
            assert listening[host, port] in services[host]["command"]
    allowed = next(word for word in services["mlflow"]["command"] if word.startswith("--allowed-hosts="))
    assert "mlflow:5000" in allowed.partition("=")[2].split(",")
    ours = [services[name] for name in ("deploy", "receiver", "worker")]
    assert not [word for service in ours for word in service["command"] if word.startswith("--pool")]
    assert {service["environment"]["SEATRIAL_LEDGER_URL"] for service in ours} == {
        ours[0]["environment"]["SEATRIAL_LEDGER_URL"]
    }
    named = [service["environment"].get("SEATRIAL_SIGNING_KEY") for service in ours]
    assert all(named) or all(service["volumes"] == ["state:/project/.seatrial"] for service in ours)
    databases = COMPOSE["configs"]["databases"]["content"] + services["postgres"]["environment"]["POSTGRES_DB"]
    used = [value for service in services.values() for value in service.get("environment", {}).values()]
    assert all(name in databases for value in used for name in re.findall(r"@postgres/(\w+)", value))


def test_the_image_has_what_compose_and_a_run_of_a_pool_need() -> None:
    """One base for both stages, git for the clone, the folder that compose mounts, and the arguments that it gives."""
    dockerfile = (HERE / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["${BASE}", "${BASE}"]
    arguments = set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
    assert set(COMPOSE["services"]["mlflow"]["build"]["args"]) <= arguments == {"BASE", "SEATRIAL"}
    assert "install -y --no-install-recommends git" in dockerfile
    assert {"/project/.seatrial", "/artifacts"} <= set(re.findall(r"(/\S+)", dockerfile))
    for requirements in ("uv.lock", "requirements.txt", "pyproject.toml"):
        assert requirements in dockerfile
