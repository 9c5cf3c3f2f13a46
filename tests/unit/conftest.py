"""Unit tests start no process and open no listening socket: a test that does fails, whatever it asserts."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

import pytest
import urllib3.util.connection  # noqa: F401  tries once, when it is imported, whether IPv6 can be bound

FORBIDDEN = {
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn", "socket.bind",
    "subprocess.Popen",
}  # fmt: skip
_done: list[str] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in FORBIDDEN:
        _done.append(f"{event} {arguments[:2]!r}"[:300])


platform.processor()  # asks uname once in a process, whichever library wants it first
sys.addaudithook(_audit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count from the first fixture to the last finalizer of each test."""
    _done.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    """Fail the phase of a test in which a process was started or a socket bound."""
    report: pytest.TestReport = yield
    if _done and report.outcome != "skipped":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} is a unit test, and did: " + "; ".join(_done)
        _done.clear()
    return report
