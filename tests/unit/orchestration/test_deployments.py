"""What a project deploys carries its name, and its automations are about its own runs alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.errors import UsageError
from seatrial.orchestration.deployments import names, notify
from seatrial.orchestration.flow_files import packaged
from seatrial.project import Project

HERE = Path("project")


@pytest.fixture
def shop() -> Project:
    """A project of that name."""
    return replace(Project(HERE, HERE / "p.py", "p", HERE, HERE, HERE), name="shop")


def packaged_file(name: str) -> Any:
    """Return what a packaged deployment file declares."""
    return yaml.safe_load((packaged() / "deployments" / name).read_text(encoding="utf-8"))


def test_every_deployment_and_its_pool_carry_the_name(shop: Project) -> None:
    """The file itself says nothing of any project."""
    declared = packaged_file("prefect.yaml")
    found = names.deployments_of(shop, declared)["deployments"]
    assert [each["name"] for each in found] == [f"shop-{each['name']}" for each in declared["deployments"]]
    assert {each["work_pool"]["name"] for each in found} == {"seatrial-shop"}
    assert all("seatrial:shop" in each["tags"] for each in found)
    triggers = [trigger["name"] for each in found for trigger in each.get("triggers", ())]
    assert triggers == ["seatrial shop - a version was registered"]
    assert declared == packaged_file("prefect.yaml"), "what was read is not changed"


def test_a_pool_of_somebody_elses_is_kept(shop: Project) -> None:
    """A project that names its own pool deploys to it."""
    declared = {"deployments": [{"name": "nightly", "work_pool": {"name": "gpu"}}]}
    [found] = names.deployments_of(shop, declared)["deployments"]
    assert found["work_pool"] == {"name": "gpu"}


def test_automations_are_about_the_projects_own_runs(shop: Project) -> None:
    """Each of them, whichever flow ran: a stranger's flow may have the same name."""
    found = names.automations_of(shop, packaged_file("automations.yaml"))
    assert all(each["name"].startswith("seatrial shop - ") for each in found)
    for each in found:
        related = each["trigger"]["match_related"]
        first = related[0] if isinstance(related, list) else related
        assert first == {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.seatrial:shop"}


@pytest.mark.parametrize(
    ("table", "folder", "name"),
    [
        ('[project]\nname = "Shop_Ranker"\n', "x", "shop-ranker"),
        ("", "My Project", "my-project-dff9bd4a"),
        ("", "...", "project"),
    ],
)
def test_a_project_is_called_as_its_package_or_folder(table: str, folder: str, name: str, tmp_path: Path) -> None:
    """Unless its settings say otherwise; the name is fit for every server."""
    root = tmp_path / folder if folder != "..." else tmp_path / "___"
    root.mkdir()
    file = root / "pyproject.toml"
    file.write_text(f'{table}[tool.seatrial]\npipeline = "p.py:p"\n')
    assert Project.find(root).name == name
    file.write_text(f'{table}[tool.seatrial]\nname = "own"\npipeline = "p.py:p"\n')
    assert Project.find(root).name == "own"


def test_an_address_is_read_from_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands on no command line."""
    monkeypatch.setenv("HOOK", "http://127.0.0.1:9/secret")
    assert notify.wanted(["webhook=HOOK"]) == {"webhook": "http://127.0.0.1:9/secret"}
    assert notify.wanted([]) == {}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("slac=HOOK", "Did you mean 'slack'?"),
        ("slack", "no variable is named. Write --notify slack=VARIABLE"),
        ("slack=NOT_SET_ANYWHERE", "the variable NOT_SET_ANYWHERE is not set"),
    ],
)
def test_whom_nobody_can_tell_is_refused(word: str, said: str) -> None:
    """With what to write."""
    with pytest.raises(UsageError) as refused:
        notify.wanted([word])
    assert said in str(refused.value)
