"""Processes of a mutation test: a changed file is what they load, and what one breaks it breaks for itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

from seatrial.errors import SeatrialError, StageError
from seatrial.isolation.launch import Launch, launch_of
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.mutation.forks import ForkServer
from seatrial.mutation.mutants import CodeMutant
from seatrial.mutation.pool import Status, run_each
from seatrial.mutation.run import mutants_of
from seatrial.project import Project
from tests.support import small_shop

BREAKS = """
import os, signal, sys
from pathlib import Path
from seatrial import Pipeline

def work(frame):
    [task] = set(frame["task"])
    (Path(__file__).parent / f"{task}.pid").write_text(str(os.getpid()))
    if task in ("loop", "other loop"):
        while True:
            pass
    if task == "exit":
        os._exit(7)
    if task == "parent":
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    if task == "raise":
        raise ValueError("no")
    if task == "memory":
        bytearray(64 * 2**30)
    if task == "streams":
        print("x" * 100_000, flush=True)
        sys.stdin.read()
    os.chdir("/")
    return frame.assign(task=frame["task"].str.upper())

pipeline = Pipeline("breaks", key="id", first=lambda frame: frame, second=work)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return small_shop.make(tmp_path_factory.mktemp("shop"))


def served(source: tuple[Path, str], root: Path, launch: Launch | None = None) -> ForkServer:
    return ForkServer(lambda: RemoteReplayer(launch or Launch(), source), source, root=root)


