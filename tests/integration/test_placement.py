"""What a run in a container is given, from a real checkout; and what is refused because it would be lost with it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial.errors import ProjectError, UsageError
from seatrial.orchestration.deployments import checkout, placement
from seatrial.orchestration.deployments.placement import Wanted, place
from seatrial.orchestration.deployments.pools import Pool
from seatrial.project import Project
from tests.support.work_pools import pool

IMAGE = Wanted("boxes", image="registry.example/shop:1")
LEDGER = "postgresql://ann:planted@db.example/ledger"


def git(where: Path, *words: str) -> str:
    named = ["-c", "user.name=Ann", "-c", "user.email=ann@team.example", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *named, "-C", where, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in a folder of a checkout whose commit is pushed, and servers that it names."""
    key = tmp_path / "keys" / "team.key"
    key.parent.mkdir()
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    key.chmod(0o600)
    for name in ("SEATRIAL_PUBLIC_KEY", "SHOP_STORE_URL", *placement.MLFLOW_SIGN_IN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEATRIAL_LEDGER_URL", LEDGER)
    monkeypatch.setenv("SEATRIAL_SIGNING_KEY", str(key))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    top = tmp_path / "checkout"
    root = top / "services" / "shop"
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "p.py:p"\nenvironment = ["SHOP_STORE_URL"]\n')
    git(tmp_path, "init", "--quiet", "--bare", "forge.git")
    git(top, "init", "--quiet")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "-m", "The shop")
    git(top, "remote", "add", "origin", str(tmp_path / "forge.git"))
    git(top, "push", "--quiet", "--set-upstream", "origin", "HEAD:main")
    git(top, "remote", "set-url", "origin", "https://ann:planted@git.example/team/shop.git")
    return Project.find(root)


def refused(project: Project, wanted: Wanted = IMAGE, there: Pool | None = None) -> str:
    with pytest.raises((ProjectError, UsageError)) as found:
        place(project, there or pool("docker", "boxes"), wanted)
    return str(found.value)


