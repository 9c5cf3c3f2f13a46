"""Children of a mutation test: a patched pipeline, and what a child may break."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from seatrial.mutation.forks import run_each
from seatrial.mutation.patching import load_patched
from tests.support import shop as small_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return small_shop.make(tmp_path_factory.mktemp("shop"))


def test_a_changed_helper_is_what_the_pipeline_imports(shop):
    """The changed text of a neighbour takes effect in a process, and neither the disk nor the next process sees it."""
    source, helper = shop.pipeline.source, shop.folder / "prices.py"

    def rate(text, _):
        pipeline = load_patched(source, helper, text) if text else load_patched(source)
        return float(pipeline.stage("priced").function.__globals__["RATE"])

    changed = small_shop.PRICES.replace("1.5", "9.0")
    assert [e.value for _, e in run_each(rate, [changed, ""], seconds=60, jobs=1)] == [9.0, 1.5]
    assert helper.read_text() == small_shop.PRICES


# --- children --------------------------------------------------------------------------------------------


def test_what_a_child_breaks_it_breaks_for_itself():
    """An endless loop ends at the deadline, a crash and an exit are reported, and the others return."""
    here = Path.cwd()

    def work(task, report):
        report(f"at {task}")
        os.chdir("/")
        if task == "loop":
            while True:
                pass
        if task == "exit":
            os._exit(7)
        if task == "raise":
            raise ValueError("no")
        if task == "memory":
            return len(bytearray(64 * 2**30))
        return task.upper()

    tasks = ["loop", "exit", "raise", "memory", "fine"]
    ended = dict(run_each(work, tasks, seconds=5, jobs=5))
    assert {t: e.status for t, e in ended.items()} == {
        "loop": "timed out", "exit": "died", "raise": "raised", "memory": "raised", "fine": "returned"
    }  # fmt: skip
    assert ended["fine"].value == "FINE"
    assert ended["exit"].reason == "its process ended with code 7"
    assert ended["raise"].reason == "ValueError: no"
    assert ended["memory"].reason.startswith("MemoryError")
    assert ended["loop"].reason == "it did not end within 5 s"
    assert all(ended[t].progress == f"at {t}" for t in tasks)
    assert Path.cwd() == here


def test_children_end_with_their_caller(tmp_path):
    """A caller that stops iterating leaves no child behind."""

    def work(task, _):
        (tmp_path / str(task)).write_text(str(os.getpid()))
        time.sleep(60 * task)

    running = run_each(work, [0, 1, 1], seconds=100, jobs=3)
    next(running)
    pids = [int(f.read_text()) for f in tmp_path.iterdir() if f.read_text()]
    running.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
