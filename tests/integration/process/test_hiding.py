"""What Prefect's own command prints holds no credential of its process; the rest is printed as it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from seatrial.orchestration.deployments import output
from seatrial.process import hiding
from tests.support import canaries
from tests.support.canaries import VALUES, address


def test_what_prefect_prints_holds_no_credential(tmp_path: Path) -> None:
    """Its own command that shows them, on both streams, with its exit code."""
    environ = {
        **os.environ, "PREFECT_HOME": str(tmp_path), "PREFECT_API_KEY": VALUES["PREFECT_API_KEY"],
        "PREFECT_API_URL": address("PREFECT_API_URL", "http", "127.0.0.1:9", "/api"), "COLUMNS": "400",
    }  # fmt: skip
    shows, fails = ["config", "view", "--show-secrets"], [VALUES["PREFECT_API_KEY"]]
    for words, code, said in ((shows, 0, b"PREFECT_API_KEY='***'"), (fails, 2, b'"***"')):
        command = [sys.executable, "-m", output.__name__, *words]
        done = subprocess.run(command, env=environ, capture_output=True, timeout=120, check=False)
        assert done.returncode == code, done
        assert said in done.stdout + done.stderr
        assert canaries.found({"stdout": done.stdout, "stderr": done.stderr}) == {}


def test_each_line_comes_at_once_and_whole() -> None:
    """Also what is no text, and what ends without a line break."""
    command = [sys.executable, "-m", hiding.__name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as filtering:
        assert filtering.stdin is not None
        assert filtering.stdout is not None
        filtering.stdin.write(b'["s3cret-7f"]\n\xff a s3cret-7f of http://ann:pw@h/x?t=1\n')
        filtering.stdin.flush()
        assert filtering.stdout.readline() == b"\xff a *** of http://h/x\n"
        filtering.stdin.write(b"the end")
        filtering.stdin.close()
        assert filtering.stdout.read() == b"the end"
    assert filtering.returncode == 0
