"""What Linux alone has is not needed, and Windows is refused in one sentence."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from seatrial.cli import main
from seatrial.process import guard


def test_a_guard_without_waitid_buries_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS lacks it below Python 3.13; no orphan comes to a process there."""
    monkeypatch.delattr(os, "waitid", raising=False)
    guard._reap(but=1)


def test_a_guard_without_proc_knows_no_descendants(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is ended, and no limit on memory or processes is taken for broken."""

    def nothing(path: object = ".") -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(guard, "os", SimpleNamespace(listdir=nothing, getpid=os.getpid))
    assert guard.descendants() == {}


def test_windows_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to type; nothing was imported that is not there."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as end:
        main(["validate", "models:/payments/1"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "run on Linux and macOS. On Windows, run them in WSL: wsl --install" in said
