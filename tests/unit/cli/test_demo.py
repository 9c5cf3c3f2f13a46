"""The demo starts with empty state, so it never takes the directory of another project."""

from pathlib import Path

import pytest

from seatrial.cli.demo import demo
from seatrial.errors import UsageError


def test_the_demo_refuses_the_directory_of_another_project(tmp_path: Path) -> None:
    """Its ledger, keys and reports stay as they are."""
    (tmp_path / "pyproject.toml").write_text("[tool.seatrial]\n")
    ledger = tmp_path / ".seatrial" / "ledger.db"
    ledger.parent.mkdir()
    ledger.write_bytes(b"verdicts")
    with pytest.raises(UsageError, match="Name another directory: seatrial demo DIRECTORY"):
        demo(tmp_path)
    assert ledger.read_bytes() == b"verdicts"
