"""The files under ``deployments/``: what their own linters say, and what must hold of them besides."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

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
