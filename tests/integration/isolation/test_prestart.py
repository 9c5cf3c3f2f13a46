"""What was started for a trial before anything else is taken by it, and what it does not take ends."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

from seatrial import capture
from seatrial.io.loading import load_file
from seatrial.isolation import prestart
from seatrial.isolation.opening.project import open_replayer
from seatrial.isolation.process import Process
from seatrial.project import Project

PIPELINE = """
import os
from seatrial import Pipeline

def seeded(frame):
    return frame[["id"]].assign(seed=os.environ.get("PYTHONHASHSEED", ""))

shop = Pipeline("shop", key="id", raw=lambda frame: frame, seeded=seeded)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:shop"\n')
    return Project.find(tmp_path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The processes that were started."""
    found: list[Process] = []

    def start(*arguments: object) -> Process:
        found.append(Process(*arguments))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(prestart, "Process", start)
    return found


def test_a_trial_takes_its_worker_and_its_fresh_processes(project: Project, started: list[Process]) -> None:
    """Each with its hash seed; another seed is another process."""
    requests = pd.DataFrame({"id": ["t-1", "t-2"], "amount": [8.0, 2.0]})
    reference = capture(load_file(project.pipeline_file).shop, requests)
    with prestart.prestarted(project, None, [7, 8]):
        assert len(started) == 3
        with open_replayer(project) as worker, worker.another(8) as fresh:
            assert [worker.process, fresh.process] == [started[0], started[2]]
            fresh.pipeline()
            fresh.load(reference, {})
            [[found]] = fresh.replay(["seeded"], [requests])
            assert isinstance(found, pd.DataFrame)
            assert set(found["seed"]) == {"8"}
            with worker.another(9) as other:
                assert other.process is started[3]
    assert all(process.wait(30) for process in started)


def test_what_is_not_needed_is_not_started(project: Project, started: list[Process]) -> None:
    with prestart.prestarted(project, lambda: True, [7]):
        pass
    assert not started


def test_nothing_begins_once_the_command_ends(project: Project, started: list[Process]) -> None:
    """As by Ctrl-C, while it is not yet known whether any will be needed."""
    ended = threading.Event()

    def interrupted() -> None:
        with prestart.prestarted(project, lambda: not ended.wait(30), [7]):
            threading.Timer(0.3, ended.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not started
    assert not prestart._prestarted
