"""The command line, called in this process with its words and exit code caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from seatrial.cli.app import main


@dataclass(frozen=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def seatrial(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run ``seatrial`` with these words."""
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(w) for w in words])
        said = capsys.readouterr()
        return Ran(int(ended.value.code or 0), said.out, said.err)

    return command
