"""A project deployed to a pool of containers, from a profile of Prefect Cloud, and a run as its worker would start it.

The server is a real one, behind what Cloud asks for: a key, and the workspace in the address. The run has nothing but
what the deployment says: it clones the commit, reads the block, and commits its verdict to PostgreSQL.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seatrial.ledger import Ledger
from tests.e2e.containers import of_project
from tests.e2e.containers.image import ContainersUnavailable, of_image
from tests.e2e.flows import planted
from tests.e2e.flows.team import FOLDER, PLANTED, Team, serving
from tests.support import canaries
from tests.support.waiting import until

pytestmark = pytest.mark.server
BLOCK = "seatrial-tiny-environment"
COMMANDS = {  # and how each ends
    "deploy --notify slack=SLACK_URL --receiver http://127.0.0.1:9": "0",
    "validate models:/planted/1": "0", "reconcile --since all": "0", "rerun models:/planted/2": "0", "sync": "0",
    "status": "0", "status --html status.html": "0", "history models:/planted/2": "0", "show": "0", "doctor": "0",
    "verify models:/planted/1": "0", "evidence models:/planted/1 --html evidence.html": "0",
}  # fmt: skip
wait = partial(until, seconds=300, every=0.1)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with serving(tmp_path_factory.mktemp("team")) as made:
        for name, kind in (("boxes", "docker"), ("desk", "process")):
            made.create_pool(name, kind)
        yield made


@pytest.fixture(scope="module")
def deployed(team: Team) -> tuple[str, dict[str, Any]]:
    """What ``deploy --pool`` printed, and the deployment that it made."""
    options = ["--image", "registry.example/tiny:1", "--job-variable", "mem_limit=4g"]
    done = team.run("deploy", "--pool", "boxes", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    [found] = team.api("POST", "/deployments/filter", json={})
    return done.stdout + done.stderr, found


def test_a_deployment_says_what_its_run_needs(team: Team, deployed: tuple[str, dict[str, Any]]) -> None:
    """Image, clone of the pushed commit, plain settings; of the rest, the name of the block."""
    said, found = deployed
    assert found["work_pool_name"] == "boxes"
    assert found["job_variables"] == {
        "image": "registry.example/tiny:1", "mem_limit": "4g",
        "env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "MLFLOW_TRACKING_URI": team.environ["MLFLOW_TRACKING_URI"]},
    }  # fmt: skip
    clone, go, load = (dict(step.popitem() for step in [dict(each)]) for each in found["pull_steps"])
    assert clone["prefect.deployments.steps.git_clone"] | {"id": ""} == {
        "repository": team.repository, "commit_sha": team.commit, "id": "",
    }  # fmt: skip
    assert go["prefect.deployments.steps.set_working_directory"]["directory"].endswith(f"/{FOLDER}")
    assert list(load.values()) == [{"block": BLOCK}]
    assert f"Kept in the block '{BLOCK}', of type secret: SEATRIAL_LEDGER_URL, SEATRIAL_SIGNING_KEY." in said
    assert "To start a worker of it: prefect worker start --pool boxes" in said
    assert not team.cloud.refused


def command_of(team: Team, deployment: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Create a run; return its id, and the environment that a worker gives to it."""
    run = str(team.api("POST", f"/deployments/{deployment['id']}/create_flow_run", json={})["id"])
    of_worker = {
        "PREFECT_API_URL": team.cloud.url,
        "PREFECT_API_KEY": PLANTED,
        "PREFECT_CLOUD_API_URL": team.cloud.root,
    }
    return run, {**of_worker, "PREFECT__FLOW_RUN_ID": run, **deployment["job_variables"]["env"]}


def passed(team: Team, run: str, log: str) -> None:
    """Assert that a run came to its verdict, signed with the team's key, in the team's ledger."""
    state = team.api("GET", f"/flow_runs/{run}")["state"]
    assert state["type"] == "COMPLETED", (state, log)
    with Ledger.open(team.ledger) as ledger:
        assert [v.outcome.value for v in ledger.verdicts("tiny")][-1] == "pass"
    tags = {tag["key"]: tag["value"] for tag in team.version("1")["tags"]}
    assert tags["seatrial.verdict"] == "pass"


