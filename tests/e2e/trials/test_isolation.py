"""A model is code: whatever it does, the worker lives, nothing is left, the verdict gives the reason."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from seatrial import Outcome
from seatrial.events import Subject
from seatrial.isolation import process
from seatrial.orchestration.judge import judging
from seatrial.project import Project
from tests.e2e.trials.toy import HONEST, Toy
from tests.support.waiting import until

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "planted-1", "MLFLOW_TRACKING_PASSWORD": "planted-2", "PREFECT_API_KEY": "planted-3",
    "SEATRIAL_SIGNING_KEY": "planted-4", "SEATRIAL_LEDGER_URL": "postgresql://u:planted-5@db",
    "GITHUB_TOKEN": "planted-6",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """After each trial no process of it runs and its scratch directory is gone."""
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(process.tempfile, "tempdir", str(scratch))
    for name, value in {**SECRETS, "SHOP_URL": "http://shop"}.items():
        monkeypatch.setenv(name, value)
    yield
    assert not list(scratch.glob("seatrial-trial-*"))
    assert not [p for p in psutil.process_iter() if str(scratch) in _environment(p)]


def _environment(one: psutil.Process) -> str:
    try:
        return str(one.environ())
    except psutil.Error:
        return ""


def free(lock: Path) -> bool:
    """Whether nobody holds the file; who held it is gone."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


