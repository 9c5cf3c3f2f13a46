"""The Prefect server is that of the environment, else that of the active profile, else one of seatrial's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seatrial.orchestration.prefect_api import unanswered
from seatrial.process import prefect_profile
from seatrial.project import Project

PROFILES = """
active = "cloud"
[profiles.cloud]
PREFECT_API_URL = "https://api.prefect.example/api/accounts/a/workspaces/w"
PREFECT_API_KEY = "pnu-planted"
[profiles.local]
PREFECT_API_URL = "http://127.0.0.1:4200/api"
[profiles.ephemeral]
PREFECT_SERVER_ALLOW_EPHEMERAL_MODE = "true"
"""
CLOUD = "https://api.prefect.example/api/accounts/a/workspaces/w"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of Prefect with profiles, and nothing of it in the environment."""
    for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "profiles.toml").write_text(PROFILES)
    return tmp_path / "prefect"


def test_the_active_profile_is_used(home: Path) -> None:
    """Its address is where everything looks; its key stays where Prefect reads it."""
    assert prefect_profile.adopt() == os.environ["PREFECT_API_URL"] == CLOUD
    assert "PREFECT_API_KEY" not in os.environ
    said = unanswered(CLOUD, "Connection refused")
    assert f"at {CLOUD}, from Prefect's profile 'cloud': Connection refused." in said
    assert "prefect profile use ephemeral" in said


def test_the_environment_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address, an empty one, or the name of another profile."""
    monkeypatch.setenv("PREFECT_PROFILE", "local")
    assert prefect_profile.adopt() == "http://127.0.0.1:4200/api"
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect:4200/api")
    assert prefect_profile.adopt() == "http://prefect:4200/api"
    assert "from PREFECT_API_URL: " in unanswered("http://prefect:4200/api", "Connection refused")
    monkeypatch.setenv("PREFECT_API_URL", "")
    assert prefect_profile.adopt() == ""


@pytest.mark.parametrize(
    "content", ['active = "ephemeral"\n' + PROFILES.partition("\n\n")[0][19:], "", "active = [", "profiles = 3"]
)
def test_without_an_address_seatrial_starts_its_own(
    content: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file cannot be read: Prefect itself says so as soon as it is used."""
    (home / "profiles.toml").write_text(content)
    assert prefect_profile.adopt() == ""
    assert "PREFECT_API_URL" not in os.environ
    for name in ("PREFECT_HOME", "MLFLOW_TRACKING_URI", "_MLFLOW_SERVER_ARTIFACT_ROOT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    state = tmp_path / ".seatrial"
    Project(tmp_path, tmp_path / "p.py", "p", tmp_path, tmp_path, state).activate()
    assert os.environ["PREFECT_HOME"] == str(state / "prefect")
