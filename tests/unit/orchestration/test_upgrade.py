"""Own copies state their origin; ``seatrial upgrade`` shows the difference and renews what nobody edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial import __version__
from seatrial.orchestration import own_files
from seatrial.orchestration.own_files import outdated_flows, stamped, upgrade
from seatrial.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    return Project.find(tmp_path)


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose files can be changed, as a new release changes them."""
    root = tmp_path_factory.mktemp("package")
    (root / "flows").mkdir()
    (root / "deployments").mkdir()
    (root / "flows" / "validate.py").write_text("first = 1\nsecond = 2\n")
    (root / "flows" / "stress.py").write_text("stress = 1\n")
    (root / "deployments" / "prefect.yaml").write_text("name: seatrial\n")
    (root / "deployments" / "README.md").write_text("# Deployments\n")
    monkeypatch.setattr(own_files, "packaged", lambda: root)
    return root


def run(project: Project, **options: object) -> tuple[bool, list[str]]:
    lines: list[str] = []
    return upgrade(project.root, on_line=lines.append, **options), lines  # type: ignore[arg-type]


def copied(project: Project, package: Path) -> Path:
    """Copy the flows, then release another packaged validate flow; return the copy."""
    assert run(project, copy=["flows"])[0]
    own_files.__version__ = "9.9.9"
    (package / "flows" / "validate.py").write_text("first = 1\nsecond = 22\n")
    return project.flows / "validate.py"


@pytest.fixture(autouse=True)
def _version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_files, "__version__", __version__)


def test_a_project_without_copies_has_nothing_to_renew(project: Project, package: Path) -> None:
    """It says so, and writes nothing."""
    before = sorted(project.root.iterdir())
    assert run(project) == (
        True,
        [f"The project has no copies of its own; it uses the flows and deployments of seatrial {__version__}."],
    )
    assert sorted(project.root.iterdir()) == before
    assert outdated_flows(project) == ""


def test_a_copy_states_its_origin_and_is_current(project: Project, package: Path) -> None:
    """The first line has release and digest, the rest is the packaged text; pages of documentation are not copied."""
    current, lines = run(project, copy=["flows", "deployments"])
    assert current
    assert [line for line in lines if line.endswith(": copied.")] == [
        "flows/stress.py: copied.", "flows/validate.py: copied.", "deployments/prefect.yaml: copied.",
    ]  # fmt: skip
    header, _, text = (project.flows / "validate.py").read_text().partition("\n")
    assert header.startswith(f"# seatrial-flows: {__version__} sha256:")
    assert text == (package / "flows" / "validate.py").read_text()
    assert run(project) == (
        True, ["flows/stress.py: current.", "flows/validate.py: current.", "deployments/prefect.yaml: current."],
    )  # fmt: skip
    assert not (project.root / "deployments" / "README.md").exists()


def test_an_unedited_copy_is_renewed_and_the_difference_shown(project: Project, package: Path) -> None:
    """The unified diff leads from the project's text to the packaged one; afterwards the copy is current."""
    own = copied(project, package)
    warning = outdated_flows(project)
    assert warning.startswith(f"The project's own validate.py in flows/ came from another release ({__version__})")
    assert "\n" not in warning
    current, lines = run(project)
    assert current
    assert "-second = 2\n+second = 22" in "\n".join(lines)
    assert f"--- flows/validate.py (yours, from {__version__})" in "\n".join(lines)
    assert own.read_text() == stamped(package / "flows" / "validate.py", "flows")
    assert outdated_flows(project) == ""
    assert "flows/validate.py: current." in run(project)[1]


def test_an_edited_outdated_copy_is_left_unless_forced(project: Project, package: Path) -> None:
    """It is shown, named with what to type, and the command does not end with success; with force it is replaced."""
    own = copied(project, package)
    own.write_text(own.read_text() + "third = 3\n")
    edited = own.read_text()
    current, lines = run(project)
    assert not current
    assert "-third = 3" in "\n".join(lines)
    assert lines[-1].endswith("Left as it is; to replace it: seatrial upgrade --force")
    assert own.read_text() == edited
    assert run(project, force=True)[0]
    assert own.read_text() == stamped(package / "flows" / "validate.py", "flows")


def test_an_edited_copy_of_this_release_is_no_reason_to_act(project: Project, package: Path) -> None:
    """Its difference is shown, and it counts as current."""
    run(project, copy=["flows"])
    own = project.flows / "validate.py"
    own.write_text(own.read_text().replace("second = 2", "second = 3"))
    current, lines = run(project)
    assert current
    assert lines[-1] == "flows/validate.py: edited, and based on this release. Left as it is."
    assert outdated_flows(project) == ""


def test_a_flow_without_a_stated_origin_is_the_projects_own(project: Project, package: Path) -> None:
    """It is never called outdated in a validation; upgrade leaves it, and says that it states no release."""
    project.flows.mkdir()
    (project.flows / "validate.py").write_text("mine = True\n")
    assert outdated_flows(project) == ""
    current, lines = run(project, copy=["flows"])
    assert not current
    assert "does not state the release it is based on" in lines[-1]
    assert (project.flows / "validate.py").read_text() == "mine = True\n"


def test_this_repository_has_no_copies() -> None:
    """Its flows are the packaged ones."""
    assert own_files.own_files(Project.find(Path(__file__))) == []
