"""No credential is told by a command whose servers are away: a canary in each place, and a search for all of them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import seatrial
from tests.support import canaries
from tests.support.canaries import ADDRESSES, OTHERS, SCRIPT, VALUES, address

TINY = Path(__file__).parents[1] / "flows" / "tiny"
URI = "models:/tiny/1"
COMMANDS = (
    "status", "history tiny/1", "doctor", f"validate {URI}", f"capture {URI} --requests requests.csv", "reconcile",
    f"verify {URI}", f"evidence {URI}", "sync", "deploy --notify slack=SLACK_URL", "undeploy", "prune",
    f"rerun {URI}", "cancel tiny/1", f"stress {URI}",
)  # fmt: skip
HOSTS = {
    "PREFECT_API_URL": ("http", "/api"), "SEATRIAL_LEDGER_URL": ("postgresql", "/ledger"), "HTTPS_PROXY": ("http", ""),
}  # fmt: skip
BARE = ("HTTPS_PROXY",)  # an address of a proxy with a query is none


def away() -> dict[str, str]:
    """Return an environment with every canary, in which nothing answers."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    quiet = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    urls = {name: address(name, *_at(name), query=name not in BARE) for name in ADDRESSES}
    return kept | quiet | VALUES | urls


def _at(name: str) -> tuple[str, str, str]:
    scheme, path = HOSTS.get(name, ("http", "/base"))
    return scheme, "127.0.0.1:9", path


def test_a_search_finds_each_canary_in_each_form(tmp_path: Path) -> None:
    """Or it would prove nothing."""
    for canary in canaries.planted().values():
        for form in canaries.forms(canary):
            assert canaries.found({"log": b"xx " + form + b" yy"}), form
    shutil.make_archive(str(tmp_path / "packed"), "zip", TINY)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(VALUES["WANDB_API_KEY"])
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    assert canaries.found(canaries.contents(tmp_path)) == {"WANDB_API_KEY": ["packed.zip!a.txt"]}


def test_every_variable_of_ours_that_may_hold_a_credential_has_its_canary() -> None:
    """Whoever reads a new one adds it to the list, or says why it is none."""
    source = Path(seatrial.__file__).parent
    named = {
        node.value
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"[A-Z][A-Z0-9_]*_(URL|URI|KEY|SECRET|TOKEN|PASSWORD|AUTH_STRING|HOST)", node.value)
    }
    unknown = named - {*VALUES, *ADDRESSES, *OTHERS}
    assert not unknown


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("canaries") / "tiny"
    shutil.copytree(TINY, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "requests.csv").write_text("id,x\nr1,1.0\n")
    return root


def test_a_command_whose_servers_are_away_tells_no_credential(project: Path) -> None:
    """With the traceback too; nor is one in what it leaves on this disk."""
    command = [sys.executable, "-c", SCRIPT, *COMMANDS]
    done = subprocess.run(command, cwd=project, env=away(), capture_output=True, timeout=900, check=False)
    said = done.stdout + done.stderr
    assert said.count(b"--- code") == len(COMMANDS), said[-3_000:].decode()
    assert b"does not answer" in said
    assert canaries.found({"output": said, **canaries.contents(project)}) == {}