@pytest.mark.parametrize("kind", ["docker", "kubernetes", "ecs", "cloud-run-v2"])
def test_a_container_is_given_image_code_and_environment(
    kind: str, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain settings as job variables; what may hold credentials, and the keys, in the block."""
    monkeypatch.setenv("SHOP_STORE_URL", "redis://store.example/0")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "planted")
    found = place(shop, pool(kind), IMAGE)
    assert found.job_variables == {
        "image": "registry.example/shop:1", "env": {"MLFLOW_TRACKING_URI": "https://mlflow.example"},
    }  # fmt: skip
    assert set(found.variables) == {"SEATRIAL_LEDGER_URL", "MLFLOW_TRACKING_TOKEN", "SHOP_STORE_URL"}
    assert set(found.keys) == {"verdict.key", "verdict-1.pub"}
    clone, go, load = found.pull
    head = git(shop.root, "rev-parse", "HEAD")
    address = "https://git.example/team/shop.git"
    assert clone == {"prefect.deployments.steps.git_clone": {"id": "clone", "repository": address, "commit_sha": head}}
    assert go["prefect.deployments.steps.set_working_directory"] == {"directory": "{{ clone.directory }}/services/shop"}
    assert load[placement.STEP] == {"block": "seatrial-shop-environment"}
    assert "planted" not in repr(found)


def test_what_the_platform_gives_is_not_written(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that the pool's own template names, as one of Kubernetes may, are in no block of Prefect."""
    there = pool("kubernetes")
    given = [{"name": name, "valueFrom": {}} for name in ("SEATRIAL_LEDGER_URL", "SEATRIAL_SIGNING_KEY")]
    there = replace(there, template={**there.template, "job_configuration": {"env": given}})
    for name in ("SEATRIAL_LEDGER_URL", "SEATRIAL_SIGNING_KEY"):
        monkeypatch.delenv(name)
    found = place(shop, there, IMAGE)
    assert not found.variables
    assert not found.keys
    assert len(found.pull) == 2


def test_an_address_with_a_password_is_kept_in_the_block(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's, for example."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:planted@mlflow.example")
    found = place(shop, pool("docker"), IMAGE)
    assert "MLFLOW_TRACKING_URI" in found.variables
    assert "env" not in found.job_variables


def test_a_loopback_address_is_told_of(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the container has the network of this machine."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert "MLFLOW_TRACKING_URI is an address of this machine alone" in "\n".join(
        place(shop, pool("docker"), IMAGE).lines
    )
    host = replace(IMAGE, job_variables=["network_mode=host"])
    assert "alone" not in "\n".join(place(shop, pool("docker"), host).lines)


def test_what_would_be_lost_is_refused(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with what to type next."""
    assert "docker build -f deployments/Dockerfile -t REGISTRY/shop:1 ." in refused(shop, Wanted("boxes"))
    assert "--secret NOWHERE: the variable NOWHERE is not set" in refused(shop, replace(IMAGE, secrets=["NOWHERE"]))
    with monkeypatch.context() as here:
        here.setenv("SEATRIAL_LEDGER_URL", "sqlite:///ledger.db")
        assert "export SEATRIAL_LEDGER_URL=postgresql://" in refused(shop)
    with monkeypatch.context() as here:
        here.delenv("SEATRIAL_SIGNING_KEY")
        assert "openssl genpkey -algorithm ed25519" in refused(shop)
    with monkeypatch.context() as here:
        here.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        assert "export MLFLOW_TRACKING_URI=http://HOST:5000" in refused(shop)
    named = replace(IMAGE, secrets=["SHOP_STORE_URL"])
    assert "--secret and --git-credentials are for runs in containers" in refused(
        shop, replace(named, image=""), pool("process")
    )


def test_a_process_pool_needs_nothing(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs are where the project is."""
    monkeypatch.delenv("SEATRIAL_SIGNING_KEY")
    found = place(shop, pool("process"), Wanted("desk", job_variables=["env.OMP_NUM_THREADS=2"]))
    assert (dict(found.job_variables), list(found.pull)) == ({"env": {"OMP_NUM_THREADS": "2"}}, [])


def test_code_that_no_run_could_clone_is_refused(shop: Project, tmp_path: Path) -> None:
    """Changed, not pushed, or in a folder of this machine."""
    file = shop.root / "pyproject.toml"
    before = file.read_text()
    file.write_text(before + "\n")
    assert "Commit and push them first" in refused(shop)
    git(shop.root, "commit", "--quiet", "--all", "-m", "Changed")
    assert "Push it first: git push" in refused(shop)
    git(shop.root, "reset", "--quiet", "--hard", "HEAD~1")
    git(shop.root, "remote", "set-url", "origin", str(tmp_path / "forge.git"))
    assert "a folder of this machine, which no container reaches" in refused(shop)


@pytest.mark.parametrize("address", ["git@git.example:team/shop.git", "ssh://git@git.example/team/shop.git"])
def test_a_token_is_for_https(address: str, shop: Project) -> None:
    """An address of ssh stays as it is where no block of credentials is named."""
    git(shop.root, "remote", "set-url", "origin", address)
    plain, with_token = checkout.find(shop.root), checkout.find(shop.root, "secret/git")
    assert plain is not None
    assert plain.repository == address
    assert with_token is not None
    assert with_token.repository == "https://git.example/team/shop.git"


def test_without_a_repository_the_image_has_the_code(shop: Project, tmp_path: Path) -> None:
    """And a block for git is for nothing."""
    alone = Project.find(shop.root)
    git(shop.root, "remote", "remove", "origin")
    found = place(alone, pool("docker"), IMAGE)
    assert found.pull[0] == {"prefect.deployments.steps.set_working_directory": {"directory": "/project"}}
    assert "as it was built into the image" in found.lines[0]
