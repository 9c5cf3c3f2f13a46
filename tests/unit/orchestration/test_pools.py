"""Job variables are those that the pool's base job template knows, and nothing is written that it does not take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from seatrial.errors import ProjectError, UsageError
from seatrial.orchestration.deployments import names, pools
from seatrial.orchestration.flow_files import packaged
from seatrial.project import Project
from tests.support.work_pools import pool

HERE = Path("project")
SHOP = replace(Project(HERE, HERE / "p.py", "p", HERE, HERE, HERE), name="shop")
CLONE = {"prefect.deployments.steps.git_clone": {"repository": "https://git.example/shop.git"}}
LOAD = {"seatrial.orchestration.deployments.pull_steps.load_environment": {"block": "seatrial-shop-environment"}}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("docker", ["image=x:1", "mem_limit=4g", 'volumes=["/srv:/srv:ro"]', "auto_remove=true", "env.A=1"]),
        ("kubernetes", ["image=x:1", "cpu_limit=2", "memory_limit=4Gi", "finished_job_ttl=60"]),
        ("ecs", ["image=x:1", "cpu=1024", "memory=4096"]),
        ("process", ['env={"A": "1"}', "working_dir=/srv"]),
    ],
)
def test_what_a_template_knows_is_taken(kind: str, words: list[str]) -> None:
    """Text stays text where the template wants text, and is JSON elsewhere."""
    found = pools.parse(words, pool(kind))
    pools.check(pool(kind), found)
    assert len(found) == len(words)


@pytest.mark.parametrize(
    ("kind", "word", "said"),
    [
        ("docker", "imag=x:1", "Job variable 'imag' is not known."),
        ("docker", "imag=x:1", "Did you mean 'image'?"),
        ("process", "image=x:1", "They are those of work pool 'theirs' (type process)."),
        ("docker", "auto_remove=maybe-secret", "'auto_remove': it must be of type boolean."),
        ("docker", "image_pull_policy=Sometimes", "it must be one of IfNotPresent, Always, IfPossible, Never."),
        ("kubernetes", "finished_job_ttl=soon", "'finished_job_ttl': it must be of type integer."),
        ("docker", 'env={"TOKEN": 5}', "'env.TOKEN': it must be of type string."),
    ],
)
def test_what_it_does_not_take_is_refused(kind: str, word: str, said: str) -> None:
    """With what it takes, and without the value."""
    there = pool(kind)
    with pytest.raises(ProjectError) as refused:
        pools.check(there, pools.parse([word], there))
    assert said in str(refused.value)
    assert "maybe-secret" not in str(refused.value)


def test_a_required_variable_without_a_value_is_refused() -> None:
    """Prefect itself would say so when the first run is due."""
    there = pool("docker")
    template = {**there.template, "variables": {**there.template["variables"], "required": ["auto_remove", "networks"]}}
    with pytest.raises(
        ProjectError, match=r"requires the job variable 'networks'\. Give it: --job-variable networks=…"
    ):
        pools.check(replace(there, template=template), {"image": "x:1"})


@pytest.mark.parametrize("word", ["image", "=x"])
def test_a_variable_is_written_with_a_value(word: str) -> None:
    """With what to write."""
    with pytest.raises(UsageError, match="write NAME=VALUE"):
        pools.parse([word], pool("docker"))


def test_only_a_process_pool_keeps_what_lies_beside_a_run() -> None:
    """Whatever else Prefect ships starts elsewhere."""
    assert pool("process").lasting
    assert not any(pool(kind).lasting for kind in ("docker", "kubernetes", "ecs", "cloud-run-v2", "vertex-ai"))


def test_deployments_go_to_the_pool_with_what_it_needs() -> None:
    """Those that name a pool of their own stay there."""
    declared = yaml.safe_load((packaged() / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))
    declared["deployments"].append({"name": "own", "work_pool": {"name": "gpu"}})
    *moved, own = names.deployments_of(SHOP, declared, "boxes", {"env": {"A": "1"}, "image": "x:1"}, [CLONE, LOAD])[
        "deployments"
    ]
    assert {each["work_pool"]["name"] for each in moved} == {"boxes"}
    assert moved[0]["work_pool"]["job_variables"]["env"] == {"A": "1", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    assert all(each["pull"] == [CLONE, LOAD] for each in moved)
    assert own == {"name": "shop-own", "tags": ["seatrial:shop"], "work_pool": {"name": "gpu"}}


def test_a_project_that_brings_its_code_itself_goes_on_to() -> None:
    """What follows the code is added."""
    theirs = {"prefect.deployments.steps.pull_with_block": {"block_document_name": "code"}}
    declared = {"pull": [theirs], "deployments": [{"name": "nightly", "work_pool": {"name": "seatrial"}}]}
    [found] = names.deployments_of(SHOP, declared, "boxes", {}, [CLONE, LOAD])["deployments"]
    assert found["pull"] == [theirs, LOAD]
