"""A Prefect server that ends while a flow runs: one message that names it, whichever way Prefect tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from seatrial.errors import TargetError
from seatrial.orchestration import runner
from seatrial.project import Project

URL = "http://127.0.0.1:1/api"  # nothing listens there


class Failed:
    """A state whose flow raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def result(self, **_: Any) -> Exception:
        return self.error


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, error: Exception, *, raised: bool = True) -> None:
    """Run a flow that ends with this error: raised by Prefect, or by a step and held in the state."""

    def flow(**_: Any) -> Failed:
        if raised:
            raise error
        return Failed(error)

    monkeypatch.setenv("PREFECT_API_URL", URL)
    monkeypatch.setattr(runner, "load_flow", lambda *_: flow)
    project = Project(folder, folder / "pipeline.py", "pipeline", folder, folder, folder)
    runner.run_flow(project, "validate", {}, lambda: URL, ())


@pytest.mark.parametrize("raised", [True, False])
def test_a_server_that_ended_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, raised: bool) -> None:
    """With its address and the variable that gave it."""
    with pytest.raises(TargetError, match=f"{URL}, from PREFECT_API_URL"):
        run(monkeypatch, tmp_path, httpx.ConnectError("[Errno 111] Connection refused"), raised=raised)


def test_one_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Prefect says it before the flow begins."""
    with pytest.raises(TargetError, match="it stopped answering"):
        run(monkeypatch, tmp_path, RuntimeError(f"{runner.UNREACHED} at {URL}"))


def test_our_own_server_is_not_laid_on_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody set a variable: the log is named."""
    monkeypatch.setattr(runner, "_TEMPORARY", {URL})
    with pytest.raises(TargetError, match=r"prefect-server\.log"):
        run(monkeypatch, tmp_path, httpx.ConnectError("refused"))


@pytest.mark.parametrize("error", [RuntimeError("of a stage"), ValueError("of a step")])
def test_any_other_error_is_raised_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception) -> None:
    """Also one of the kind that Prefect raises."""
    with pytest.raises(type(error), match="of a st"):
        run(monkeypatch, tmp_path, error, raised=isinstance(error, RuntimeError))
