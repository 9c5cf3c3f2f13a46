"""What the ledger knows, shown and steered from the command line: status, history, rerun, cancel."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seatrial import registry
from seatrial.cli import main
from seatrial.errors import VersionNotFound
from seatrial.events import Outcome
from seatrial.ledger import Facts, Fenced, Ledger
from seatrial.policy.digest import policy_digest
from seatrial.project import Project
from seatrial.promotion.code import read_code
from seatrial.registry import Version

EFFECTS = [("log-run", {}), ("tags", {}), ("log-run:wandb", {})]

Ran = tuple[int, str, str]
Run = Callable[..., Ran]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose registry knows what its ledger knows."""
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (tmp_path / "pipeline.py").write_text("pipeline = None\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEATRIAL_LEDGER_URL", raising=False)
    before = dict(os.environ)

    def resolve(uri: str) -> Version:
        numbers = {version(n).uri: version(n) for n in range(1, 9)}
        if uri not in numbers:
            raise VersionNotFound(f"There is no {uri}.")
        return numbers[uri]

    monkeypatch.setattr(registry, "resolve", resolve)
    yield Project.find(tmp_path)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    """The project's ledger."""
    with Ledger.of(project.state) as opened:
        yield opened


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; its exit code, output and errors."""

    def ran(*words: str) -> Ran:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        printed = capsys.readouterr()
        return int(str(end.value.code or 0)), " ".join(printed.out.split()), printed.err

    return ran


def version(number: int) -> Version:
    """Return a version as the registry lists it."""
    return Version("payments", str(number), 1_700_000_000_000 + number, f"run-{number}", "")


def now_passing(project: Project) -> Facts:
    """Return a pass under the project's present code and policy."""
    policy, code = policy_digest(project.expectations), read_code(project).digest
    return Facts(Outcome.PASS, "pass: all good", "sha256:content", policy, code_digest=code)


def test_without_a_version_it_says_what_to_type(project: Project, run: Run) -> None:
    """Nothing was scanned yet."""
    assert project.root.is_dir()
    code, out, _ = run("status")
    assert code == 0
    assert "No version is known yet" in out
    assert "seatrial reconcile" in out


def test_every_state_of_a_version_is_told(project: Project, ledger: Ledger, run: Run) -> None:
    """Waiting, running, tried again, with a verdict, parked, out of date: none of them looks like another."""
    ledger.observe([version(n) for n in range(1, 6)])
    passed = ledger.claim("host:1", 600)
    assert passed is not None
    assert passed.number == "5"
    ledger.commit(passed, now_passing(project), EFFECTS)
    first = ledger.next_effect()
    assert first is not None
    ledger.park_effect(first, "RegistryError: the note is too long")
    failed = ledger.claim("host:1", 600)
    assert failed is not None
    ledger.commit(failed, Facts(Outcome.FAIL, "fail at stage 'x'", policy_digest="sha256:other"))
    again = ledger.claim("host:1", 600)
    assert again is not None
    ledger.release(again, "the registry is down", counted=False)
    running = ledger.claim("host:77", 600)
    assert running is not None
    code, out, _ = run("status", "--json")
    body = json.loads(out)
    assert code == 0
    assert body["counts"] == {
        "versions": 5, "open": 3, "waiting": 1, "parked": 2, "attention": 2, "progress": 2, "others": 0,
        "outcomes": {"pass": 1, "fail": 1, "none": 3},
    }  # fmt: skip
    assert [each["version"] for each in body["versions"]] == ["5", "3", "2", "1", "4"], "who needs a person comes first"
    by = {each["version"]: each for each in body["versions"]}
    assert [by[n]["state"] for n in "54321"] == ["done", "done", "paused", "running", "due"]
    assert [by[n]["stale"] for n in "54"] == [False, False], "the older one is not in use"
    assert {e["kind"]: e["state"] for e in by["5"]["waiting"]} == {
        "log-run": "parked", "tags": "parked", "log-run:wandb": "open",
    }  # fmt: skip
    _, out, _ = run("status")
    for words in (
        "payments/5", "pass", "is parked: RegistryError: the note is too long", "fail", "is tried again in",
        "the registry is down", "is validated by host:77", "waits for 'seatrial reconcile'", "3 to validate",
        "2 parked. To try those again: seatrial sync",
    ):  # fmt: skip
        assert words in out, words
    (project.root / "pipeline.py").write_text("pipeline = 1\n")
    assert json.loads(run("status", "--json")[1])["versions"][0]["stale"]
    assert "code or policy changed since" in run("status", "--most", "1")[1]


def test_history_has_every_verdict_and_what_it_changed(project: Project, ledger: Ledger, run: Run) -> None:
    """Of a version that was validated twice, the second of which waits."""
    ledger.observe([version(1)])
    job = ledger.claim("host:1")
    assert job is not None
    ledger.commit(job, now_passing(project), EFFECTS)
    log = ledger.next_effect()
    assert log is not None
    ledger.complete_effect(log, "run-7")
    assert run("rerun", "models:/payments/1")[0] == 0
    code, out, _ = run("history", "payments/1")
    assert code == 0
    for words in (
        "models:/payments/1, registered 2023-11-14 22:13:20 UTC", "validation 1: pass", "verdict 1", "pass: all good",
        "applied: log-run run-7", "'tags' waits", "validation 2: waits for 'seatrial reconcile'",
    ):  # fmt: skip
        assert words in out, words
    [told] = json.loads(run("history", "models:/payments/1", "--json")[1])
    assert [each["state"] for each in told["validations"]] == ["done", "due"]
    assert told["validations"][0]["effects"][0] == {"kind": "log-run", "state": "done", "result": "run-7"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("history payments", "'payments' is not a version. Write models:/NAME/VERSION"),
        ("history payment/1", "Did you mean 'payments/1'?"),
        ("cancel payments/9", "The ledger knows no version payments/9."),
        ("rerun models:/payments/9", "There is no models:/payments/9."),
    ],
)
def test_a_version_that_is_not_there_is_refused(words: str, said: str, ledger: Ledger, run: Run) -> None:
    """With the nearest one, and what to type."""
    ledger.observe([version(1)])
    code, _, err = run(*words.split())
    assert code == 2
    assert said in err


def test_who_is_cancelled_writes_nothing(ledger: Ledger, run: Run) -> None:
    """The one that runs is fenced; the version waits for nobody until somebody asks for it again."""
    ledger.observe([version(1)])
    job = ledger.claim("host:77", 600)
    assert job is not None
    code, out, _ = run("cancel", "payments/1")
    assert code == 0
    assert "host:77 will write nothing." in out
    with pytest.raises(Fenced):
        ledger.commit(job, Facts(Outcome.PASS, "pass"))
    assert not ledger.renew(job)
    assert ledger.observe([version(1)]) == 0
    assert ledger.claim("host:1") is None
    assert run("cancel", "payments/1")[0] == 1
    assert "closed without a verdict: cancelled by " in run("status")[1]
    assert "will be validated by the next" in run("rerun", "models:/payments/1")[1]
    claimed = ledger.claim("host:1")
    assert claimed is not None
    assert claimed.epoch == 1
    assert "is being validated" in run("rerun", "models:/payments/1")[1]
    ledger.release(claimed, "the registry is down", counted=False)
    assert ledger.claim("host:1") is None, "it waits"
    assert "will be validated by the next" in run("rerun", "models:/payments/1")[1]
    assert ledger.claim("host:1") is not None, "and does not wait any more"
