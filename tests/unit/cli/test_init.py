"""``seatrial init`` writes the example, and no copy of what is part of seatrial."""

from __future__ import annotations

from pathlib import Path

from seatrial.cli.scaffold import init
from seatrial.orchestration.flow_files import flow_file, flow_names, packaged
from seatrial.project import Project


def test_a_new_project_uses_the_packaged_flows(tmp_path: Path) -> None:
    """It has an example and expectations; every flow comes from the package."""
    project = Project.find(init(tmp_path / "new", quiet=True))
    assert {path.name for path in project.root.iterdir()} == {
        "pyproject.toml", "README.md", ".gitignore", "expectations", "payments",
    }  # fmt: skip
    assert flow_names() == ("capture", "promoted", "reconcile", "registered", "stress", "validate")
    for name in flow_names():
        assert flow_file(project, name) == packaged() / "flows" / f"{name}.py"
