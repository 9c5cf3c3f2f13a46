"""``seatrial init --example`` writes an example, and no copy of what is part of seatrial."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.cli import scaffold
from seatrial.cli.scaffold import examples, init
from seatrial.errors import UsageError
from seatrial.orchestration.flow_files import flow_file, flow_names, packaged
from seatrial.project import Project


def test_a_new_project_uses_the_packaged_flows(tmp_path: Path) -> None:
    """It has an example, expectations and schemas for an editor; every flow comes from the package."""
    project = Project.find(init(tmp_path / "new", quiet=True))
    assert {path.name for path in project.root.iterdir()} == {
        "pyproject.toml", "README.md", ".gitignore", "docs", "expectations", "payments",
    }  # fmt: skip
    assert flow_names() == ("capture", "due", "promoted", "reconcile", "registered", "stress", "validate")
    for name in flow_names():
        assert flow_file(project, name) == packaged() / "flows" / f"{name}.py"


def test_an_example_that_is_a_project_is_copied_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a .gitignore where it has none, without what Python leaves, and with what to type next."""
    folder = tmp_path / "packaged" / "examples" / "text"
    (folder / "__pycache__").mkdir(parents=True)
    (tmp_path / "packaged" / "examples" / "plugins").mkdir()
    for name in ("train.py", "pyproject.toml", "README.md", "__pycache__/train.pyc"):
        (folder / name).write_text(name)
    monkeypatch.setattr(scaffold, "packaged", lambda: tmp_path / "packaged")
    assert examples() == ("text",)
    made = init(tmp_path / "mine", "text")
    assert {path.name for path in made.iterdir()} == {"train.py", "pyproject.toml", "README.md", ".gitignore"}
    printed = capsys.readouterr().out
    assert "python train.py" in printed
    assert "seatrial validate models:/text/1" in printed
    with pytest.raises(UsageError, match=r"Example 'txt' is not known. Known: text. Did you mean 'text'\?"):
        init(tmp_path / "other", "txt")
    assert not (tmp_path / "other").exists()


def test_the_payments_example_is_part_of_seatrial() -> None:
    assert "payments" in examples()
    assert "plugins" not in examples()
