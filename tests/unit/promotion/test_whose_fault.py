"""An error of the environment uses up no attempt and ends in no verdict; one of the version does both."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from seatrial import registry
from seatrial.errors import Interrupted, RegistryError
from seatrial.events import Outcome
from seatrial.ledger import ATTEMPTS, Facts, Job, Ledger, LedgerError
from seatrial.project import Project
from seatrial.promotion import effects, reconcile
from seatrial.registry import Version

VERSION = Version("payments", "1", 1, "run", "")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose registry answers everything but what the test takes away."""
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "p.py:p"\n')
    (tmp_path / "p.py").write_text("p = None\n")
    monkeypatch.setattr(registry, "present", lambda _: VERSION)
    monkeypatch.setattr(registry, "reachable", lambda _: True)
    monkeypatch.delenv("SEATRIAL_LEDGER_URL", raising=False)
    return Project.find(tmp_path)


def away() -> None:
    """Fail as the download of a model does whose object store is away; the registry itself answers."""
    try:
        raise botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9/bucket")
    except botocore.exceptions.BotoCoreError as error:
        raise RegistryError("models:/payments/1 could not be downloaded.") from error


def full() -> None:
    """Fail as a download onto a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def ledger_full() -> None:
    """Fail as the commit of a verdict does for which the ledger's disk has no space."""
    raise LedgerError("database or disk is full")


def crashed() -> None:
    """Fail as a flow run does whose server went away."""
    raise Interrupted("Prefect ran 1 of 2 cases.")


def broken() -> None:
    """Fail as a version does whose files are broken."""
    raise ValueError("the model is no model")


@pytest.mark.parametrize(
    ("fails", "ours"), [(away, False), (full, False), (ledger_full, False), (crashed, False), (broken, True)]
)
def test_only_an_error_of_the_version_uses_up_its_attempts(fails: Any, ours: bool, project: Project) -> None:
    """Three times as many failures as there are attempts, and then all is well again."""
    fine = False

    def run(job: Job) -> None:
        if not fine:
            fails()
        ledger.commit(job, Facts(Outcome.PASS, "pass"))

    with Ledger.of(project.state) as ledger:
        ledger.observe([VERSION])
        for tried in range(3 * ATTEMPTS):
            ledger.offset_seconds += 400  # longer than the longest pause
            fine = tried == 3 * ATTEMPTS - 1
            if (job := ledger.claim("host:1")) is not None:
                with contextlib.suppress(LedgerError):
                    reconcile.attempt(ledger, project, job, run)
        [verdict] = ledger.verdicts("payments")
    assert verdict.outcome is (Outcome.ERROR if ours else Outcome.PASS)


@pytest.mark.parametrize("reachable", [True, False])
def test_what_a_backend_refuses_is_parked_and_what_it_misses_is_not(
    reachable: bool, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty refusals, or fifty times an object store that is away: the effect is there afterwards, and is applied."""
    fine = False

    class Store:
        """Refuses or misses until all is fine."""

        def log_run(self, *_: Any) -> str:
            """Log a run, or not."""
            if fine:
                return "run-1"
            if reachable:
                raise RegistryError("the note is longer than 5000 characters")
            return away()  # type: ignore[func-returns-value]

    monkeypatch.setattr(registry, "run_store", lambda _: Store())
    monkeypatch.setattr(effects, "unpack", lambda *_: None)
    with Ledger.of(project.state) as ledger:
        ledger.observe([VERSION])
        job = ledger.claim("host:1")
        assert job is not None
        ledger.commit(job, Facts(Outcome.PASS, "pass"), [("log-run", {})], b"files")
        for _ in range(50):
            ledger.offset_seconds += 400
            effects.apply(ledger, project.state)
        [at] = ledger.standings()
        assert (at.open, at.waiting, at.parked) == (0, int(not reachable), int(reachable))
        assert ledger.archive(job.subject, 0) == b"files"
    fine = True
    assert effects.resume(project) == ([], [])
    with Ledger.of(project.state) as ledger:
        assert ledger.effects(job) == {"log-run": ("done", "run-1")}
