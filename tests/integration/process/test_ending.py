"""A process that ends without taking its modules apart: what Python does at its end is done all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WHOLE = """
import atexit, sys, threading
from concurrent.futures import ThreadPoolExecutor
from seatrial.process.ending import end_process

go = threading.Event()
atexit.register(lambda: print("registered"))
pool = ThreadPoolExecutor(1)
say = sys.stdout.write  # a print writes its end by itself: another thread's word may come between
pool.submit(lambda: (go.wait(), say("pooled\\n")))
threading.Thread(target=lambda: (go.wait(), say("thread\\n"))).start()
print("written", end=" ")
go.set()
end_process(3)
"""


def ended(program: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], text=True, timeout=60, check=False, **more)  # type: ignore[call-overload]


def test_threads_and_what_is_registered_run_and_output_is_written() -> None:
    found = ended(WHOLE, capture_output=True)
    assert found.returncode == 3, found.stderr
    assert sorted(found.stdout.split()) == ["pooled", "registered", "thread", "written"]


def test_a_profiler_gets_to_write_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(WHOLE)
    command = [sys.executable, "-m", "cProfile", str(tmp_path / "program.py")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "function calls" in found.stdout, found.stderr


def test_output_that_nobody_reads_any_more_is_no_success() -> None:
    program = "from seatrial.process.ending import end_process; print('x' * 9); end_process()"
    with open("/dev/full", "w") as full:
        assert ended(program, stdout=full, stderr=subprocess.DEVNULL).returncode == 1


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["verify", "nothing:/x/1"], 2)])
def test_a_command_ends_with_its_code(arguments: list[str], code: int) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "seatrial", *arguments], capture_output=True, timeout=120, check=False
    )
    assert found.returncode == code, found.stderr
