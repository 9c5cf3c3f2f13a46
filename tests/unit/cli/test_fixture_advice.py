"""The commands that ``seatrial fixtures`` advises name a version where the fixture needs one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.cli import fixtures
from seatrial.errors import FixtureError

MODEL = " --model models:/NAME/VERSION"
COLUMN = "[fixtures.a.columns.x]\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project without fixtures."""
    (tmp_path / "expectations").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    before = dict(os.environ)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    ("declared", "model"),
    [
        ('source = "copula"\nrows = 5', MODEL),
        ('source = "edges"', MODEL),
        (f'source = "fake"\nrows = 5\n{COLUMN}like = "y"', MODEL),
        (f'source = "fake"\nrows = 5\n{COLUMN}values = [1]', ""),
    ],
)
def test_what_is_not_generated_yet_is_told_how(declared: str, model: str, project: Path) -> None:
    """A fixture that imitates a reference needs ``--model``; one of declared values does not."""
    (project / "expectations" / "fixtures.toml").write_text(f"[fixtures.a]\n{declared}\n")
    lines: list[str] = []
    assert fixtures.show(project, None, lines.append) == 0
    assert len(lines) == 1
    assert lines[0].endswith(f"not generated yet. Generate it: seatrial fixtures make a{model}")
    with pytest.raises(FixtureError) as caught:
        fixtures.check(project, None, lines.append)
    assert str(caught.value).endswith(f"Generate it: seatrial fixtures make a{model}")


def test_a_check_without_its_version_is_told_how(project: Path) -> None:
    """The drift that comes of no reference names the command that has one."""
    (project / "expectations" / "fixtures.toml").write_text(
        f'[fixtures.a]\nsource = "fake"\nrows = 5\n{COLUMN}values = [1]\n'
    )
    lines: list[str] = []
    assert fixtures.make(project, None, lines.append) == 0
    (project / "expectations" / "fixtures.toml").write_text('[fixtures.a]\nsource = "copula"\nrows = 5\n')
    lines.clear()
    assert fixtures.check(project, None, lines.append) == 2
    assert lines[0].endswith(f"seatrial fixtures check a{MODEL}")
