"""A team's servers and the checkout of its project: Prefect behind the key of Cloud, MLflow, PostgreSQL, a forge."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from seatrial.orchestration.runner import SERVER
from seatrial.project import QUIET
from tests.e2e.trials import chaos
from tests.e2e.trials.postgres import postgres
from tests.support.ports import free_port
from tests.support.prefect_cloud import Cloud, cloud
from tests.support.waiting import until

PLANTED = "pnu-planted-key-of-cloud"
FOLDER = "services/tiny"  # of the project in its repository
FOREIGN = ("PREFECT_", "MLFLOW_", "_MLFLOW", "SEATRIAL_")
ONE = """
deployments:
  - name: by-hand
    entrypoint: seatrial.orchestration.entrypoints.validate
    parameters: {model_uri: "models:/tiny/1"}
    work_pool: {name: seatrial, job_variables: {env: {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: "30"}}}
"""
REGISTER = """
import sys
from seatrial.project import Project
from tests.e2e.trials import chaos
project = Project.find(sys.argv[1])
project.activate()
print(chaos.register(project))
"""


@dataclass
class Team:
    """A project's checkout, and the servers it uses.

    Attributes:
        folder: with the checkout, and all that the servers write.
        root: of the project, in its checkout.
        commit: that is checked out and pushed.
        repository: its address.
        cloud: what stands before the Prefect server.
        behind: the address of the Prefect server's API itself, which asks for nothing.
        plain: an environment without any of this.
        environ: of a terminal in which ``prefect cloud login`` was run.
    """

    folder: Path
    root: Path
    commit: str
    repository: str
    cloud: Cloud
    behind: str
    plain: dict[str, str]
    environ: dict[str, str]
    password = "planted-password-of-the-ledger"

    @property
    def ledger(self) -> str:
        return self.environ["SEATRIAL_LEDGER_URL"]

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "seatrial", *words]
        return subprocess.run(
            command, cwd=self.root, env=self.environ | environ, capture_output=True, text=True, check=False
        )

    def api(self, method: str, path: str, **options: Any) -> Any:
        answer = httpx.request(method, f"{self.behind}{path}", timeout=60, **options).raise_for_status()
        return answer.json() if answer.content else None

    def version(self, number: str) -> dict[str, Any]:
        page = f"{self.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/model-versions/get"
        answer = httpx.get(page, params={"name": "tiny", "version": number}, timeout=60).raise_for_status()
        return dict(answer.json()["model_version"])

    def create_pool(self, name: str, kind: str) -> None:
        """Create a work pool as ``prefect work-pool create`` does: with the template of its type."""
        known = self.api("GET", "/collections/views/aggregate-worker-metadata")
        [found] = [workers[kind] for workers in known.values() if kind in workers]
        template = found["default_base_job_configuration"]
        self.api("POST", "/work_pools/", json={"name": name, "type": kind, "base_job_template": template})


def git(where: Path, *words: str) -> str:
    named = ["-c", "user.name=Ann", "-c", "user.email=ann@team.example", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *named, "-C", where, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def forge(folder: Path) -> Iterator[str]:
    """Serve a bare repository ``team.git`` of a folder on this machine; yield its address."""
    (folder / "team.git").mkdir(parents=True)
    git(folder / "team.git", "init", "--quiet", "--bare")
    daemon = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-daemon"
    if not daemon.is_file():
        pytest.skip("git has no daemon here")
    port = free_port()
    serve = [daemon, "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={folder}"]
    with subprocess.Popen(serve, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"git://127.0.0.1:{port}/team.git"
        finally:
            process.terminate()


def _checked_out(folder: Path, bare: Path, address: str) -> tuple[Path, Any]:
    """Write the project, commit it and push it; return its root, and what the servers of MLflow are made from."""
    root = folder / FOLDER
    root.mkdir(parents=True)
    made = chaos.make(root)
    shutil.rmtree(root / "flows")
    (root / "deployments").mkdir()
    (root / "deployments" / "prefect.yaml").write_text(ONE)
    (root / ".gitignore").write_text(".seatrial\nreference\nweight.json\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "The service")
    git(folder, "push", "--quiet", str(bare), "HEAD:main")
    git(folder, "remote", "add", "origin", address)
    reached = ["git", "-C", folder, "fetch", "--quiet", "origin"]
    until(lambda: subprocess.run(reached, capture_output=True, check=False).returncode == 0, "the forge", every=0.1)
    return root, made


@contextmanager
def serving(folder: Path) -> Iterator[Team]:
    """Run everything for the length of a block; version 1 of ``tiny`` is registered."""
    key = folder / "verdict.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    key.chmod(0o600)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    plain |= {name: value for name, value in QUIET.items() if name not in plain}
    port = free_port()
    health = f"http://127.0.0.1:{port}/api/health"
    home = {"PREFECT_HOME": str(folder / "server")}
    prefect = chaos.Server([*SERVER, str(port)], plain | home, folder / "prefect.log", health)
    with forge(folder / "forge") as address, postgres() as database, cloud(PLANTED, port) as before:
        root, made = _checked_out(folder / "checkout", folder / "forge" / "team.git", address)
        models, mlflow = chaos.mlflow_server(made)
        try:
            prefect.start()
            mlflow.start().wait()
            prefect.wait()
            (folder / "profiles.toml").write_text(before.profile(PLANTED))
            environ = plain | {
                "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"), "PREFECT_HOME": str(folder / "prefect"),
                "MLFLOW_TRACKING_URI": models, "SEATRIAL_SIGNING_KEY": str(key),
                "SEATRIAL_LEDGER_URL": database.replace("seatrial@", f"seatrial:{Team.password}@"),
            }  # fmt: skip
            register = [sys.executable, "-c", REGISTER, root]
            done = subprocess.run(register, env=environ, cwd=chaos.ROOT, capture_output=True, text=True, check=False)
            assert done.stdout.strip() == "1", done.stderr
            commit = git(root, "rev-parse", "HEAD")
            yield Team(folder, root, commit, address, before, f"http://127.0.0.1:{port}/api", plain, environ)
        finally:
            prefect.kill()
            mlflow.kill()
