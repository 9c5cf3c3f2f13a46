"""A guard finds all that its command started, and ends it over a limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seatrial.process import guard

NESTED = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
EATS = "import time; hoard = bytearray(200 * 2**20); time.sleep(60)"
STARTS = "import subprocess, time; [subprocess.Popen(['sleep', '60']) for _ in range(10)]; time.sleep(60)"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits are read from /proc")


@LINUX
@pytest.mark.parametrize(
    ("code", "limit", "word"),
    [(EATS, {"memory_bytes": 150 * 2**20}, "over memory"), (STARTS, {"processes": 5}, "over processes")],
)
def test_what_a_command_started_counts_too(tmp_path: Path, code: str, limit: dict[str, int], word: str) -> None:
    """The command itself takes next to nothing."""
    settings = {"log": str(tmp_path / "log"), "log_bytes": 1_000, "grace_seconds": 0, **limit}
    command = [sys.executable, "-I", "-S", guard.__file__, json.dumps(settings), sys.executable, "-c", NESTED, code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        lines = started.stdout.read().splitlines()
    assert lines[-1].startswith(word)


@LINUX
@pytest.mark.skipif(not guard._LISTS_CHILDREN, reason="this kernel lists no children")
def test_the_children_of_children_are_found_by_following_them() -> None:
    """As by a look at every process of the machine."""
    speaks = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", NESTED, speaks], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        followed, listed = guard.family(), guard.descendants()
        child.communicate()
    assert {child.pid, grandchild} <= followed.keys() & listed.keys()
    assert followed[grandchild] > 0
