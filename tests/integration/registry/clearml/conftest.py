"""One stand-in for ClearML's server, and one process with its package, for all tests of this folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from seatrial.registry.clearml import client
from tests.support.paths import ROOT


@dataclass
class Server:
    """The stand-in, and the package as others use it."""

    url: str
    package: subprocess.Popen[str]

    def state(self) -> dict[str, Any]:
        """Return what the server has."""
        with urllib.request.urlopen(f"{self.url}/state") as answer:
            return dict(json.load(answer))

    def down(self, *actions: str) -> None:
        """Have the server refuse these actions from now on, and no other."""
        request = urllib.request.Request(f"{self.url}/down", json.dumps(actions).encode())
        urllib.request.urlopen(request).close()

    def call(self, function: str, **arguments: Any) -> Any:
        """Return what the package gives, in a process of its own."""
        assert self.package.stdin is not None
        assert self.package.stdout is not None
        self.package.stdin.write(json.dumps({"call": function, **arguments}) + "\n")
        self.package.stdin.flush()
        answer = json.loads(self.package.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """Start both processes."""
    with contextlib.ExitStack() as running:
        server = running.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.clearml_server"],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        environment = {
            "CLEARML_API_HOST": url, "CLEARML_WEB_HOST": url, "CLEARML_FILES_HOST": url,
            "CLEARML_API_ACCESS_KEY": "key", "CLEARML_API_SECRET_KEY": "secret",
            "CLEARML_CACHE_DIR": str(tmp_path_factory.mktemp("cache")), "CLEARML_CONFIG_FILE": "none.conf",
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            package = running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.support.clearml_server.package"],
                    cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                )
            )  # fmt: skip
        yield Server(url, package), environment
        for process in (package, server):
            assert process.stdin is not None
            process.stdin.close()
    client.end()


@pytest.fixture
def server(stand_in: tuple[Server, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Point seatrial at the stand-in. What the server found wrong with a request fails the test."""
    found, environment = stand_in
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    before = len(found.state()["refused"])
    yield found
    found.down()
    assert "clearml" not in sys.modules  # which would have replaced functions of this process
    assert found.state()["refused"][before:] == []


@contextlib.contextmanager
def without_credentials() -> Iterator[None]:
    """Configure ClearML as it is where nobody set it up."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CLEARML_")]:
            patch.delenv(name)
        patch.setenv("CLEARML_CONFIG_FILE", "none.conf")
        yield


@pytest.fixture
def offline() -> Iterator[None]:
    """Have no credentials in a whole test."""
    with without_credentials():
        yield
