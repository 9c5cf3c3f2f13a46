"""ClearML's scheduler as a trigger: real events, a real receiver, and hints that it must not follow."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial.errors import UsageError
from seatrial.ledger import Ledger
from seatrial.promotion.triggers import clearml as trigger
from seatrial.registry.clearml.registry import ClearMLRegistry
from tests.integration.registry.clearml.conftest import Server
from tests.support.paths import ROOT, SUPPORT
from tests.support.ports import free_port
from tests.support.snippets import blocks
from tests.support.waiting import until

pytestmark = pytest.mark.server
SECRET = "a secret of both"


@dataclass
class Receiver:
    """The receiver of 'seatrial webhook', which notes what it would start."""

    url: str
    notes: Path

    def started(self) -> list[list[str]]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    port, notes = free_port(), tmp_path_factory.mktemp("receiver") / "notes.jsonl"
    command = [sys.executable, str(SUPPORT / "receiver.py"), str(port), SECRET, str(notes)]

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        return False

    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            until(listens)
            yield Receiver(f"http://127.0.0.1:{port}/mlflow", notes)
        finally:
            process.terminate()


@contextlib.contextmanager
def watching() -> Iterator[Server]:
    """Run the package in a process of its own, and end it with the one that it forks to report."""
    command = [sys.executable, "-m", "tests.support.clearml_server.package"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "SEATRIAL_WEBHOOK_SECRET": SECRET}, start_new_session=True,
    ) as package:  # fmt: skip
        try:
            yield Server("", package)
        finally:
            os.killpg(package.pid, signal.SIGKILL)


def register(server: Server, folder: Path, name: str, project: str = "watched") -> str:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "weights.txt").write_text("1.5", encoding="utf-8")
    made = server.call("register", project=project, name=name, folder=str(folder / "model"))
    return str(made["model"])


def settled(server: Server, receiver: Receiver, folder: Path) -> str:
    """Return the model of a last hint, once it was received."""
    model_id = register(server, folder, "settled")
    trigger.hint(receiver.url, SECRET.encode())(model_id)
    until(lambda: any(model_id in given[0] for given in receiver.started()))
    return model_id


def test_a_registered_model_is_one_event_and_gets_one_job(server: Server, receiver: Receiver, tmp_path: Path) -> None:
    """The script of the how-to, with the package's own scheduler."""
    register(server, tmp_path, "before")
    [script] = [block.text for block in blocks("docs/how-to/clearml.md") if block.language == "python"]
    for written, here in {"http://127.0.0.1:4300/mlflow": receiver.url, '"payments"': '"watched"'}.items():
        assert written in script
        script = script.replace(written, here)
    with watching() as scheduler:
        scheduler.call("watch", script=script)
        scheduler.call("poll")  # from now on
        elsewhere = register(server, tmp_path, "elsewhere", "not watched")
        model_id = register(server, tmp_path, "fraud")
        scheduler.call("poll")
        server.call("tag", model_id=model_id, tags=["candidate"])  # an event of its own, of the same version
        scheduler.call("poll")
        last = register(server, tmp_path, "last")
        scheduler.call("poll")
        until(lambda: {f"clearml-{model_id}", f"clearml-{last}"} <= {given[0] for given in receiver.started()})
    registry = ClearMLRegistry()
    version = registry.resolve(f"clearml:/{model_id}")
    given = [each for each in receiver.started() if model_id in each[0]]
    assert given == [[f"clearml-{model_id}", "watched/fraud", version.number]]
    assert not [each for each in receiver.started() if elsewhere in each[0]]

    trigger.hint(receiver.url, SECRET.encode())(model_id)  # as by a scheduler that was started again
    settled(server, receiver, tmp_path)
    assert [each for each in receiver.started() if model_id in each[0]] == given
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        assert ledger.observe(registry.changed_since(model="watched/fraud")) == 1
        assert ledger.observe(registry.changed_since(model="watched/fraud")) == 0


def test_a_hint_waits_for_the_file_of_a_model(
    server: Server, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package registers a model before its name and its file, and the scheduler reports it once."""
    made = server.call("register_at", name="Anonymous model", uri=f"{server.url}/uploading_file")["model"]

    def pause(_: float) -> None:
        assert not [each for each in receiver.started() if made in each[0]]
        server.call("upload", model_id=made, name="late", uri=f"{server.url}/model.zip")

    monkeypatch.setattr(trigger, "time", SimpleNamespace(sleep=pause, monotonic=time.monotonic, time=time.time))
    trigger.hint(receiver.url, SECRET.encode())(made)
    until(lambda: [each[1] for each in receiver.started() if made in each[0]] == ["late"])


def test_what_the_receiver_refuses_starts_nothing(
    server: Server,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(trigger, "PAUSE_SECONDS", 0.0)
    before = receiver.started()
    model_id = register(server, tmp_path, "forged")
    trigger.hint(receiver.url, b"the secret of somebody else")(model_id)
    assert "refused it with 401" in (said := capsys.readouterr().err)
    assert "somebody else" not in said
    for length, status in ((300, 400), (70_000, 413)):
        long = server.call("register_at", name="x" * length, uri="http://127.0.0.1:9/model")["model"]
        trigger.hint(receiver.url, SECRET.encode())(long)
        assert f"refused it with {status}" in capsys.readouterr().err
    trigger.hint(f"http://ann:hidden@127.0.0.1:{free_port()}/mlflow", SECRET.encode())(model_id)
    assert "does not answer (ConnectError). The next scheduled run finds its version." in (
        said := capsys.readouterr().err
    )
    assert "hidden" not in said
    trigger.hint(receiver.url, SECRET.encode())("0" * 32)  # deleted since: nothing to say
    trigger.hint(receiver.url, SECRET.encode())("../../etc/passwd")
    assert "is not the URI of a model version in ClearML" in capsys.readouterr().err
    last = settled(server, receiver, tmp_path)
    assert [each for each in receiver.started() if last not in each[0]] == before


@pytest.mark.parametrize("secret", ["", "short"])
def test_without_a_secret_no_trigger_is_added(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATRIAL_WEBHOOK_SECRET", secret)
    with pytest.raises(UsageError, match="set SEATRIAL_WEBHOOK_SECRET to the receiver's secret"):
        trigger.add_model_trigger(None, "http://127.0.0.1:4300/mlflow")