@pytest.fixture(scope="module")
def breaks(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A server of a pipeline whose second stage does what its rows say."""
    from seatrial import Pipeline, capture

    root = tmp_path_factory.mktemp("breaks")
    (root / "pipeline.py").write_text(BREAKS)
    here = Pipeline("breaks", key="id", first=lambda f: f, second=lambda f: f.assign(task="fine"))
    with served((root / "pipeline.py", "pipeline"), root) as server:
        reference = capture(here, pd.DataFrame({"id": [1], "task": ["fine"]}))
        server.load(reference, {})
        yield SimpleNamespace(server=server, root=root, reference=reference)


def work(replayer, task, report):
    report(f"at {task}")
    [[result]] = replayer.replay(["second"], [pd.DataFrame({"id": [1], "task": [task]})])
    return str(result) if isinstance(result, StageError) else result["task"][0]


@pytest.mark.parametrize("isolated", [False, True], ids=["plain", "as the project says"])
def test_a_changed_helper_is_what_the_pipeline_imports(shop, isolated):
    """The changed text of a neighbour takes effect in one process, and neither the disk nor the next sees it."""
    project = Project.find(shop.root)
    launch = launch_of(project) if isolated else Launch()
    changed = small_shop.PRICES.replace("1.5", "9.0")
    given = shop.reference.input_of("priced")
    with served(shop.pipeline.source, shop.root, launch) as server:
        server.load(shop.reference, {})
        totals = []
        for text in ("", changed, ""):
            with server.fork(60) as replayer:
                if text:
                    replayer.patch(shop.folder / "prices.py", text)
                [[frame]] = replayer.replay(["priced"], [given])
                totals.append(frame["total"].iloc[1])
    assert totals == [337.5, 2025.0, 337.5]
    assert (shop.folder / "prices.py").read_text() == small_shop.PRICES


def test_what_a_process_breaks_it_breaks_for_itself(breaks):
    """An endless loop ends at the limit, an exit is told with its code, and the others return."""
    here = Path.cwd()
    tasks = ["loop", "exit", "raise", "memory", "streams", "fine"]
    ended = {tasks[n]: e for n, e in run_each(breaks.server.fork, work, tasks, seconds=5, jobs=6)}
    assert {t: e.status for t, e in ended.items()} == {
        "loop": "timed out", "exit": "died", "raise": "returned", "memory": "returned", "streams": "returned",
        "fine": "returned",
    }  # fmt: skip
    assert ended["fine"].value == "FINE"
    assert ended["exit"].reason == "The process that runs the model ended by itself, with code 7."
    assert ended["raise"].value.startswith("Stage 'second' raised ValueError")
    assert ended["memory"].value.startswith("Stage 'second' raised MemoryError")
    assert ended["loop"].reason == "it did not end within 5 s"
    assert all(ended[t].progress == f"at {t}" for t in tasks)
    assert Path.cwd() == here


def test_what_is_said_of_a_process_that_ended_is_no_result(breaks):
    """A check that goes on without its stages has seen nothing of the mutant."""

    def goes_on(replayer, task, report):
        with contextlib.suppress(SeatrialError):
            work(replayer, task, report)
        return "pass"

    ended = {n: (e.status, e.value) for n, e in run_each(breaks.server.fork, goes_on, ["exit", "fine"], seconds=60)}
    assert ended == {0: (Status.DIED, None), 1: (Status.RETURNED, "pass")}


def test_a_process_that_ends_what_it_was_forked_from_is_lost(breaks):
    """It says nothing of the mutant; the next one has a worker again."""
    tasks = ["parent", "fine"]
    ended = [e for _, e in run_each(breaks.server.fork, work, tasks, seconds=60, jobs=1)]
    assert [e.status for e in ended] == [Status.LOST, Status.RETURNED]
    assert "was ended by signal 9 (SIGKILL)" in ended[0].reason


def test_processes_end_with_their_server(breaks):
    """Whoever stops in the middle leaves none behind."""
    with served((breaks.root / "pipeline.py", "pipeline"), breaks.root) as server:
        server.load(breaks.reference, {})
        running = run_each(server.fork, work, ["fine", "other loop"], seconds=100, jobs=1)
        next(running)
        pid = breaks.root / "other loop.pid"
        while not (pid.is_file() and pid.read_text()):
            os.sched_yield()
        assert psutil.pid_exists(int(pid.read_text()))
        running.close()
    assert not psutil.pid_exists(int(pid.read_text()))


def test_a_mutant_that_does_not_load_says_why(shop):
    """And its process goes on."""
    with served(shop.pipeline.source, shop.root) as server:
        server.load(shop.reference, {})
        with server.fork(60) as replayer:
            with pytest.raises(Exception, match=r"NameError in <module> \(prices.py:1\)"):
                replayer.patch(shop.folder / "prices.py", "RATE = nothing\n")
            assert replayer.ended == ""


# --- code outside the pipeline's own folder --------------------------------------------------------------


FEATURES = "LIMIT = 40\n\n\ndef large(amounts):\n    return amounts > LIMIT\n"
SERVING = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

class Editable:
    '''What an editable install puts there.'''
    where = [str(Path(__file__).parents[1] / "installed")]
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return PathFinder.find_spec(name, cls.where) if name == "scaling" else None

sys.meta_path.append(Editable)
sys.path.append(str(Path(__file__).parents[1]))

from common import feats
import scaling
from seatrial import Pipeline

def flag(frame):
    return frame.assign(large=feats.large(scaling.scaled(frame["amount"])))

pipeline = Pipeline("shop", key="id", raw=lambda frame: frame, features=flag)
"""
CAPTURE = """
import sys
import pandas as pd
from pathlib import Path
from seatrial import capture
from seatrial.project import Project
pipeline = Project.find(sys.argv[1]).pipeline()
capture(pipeline, pd.DataFrame({"id": range(9), "amount": range(9)})).save(sys.argv[2])
"""


def test_code_that_stages_reach_elsewhere_in_the_project_is_mutated(tmp_path):
    """Modules of a package without a file of its own, and of an editable install, are found and loaded changed."""
    from seatrial import Reference

    for name, text in (
        ("pyproject.toml", '[tool.seatrial]\npipeline = "serving/pipeline.py:pipeline"\n'),
        ("serving/pipeline.py", SERVING), ("common/feats.py", FEATURES),
        ("installed/scaling.py", "def scaled(amounts):\n    return amounts * 10\n"),
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run([sys.executable, "-c", CAPTURE, tmp_path, tmp_path / "reference"], check=True)
    reference = Reference.load(tmp_path / "reference")
    with served((tmp_path / "serving" / "pipeline.py", "pipeline"), tmp_path) as server:
        server.load(reference, {})
        mutants = mutants_of(server.pipeline(), reference, ["code"], server=server)
        changed = {}
        for mutant in mutants:
            assert isinstance(mutant, CodeMutant)
            with server.fork(60) as replayer:
                mutant.apply(replayer, server.pipeline())
                [[result]] = replayer.replay(["features"], [reference.input_of("features")])
                different = isinstance(result, StageError) or not result.equals(reference.frame("features"))
                changed.setdefault(mutant.change.file.name, []).append(different)
    assert set(changed) == {"pipeline.py", "feats.py", "scaling.py"}
    assert all(map(any, changed.values()))


def test_no_code_of_the_project_runs_in_the_judge(tmp_path, monkeypatch):
    """Neither while its code is read and mutated, nor while its stages run."""
    from seatrial import Pipeline, capture

    ran = tmp_path / "ran"
    (tmp_path / "pipeline.py").write_text(
        "import os\nfrom pathlib import Path\nfrom seatrial import Pipeline\n"
        f"with Path({str(ran)!r}).open('a') as log:\n    log.write(f'{{os.getpid()}} ')\n"
        "def double(frame):\n    return frame.assign(amount=frame['amount'] * 2)\n"
        "pipeline = Pipeline('shop', key='id', raw=lambda frame: frame, double=double)\n"
    )
    here = Pipeline("shop", key="id", raw=lambda f: f, double=lambda f: f.assign(amount=f["amount"] * 2))
    reference = capture(here, pd.DataFrame({"id": [1, 2], "amount": [1, 2]}))
    from seatrial.mutation.run import run_mutation_test

    with served((tmp_path / "pipeline.py", "pipeline"), tmp_path) as server:
        report = run_mutation_test(server.pipeline(), reference, rows=0, server=server)
    assert {m.kind for m in report.mutants} == {"code", "frame"}
    pids = ran.read_text().split()
    assert len(pids) > 1
    assert str(os.getpid()) not in pids