@pytest.fixture(scope="module")
def ran(team: Team, deployed: tuple[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The log of a run that was started in an empty folder, with the worker's environment and nothing else."""
    run, environ = command_of(team, deployed[1])
    empty = tmp_path_factory.mktemp("empty")
    own = {k: v for k, v in team.plain.items() if k != "PYTHONPATH"} | {"HOME": str(empty)}
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "flow-run", "execute"],
        cwd=empty, env=own | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    passed(team, run, done.stdout + done.stderr)
    return done.stdout + done.stderr


def test_a_run_of_the_pool_comes_to_a_verdict(team: Team, ran: str) -> None:
    """It clones from the forge; its verdict can be verified with the key of the machine that deployed."""
    logged = json.dumps(team.api("POST", "/logs/filter", json={}))
    assert "Deployment step 'git_clone' completed successfully" in logged
    done = team.run("verify", "models:/tiny/1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_in_the_image_of_the_project_comes_to_a_verdict(team: Team, deployed: tuple[str, dict[str, Any]]) -> None:
    """As the worker of a docker pool starts it: Prefect's command, in a container with the worker's environment."""
    try:
        engine, image = of_project.built()
    except ContainersUnavailable as reason:
        pytest.skip(f"no image of a project here: {reason}")
    run, environ = command_of(team, deployed[1])
    given = [part for name, value in environ.items() for part in ("-e", f"{name}={value}")]
    with of_image(engine, image) as made:
        command = [*made.prefix(given), "prefect", "flow-run", "execute"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    passed(team, run, done.stdout + done.stderr)


def test_no_credential_is_where_people_look(team: Team, deployed: tuple[str, dict[str, Any]], ran: str) -> None:
    """Neither Cloud's key, nor the ledger's password, nor the key that signs."""
    key = Path(team.environ["SEATRIAL_SIGNING_KEY"]).read_text().splitlines()[1]
    everything = [deployed[0], ran]
    everything += [
        json.dumps(team.api("POST", f"/{kind}/filter", json={}))
        for kind in ("deployments", "flow_runs", "logs", "artifacts")
    ]
    everything.append(json.dumps(team.api("POST", "/events/filter", json={"limit": 50})))
    for secret in (PLANTED, team.password, key):
        assert not [text[:200] for text in everything if secret in text], secret
    block = team.api("GET", f"/block_types/slug/secret/block_documents/name/{BLOCK}", params={"include_secrets": True})
    assert team.password in json.dumps(block), "and they are where they are looked for"


def test_no_credential_is_told_where_every_server_answers(team: Team, tmp_path: Path) -> None:
    """Nor is one in what commands write: on this disk, in MLflow, Prefect, the ledger and the object store."""
    with planted.world(team, tmp_path / "planted") as world:
        said = world.run("-c", canaries.SCRIPT, *COMMANDS).decode()
        assert re.findall("--- code (.)", said) == list(COMMANDS.values()), said
        shown = world.shown()
        assert b"planted-when-due" in shown["deployments"]
        said += world.run("-m", "seatrial", "undeploy").decode()
        written = {**canaries.contents(world.root), **canaries.contents(team.folder), **world.objects}
        assert {"status.html", "server/prefect.db (rows)", f"checkout/{FOLDER}/.mlflow/mlflow.db (rows)"} <= {*written}
        told = {"output": said.encode(), "ledger": world.rows(), **shown, **written}
        assert canaries.found(told) == {}


def test_what_the_server_refuses_is_one_sentence(team: Team, tmp_path: Path) -> None:
    """A pool of another name, and a key that Cloud does not accept; the key is not repeated."""
    done = team.run("deploy", "--pool", "boxs", "--image", "x:1")
    assert "Did you mean 'boxes'? To create it: prefect work-pool create boxs --type docker" in done.stderr
    wrong = tmp_path / "profiles.toml"
    wrong.write_text(team.cloud.profile("pnu-another-key"))
    done = team.run("deploy", "--pool", "boxes", PREFECT_PROFILES_PATH=str(wrong))
    assert done.returncode == 2, done
    assert "does not accept the key it was given" in done.stderr
    assert "prefect cloud login" in done.stderr
    assert "pnu-" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_and_a_validation_use_the_profile_too(team: Team) -> None:
    """The run is on the server of the profile; the worker is one of its pool."""
    command = [sys.executable, "-m", "seatrial", "worker", "--pool", "desk"]
    with subprocess.Popen(command, cwd=team.root, env=team.environ, stdout=subprocess.DEVNULL) as worker:
        done = team.run("validate", "models:/tiny/1")
        assert done.returncode == 0, done.stdout + done.stderr
        there: Callable[[], Any] = lambda: team.api("POST", "/work_pools/desk/workers/filter", json={})  # noqa: E731
        assert wait(there)[0]["status"] == "ONLINE"
        worker.send_signal(signal.SIGINT)
    runs = team.api("POST", "/flow_runs/filter", json={})
    assert [run for run in runs if run["deployment_id"] is None and run["state_type"] == "COMPLETED"]


def test_undeploy_leaves_the_pool_and_no_credential(team: Team, deployed: tuple[str, dict[str, Any]]) -> None:
    """The pool is not the project's; the block is."""
    done = team.run("undeploy")
    assert f"block '{BLOCK}'" in done.stdout, done.stdout + done.stderr
    assert not team.api("POST", "/deployments/filter", json={})
    assert team.api("GET", "/work_pools/boxes")["type"] == "docker"
    assert BLOCK not in json.dumps(team.api("POST", "/block_documents/filter", json={}))