ATTACKS = {
    "raises": ("raise ValueError('4111 1111 1111 1111')", {}, r"^error: The model could not be loaded: ValueError in "),
    "leaves": ("import os; os._exit(0)", {}, r"ended by itself, with code 0"),
    "eats memory": (
        "hoard = []\nwhile True: hoard.append(b'x' * 2**25)", {"memory_mb": 700},
        r"held [\d,]+ MiB of memory, and memory_mb allows 700",
    ),
    "forks": (
        "import os\nwhile True: os.fork()", {"processes": 20},
        r"ran \d+ processes at a time, and processes allows 20",
    ),
    "kills its group": ("import os\nos.killpg(0, 9)", {}, r"was ended by signal 9 \(SIGKILL\)"),
    "writes what is not a reply": (
        """
        import os, time
        for fd in range(3, 1024):
            try: os.write(fd, b'rubbish\\n')
            except OSError: pass
        time.sleep(600)
        """, {}, r"sent what cannot be read: a line that is not JSON",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_model_does_when_loaded_ends_as_an_error(toy: Toy, attack: str) -> None:
    """The reason names what happened and which limit it was; it holds no value of a row."""
    code, limits, why = ATTACKS[attack]
    verdict = toy.validate(code, **limits)
    assert verdict.outcome is Outcome.ERROR
    assert re.search(why, verdict.summary), verdict.summary
    assert "4111" not in verdict.to_json()


def test_a_case_that_takes_too_long_is_not_evaluated(toy: Toy) -> None:
    """The case is ended in time, and those after it are not evaluated either."""
    slow = "import time\ndef predict(amount):\n    time.sleep(600)\n"
    verdict = toy.validate(slow, case_seconds=1)
    assert verdict.outcome is Outcome.ERROR
    assert "gave no answer within 1 s" in verdict.summary
    assert {u.reason for u in verdict.not_evaluated if u.stage} == {verdict.summary.removeprefix("error: ")}


def test_a_canary_finds_no_credential(toy: Toy, tmp_path: Path, kind: str) -> None:
    """Not in its environment nor its parent's, in its home, or in an open file; what it floods is kept to a limit.

    Where the kernel makes namespaces, it sees no other process whose environment it could read.
    """
    kept = (tmp_path / "secret").open("w+")
    kept.write("planted-7")
    kept.flush()
    os.set_inheritable(kept.fileno(), True)
    canary = f"""
        import json, os
        from pathlib import Path
        found = {{"environ": dict(os.environ), "home": os.listdir(Path.home()), "fds": []}}
        for fd in os.listdir("/proc/self/fd"):
            try: found["fds"].append(os.readlink(f"/proc/self/fd/{{fd}}"))
            except OSError: pass
        found["parent"] = Path(f"/proc/{{os.getppid()}}/environ").read_text()
        if {kind != "limits"}:
            found["others"] = [p.read_text() for p in Path("/proc").glob("[0-9]*/environ")]
        Path({str(tmp_path / "found.json")!r}).write_text(json.dumps(found))
        for _ in range(64): print("x" * 2**20)
        def predict(amount):
            return amount * 2
    """
    with kept:
        verdict = toy.validate(canary, log_mb=1)
    found = (tmp_path / "found.json").read_text()
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert "planted" not in found
    assert not [fd for fd in json.loads(found)["fds"] if fd.endswith("secret")]
    assert json.loads(found)["environ"]["SHOP_URL"] == "http://shop"
    assert json.loads(found)["home"] == []
    assert max(log.stat().st_size for log in (toy.root / ".seatrial" / "logs").iterdir()) < 1.1 * 2**20


def test_what_a_model_leaves_behind_ends_with_it(toy: Toy, tmp_path: Path, kind: str) -> None:
    """A daemon in a session of its own ends, whatever keeps it apart, also when it kills the guard where it can."""
    lock = tmp_path / "lock"
    daemon = f"""
        import fcntl, os, time
        read, write = os.pipe()
        if not os.fork():
            os.setsid()
            if not os.fork():
                file = open({str(lock)!r}, "a")
                fcntl.flock(file, fcntl.LOCK_EX)
                os.write(write, b"held")
                time.sleep(600)
            os._exit(0)
        os.read(read, 4)
        os.kill(os.getppid(), 9)
        if {kind == "limits"}: time.sleep(600)  # and the end of the guard ends it
        os._exit(3)
    """
    verdict = toy.validate(daemon)
    ending = "the guard it runs under was killed" if kind == "limits" else "ended by itself, with code 3"
    assert ending in verdict.summary
    assert free(lock)


def test_it_ends_with_a_judge_that_is_killed(toy: Toy, tmp_path: Path) -> None:
    """SIGKILL of the judge, which can clean nothing up, ends the worker too."""
    lock = tmp_path / "lock"
    toy.write(
        f"import fcntl, time\nfile = open({str(lock)!r}, 'a')\nfcntl.flock(file, fcntl.LOCK_EX)\ntime.sleep(600)\n"
    )
    judge = f"""
        from seatrial import Reference
        from seatrial.isolation import launch
        from seatrial.orchestration.judge import judging
        from seatrial.project import Project
        from pathlib import Path
        launch.strongest = lambda: "limits"
        with judging(Project.find({str(toy.root)!r})) as trial:
            trial.load(Path({str(toy.root / "model")!r}), Reference.load({str(toy.reference.root)!r}))
    """
    lock.touch()
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(judge)]) as started:
        until(lambda: not free(lock) or started.poll() is not None)
        assert not free(lock)
        started.kill()
    until(lambda: free(lock))
    for left in Path(process.tempfile.gettempdir()).glob("seatrial-trial-*"):
        shutil.rmtree(left)  # the one thing that only the judge could have removed


def test_a_verdict_is_of_the_policy_that_was_applied(toy: Toy) -> None:
    """One that changes while the version is judged does not lend its digest to the verdict."""
    toy.write(HONEST)
    changed = toy.root / "expectations" / "service.toml"
    with judging(Project.find(toy.root)) as judge:
        judge.load(toy.root / "model", toy.reference, only=("golden",))
        before = judge.policy.digest
        changed.write_text("[golden]\ntimeout_seconds = 3\n")
        try:
            found = judge.verdict([], judge.planned, subject=Subject("toy", "1"))
        finally:
            changed.unlink()
    assert found.policy_digest == before
