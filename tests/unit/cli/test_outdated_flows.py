"""A command that runs a flow says in one line that the project's own flows came from another release."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seatrial.cli import commands, main
from seatrial.cli.preflight import before as preflight
from seatrial.errors import UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a folder of flows; its commands stop where they would start a server."""

    @contextmanager
    def no_server(*_: object) -> Iterator[None]:
        raise UsageError("Here the server would start.")
        yield

    monkeypatch.setattr(commands, "prefect_server", no_server)
    for check in ("validation", "capture", "reconciliation"):  # there is no pipeline and no version
        monkeypatch.setattr(preflight, check, lambda *_: None)
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (tmp_path / "flows").mkdir()
    (tmp_path / "rows.csv").write_text("id,x\nr-1,1\n")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    "words", ["validate models:/m/1 --quiet", "stress models:/m/1", "capture models:/m/1 rows.csv", "reconcile"]
)
@pytest.mark.parametrize(
    ("header", "lines"),
    [
        (f"# seatrial-flows: 0.0.9 sha256:{'0' * 64}\n", 1),
        ("", 0),  # the project's own work, which states no release
    ],
)
def test_an_outdated_flow_is_one_line(
    words: str, header: str, lines: int, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names file, releases and command, and stops nothing."""
    (project / "flows" / "validate.py").write_text(f"{header}old = True\n")
    with pytest.raises(SystemExit):
        main([*words.split(), "--project", str(project)])
    printed = capsys.readouterr().err.splitlines()
    warnings = [line for line in printed if "validate.py" in line]
    assert len(warnings) == lines
    assert all("another release (0.0.9)" in line and line.endswith("seatrial upgrade") for line in warnings)
    assert printed[-1] == "seatrial: Here the server would start."
