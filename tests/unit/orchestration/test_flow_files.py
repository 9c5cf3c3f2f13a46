"""A flow is the project's own where there is a file, else the packaged one; a name that is neither is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seatrial.errors import ProjectError
from seatrial.orchestration.flow_files import flow_file, flow_names, load_flow, packaged
from seatrial.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    return Project.find(tmp_path)


def test_an_own_file_takes_the_place_of_the_packaged_one(project: Project) -> None:
    """One own flow leaves the others packaged."""
    project.flows.mkdir()
    (project.flows / "validate.py").write_text("def validate():\n    return 'own'\n")
    assert load_flow(project, "validate")() == "own"
    assert flow_file(project, "stress") == packaged() / "flows" / "stress.py"


def test_a_flow_of_the_projects_own_has_any_name(project: Project) -> None:
    """What is not packaged can be run too."""
    project.flows.mkdir()
    (project.flows / "weekly.py").write_text("def weekly():\n    return 7\n")
    assert load_flow(project, "weekly")() == 7


def test_an_unknown_flow_is_reported_with_the_nearest(project: Project) -> None:
    """Name, what there is, the nearest match."""
    with pytest.raises(ProjectError, match=r"Flow 'validat' is not known\. Known: capture, .*Did you mean 'validate'"):
        flow_file(project, "validat")


def test_a_file_without_its_flow_is_reported(project: Project) -> None:
    """The file, the name it lacks, and what to add."""
    project.flows.mkdir()
    (project.flows / "validate.py").write_text("def validated():\n    return 1\n")
    with pytest.raises(ProjectError, match=r"validate\.py does not define the flow 'validate'\. Add a function"):
        load_flow(project, "validate")


def test_a_setting_that_names_no_folder_is_an_error(project: Project) -> None:
    """A misspelt folder never runs the packaged flows in place of the project's own."""
    (project.root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "p.py:p"\nflows = "flow"\n')
    with pytest.raises(ProjectError, match=r"flow, which is not a folder\. Remove the setting .* upgrade --copy flows"):
        flow_file(Project.find(project.root), "validate")


def test_deployments_name_flows_that_exist(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entrypoint is a packaged flow, found in a project that copied none; Python's own names are no flows."""
    from seatrial.orchestration import entrypoints

    monkeypatch.chdir(project.root)
    deployed = yaml.safe_load((packaged() / "deployments" / "prefect.yaml").read_text())["deployments"]
    for deployment in deployed:
        module, _, name = deployment["entrypoint"].rpartition(".")
        assert module == entrypoints.__name__
        flow = getattr(entrypoints, name)
        assert (flow.name, set(deployment.get("parameters", {})) <= set(flow.parameters.properties)) == (name, True)
    assert {deployment["entrypoint"].rpartition(".")[2] for deployment in deployed} == set(flow_names())
    assert not hasattr(entrypoints, "__wrapped__")
