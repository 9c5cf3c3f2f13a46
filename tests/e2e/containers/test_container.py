"""A container as the environment that a command runs in: what the launcher of the worker stands on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import seatrial
from tests.e2e.containers.image import HERE, volumes
from tests.support.waiting import until

NAMESPACES = Path(seatrial.__file__).parent / "isolation" / "namespaces.py"
SECONDS = 60  # nothing here takes that long; what hangs must end
REPLIES = "import json, sys\nfor line in sys.stdin: print(json.dumps({'twice': 2 * json.loads(line)['n']}), flush=True)"
WRITES = """
import pathlib, sys
read_only, writable = map(pathlib.Path, sys.argv[1:])
print((read_only / "given").read_text())
(writable / "made").write_text("by the container")
(read_only / "made").write_text("x")
"""
WAITS = """
import fcntl, os, sys, threading
def end_with_the_holder():
    fcntl.flock(os.open(sys.argv[2], os.O_RDONLY), fcntl.LOCK_SH)
    os._exit(0)
threading.Thread(target=end_with_the_holder, daemon=True).start()
end.recv(1)
"""
CONNECTS = "import socket, sys\nend = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\nend.sendall(b'up')\n"


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        yield server


def accepted(server):
    end = server.accept()[0]
    end.settimeout(SECONDS)
    assert end.recv(2) == b"up"
    return end


def test_the_image_has_the_environment_that_its_file_states(old_container):
    """What runs there is the old environment, and not that of the tests."""
    stated = dict(line.split("==") for line in (HERE / "requirements.txt").read_text().split())
    code = f"from importlib.metadata import version; print(*[f'{{n}}=={{version(n)}}' for n in {list(stated)}])"
    output = subprocess.check_output([*old_container.prefix(), "python", "-c", code], text=True, timeout=SECONDS)
    assert dict(found.split("==") for found in output.split()) == stated
    assert stated["pandas"].startswith("2.1.")


def test_lines_go_both_ways_as_they_come(old_container):
    """Input and output are pipes: each reply comes before the next request is sent, and the end of one ends both."""
    command = [*old_container.prefix(), "python", "-c", REPLIES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for n in (1, 2, 300):
            process.stdin.write(json.dumps({"n": n}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"twice": 2 * n}
        process.stdin.close()
        assert process.wait(SECONDS) == 0


def test_folders_are_where_they_are_here_and_read_only_where_said(old_container, tmp_path):
    """Paths mean the same on both sides; the kernel refuses a write to a read-only folder, even to root."""
    given, shared = tmp_path / "given folder", tmp_path / "shared"
    given.mkdir()
    shared.mkdir()
    (given / "given").write_text("from the host")
    prefix = old_container.prefix(volumes([given], [shared]))
    done = subprocess.run(
        [*prefix, "python", "-c", WRITES, str(given), str(shared)],
        check=False, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert "from the host" in done.stdout
    assert "Read-only file system" in done.stderr
    assert done.returncode != 0
    assert (shared / "made").read_text() == "by the container"
    assert [path.name for path in given.iterdir()] == ["given"]


def test_nothing_else_of_the_host_is_there(old_container, tmp_path):
    """Neither the project nor its keys, but for what is named."""
    (tmp_path / "key").write_text("secret")
    command = [*old_container.prefix(), "cat", str(tmp_path / "key")]
    done = subprocess.run(command, check=False, capture_output=True, timeout=SECONDS)
    assert done.returncode != 0
    assert not done.stdout


def test_variables_are_those_that_are_passed(old_container):
    """The host's environment stays outside; what the command names comes in."""
    command = [*old_container.prefix(["-e", "GIVEN=a b"]), "python", "-c", "import os; print(dict(os.environ))"]
    output = subprocess.check_output(command, env=os.environ | {"HIDDEN": "1"}, text=True, timeout=SECONDS)
    assert "'GIVEN': 'a b'" in output
    assert "HIDDEN" not in output


def test_its_network_is_the_hosts(old_container, listening):
    """A service at 127.0.0.1 is reached from there, and one that starts there is reached from here."""
    port = str(listening.getsockname()[1])
    with subprocess.Popen([*old_container.prefix(), "python", "-c", CONNECTS, port]) as process:
        accepted(listening).close()
        assert process.wait(SECONDS) == 0


def test_two_run_at_once(old_container, listening):
    """One container serves the worker and the service."""
    code, port = CONNECTS + "end.recv(1)", str(listening.getsockname()[1])
    command = [*old_container.prefix(), "python", "-c", code, port]
    with subprocess.Popen(command) as first, subprocess.Popen(command) as second:
        ends = [accepted(listening), accepted(listening)]
        for end in ends:
            end.close()
        assert (first.wait(SECONDS), second.wait(SECONDS)) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_it_was_started_by(old_container, listening, number):
    """In its own namespaces nothing is left of it, however its starter ends. SIGKILL to the engine alone leaves it."""
    python = [sys.executable, "-I", "-S", str(NAMESPACES)]
    port = str(listening.getsockname()[1])
    engine, *rest = old_container.prefix()
    process = subprocess.Popen([*python, engine, *rest, "python", "-c", CONNECTS + "end.recv(1)", port])
    try:
        with accepted(listening) as end:
            process.send_signal(number)
            process.wait(SECONDS)
            assert end.recv(1) == b""
    finally:
        process.kill()
        process.wait()


def test_a_lock_in_a_shared_folder_tells_it_that_its_starter_is_gone(old_container, listening, tmp_path):
    """An engine's daemon may keep the input open; the kernel releases a lock, whatever container waits for it."""
    (tmp_path / "lock").touch()
    holder = subprocess.Popen(["flock", "--exclusive", str(tmp_path / "lock"), "sleep", "600"], start_new_session=True)
    process = None
    try:
        until(lambda: subprocess.run(["flock", "-n", tmp_path / "lock", "true"], check=False).returncode)
        prefix = old_container.prefix(volumes([tmp_path]))
        port = str(listening.getsockname()[1])
        process = subprocess.Popen([*prefix, "python", "-c", CONNECTS + WAITS, port, str(tmp_path / "lock")])
        with accepted(listening) as end:
            process.kill()
            process.wait()
            os.killpg(holder.pid, signal.SIGKILL)
            assert end.recv(1) == b""
    finally:
        for left in (holder, process):
            if left is not None:
                left.kill()
                left.wait()
