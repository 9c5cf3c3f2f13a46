"""Whatever a forked process is asked, it may take no longer than what is left of its time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from seatrial import Pipeline
from seatrial.errors import IsolationError
from seatrial.mutation import forks
from seatrial.mutation.forks import ForkedReplayer

PATH = Pipeline("shop", key="id", first=lambda f: f, second=lambda f: f)
REQUESTS: dict[str, Callable[[ForkedReplayer], Any]] = {
    "replay": lambda replayer: replayer.replay(["first"], [pd.DataFrame({"id": [1]})]),
    "ask": lambda replayer: replayer.ask("store", []),
    "environment": lambda replayer: replayer.environment(),
    "patch": lambda replayer: replayer.patch(Path("pipeline.py"), ""),
    "load": lambda replayer: replayer.request("load", object, 600.0, "loading the model"),
}


class Loops:
    """A connection to a process that never replies: each request takes all of the seconds that it is given."""

    def __init__(self, clock: list[float]) -> None:
        self.clock, self.given = clock, list[float]()

    def begin(self, request: str, **_: Any) -> int:
        return 1

    def reply(self, number: int, kind: object, seconds: float, what: str) -> Any:
        self.given.append(seconds)
        self.clock[0] += min(seconds, 3.0)
        raise IsolationError("It gave no answer.")


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_loop_ends_within_the_time_that_is_left(request_, tmp_path, monkeypatch):
    """The limit of a single request of the project, 600 s, is not what counts; all requests share one limit."""
    clock = [100.0]
    monkeypatch.setattr(forks, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    replayer = object.__new__(ForkedReplayer)
    rpc = Loops(clock)
    vars(replayer).update(
        _left=5.0, _root=tmp_path, parent=SimpleNamespace(broken=None), _rpc=rpc, _pipeline=PATH, case_seconds=600.0,
        load_seconds=600.0, _models=(), _files=iter(range(9)), source=(tmp_path / "pipeline.py", "pipeline"),
        process=SimpleNamespace(folders=SimpleNamespace(frames=tmp_path)),
    )  # fmt: skip
    for _ in range(3):
        with pytest.raises(IsolationError):
            REQUESTS[request_](replayer)
    assert rpc.given == [5.0, 2.0, 0.0]
