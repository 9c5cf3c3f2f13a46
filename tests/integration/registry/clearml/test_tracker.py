"""What a verdict's task in ClearML says, read back by the package itself."""

from __future__ import annotations

import base64
import html
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import RegistryError
from seatrial.events import Outcome
from seatrial.registry import Fetched, Version
from seatrial.registry.clearml.tracker import ClearMLTracker
from seatrial.registry.runs import run_payload
from seatrial.testing import LoggedRun, registered, tracker_conforms
from seatrial.testing.samples import sample_reference, sample_verdict
from tests.integration.registry.clearml.conftest import Server, without_credentials

pytestmark = pytest.mark.server
STATUS = {Outcome.PASS: "completed", Outcome.FAIL: "failed", Outcome.INCONCLUSIVE: "stopped"}
HOSTILE = "<img src=x onerror=1> ../../up"


def run(outcome: Outcome, folder: Path, text: str = "") -> tuple[dict[str, Any], Path]:
    """Return a run's body and its files."""
    verdict = sample_verdict(outcome, text)
    version = Version("payments/fraud", "1", 1_700_000_000_000, "", "")
    (folder / "suites").mkdir(parents=True)
    (folder / "verdict.json").write_text(verdict.to_json(), encoding="utf-8")
    (folder / "report.html").write_bytes(b"<!doctype html>")
    (folder / "suites" / "größe~ä%41.json").write_bytes(b"gr")
    (folder / "suites" / "empty.json").write_bytes(b"")
    return run_payload(verdict, Fetched(version, folder, "sha256:" + "0" * 64, sample_reference())), folder


def logged(found: dict[str, Any]) -> LoggedRun:
    """Return a task, as the package reads it, in the words of the conformance suite."""
    parameters = {name.partition("/")[2]: value for name, value in found["parameters"].items()}
    verdict = found["parameters"]["verdict/verdict"]
    assert f"verdict: {verdict}" in found["tags"]
    assert found["status"] == STATUS[Outcome(verdict)]
    files = {name: base64.b64decode(content) for name, content in found["files"].items()}
    return LoggedRun(verdict, found["values"], parameters, files)


def test_it_is_registered() -> None:
    registered("trackers", "clearml", ClearMLTracker)


def test_a_pass_a_fail_and_an_inconclusive_are_read_back_by_the_package(server: Server, tmp_path: Path) -> None:
    tracker_conforms(
        ClearMLTracker(tmp_path / "state"), lambda run_id: logged(server.call("read", task_id=run_id)), tmp_path
    )


@pytest.mark.parametrize("outcome", STATUS)
def test_everything_is_written(server: Server, tmp_path: Path, outcome: Outcome) -> None:
    body, folder = run(outcome, tmp_path / "files", HOSTILE)
    body["metrics"]["not a number"] = math.nan
    key = f"whole-{outcome}"
    found = server.call("read", task_id=ClearMLTracker().log_run(body, folder, key))
    assert (found["project"], found["type"], found["status"]) == ("seatrial/payments/fraud", "testing", STATUS[outcome])
    assert sorted(found["tags"]) == [f"key: {key}", f"verdict: {outcome}", "version: payments/fraud/1"]
    assert found["comment"] == body["tags"]["mlflow.note.content"]
    assert "/" not in found["name"]
    stated = json.loads(found["configuration"])
    assert stated["tags"] == body["tags"]
    finite = {name: value for name, value in body["metrics"].items() if math.isfinite(value)}
    assert found["values"] == finite
    assert found["parameters"]["not_finite/not a number"] == "nan"
    assert set(found["files"]) == {"verdict.json", "report.html", "suites/empty.json", "suites/größe~ä%41.json"}

    cells = found["plots"]["findings"]["data"][0]["cells"]["values"]
    rows = list(zip(*cells, strict=True))
    assert len(rows) == (1 if outcome is Outcome.FAIL else 0)
    if rows:
        assert "<" not in "".join(rows[0])
        number, severity, check, stage, column, relation, cause, message = map(html.unescape, rows[0])
        assert (number, severity, check, stage, relation, cause) == (
            "1", "error", "golden", "features", "origin", "unit-factor"
        )  # fmt: skip
        assert column == HOSTILE
        assert message.endswith(HOSTILE)
    [heat] = found["plots"]["checks by stage"]["data"]
    state = {"pass": "passed", "fail": "failed (origin)", "inconclusive": "not evaluated"}[outcome.value]
    assert heat["text"] == [["not run", state, "not run"]]


def test_a_run_that_was_cut_short_is_completed_and_not_logged_twice(server: Server, tmp_path: Path) -> None:
    body, folder = run(Outcome.FAIL, tmp_path / "files")
    tracker = ClearMLTracker()
    server.down("tasks.failed")
    with pytest.raises(RegistryError, match=r"ClearML at http://127\.0\.0\.1:\d+ did not do it"):
        tracker.log_run(body, folder, "cut short")
    server.down()
    run_id = tracker.log_run(body, folder, "cut short")
    before = server.state()["tasks"][run_id]
    assert tracker.log_run(body, folder, "cut short") == run_id
    state = server.state()
    assert state["tasks"][run_id] == before  # a run that ended is left as it is
    [task] = [each for each in state["tasks"].values() if "key: cut short" in each["tags"]]
    assert (task["id"], task["status"]) == (run_id, "failed")
    names = [event["variant"] for event in state["events"] if event["task"] == run_id]
    assert len(names) == len(set(names)) == len(body["metrics"]) + 2


def test_a_part_of_a_validation_is_logged_each_time(server: Server, tmp_path: Path) -> None:
    body, folder = run(Outcome.PASS, tmp_path / "files")
    assert ClearMLTracker().log_run(body, folder) != ClearMLTracker().log_run(body, folder)


def test_offline_a_verdict_waits_in_an_archive_of_the_package(offline: None, tmp_path: Path) -> None:
    body, folder = run(Outcome.FAIL, tmp_path / "files", HOSTILE)
    state = tmp_path / "state"
    tracker = ClearMLTracker(state)
    run_id = tracker.log_run(body, folder, "subject/fail/1")
    assert tracker.log_run(body, folder, "subject/fail/1") == run_id
    assert [path.relative_to(state).as_posix() for path in state.rglob("*") if path.is_file()] == [
        "clearml/waiting/subject%2Ffail%2F1.zip"
    ]
    handed_over = tracker.sync()
    assert not handed_over.done
    [sentence] = handed_over.waiting
    assert "waits: ClearML is offline here" in sentence
    with zipfile.ZipFile(state / "clearml/waiting/subject%2Ffail%2F1.zip") as packed:
        task = json.loads(packed.read("task.json"))
        events = [each for line in packed.read("metrics.jsonl").splitlines() for each in json.loads(line)]
        assert all(".." not in Path(name).parts for name in packed.namelist())
    assert (task["id"], task["project_name"]) == (run_id, "seatrial/payments/fraud")
    assert "verdict: fail" in task["tags"]
    assert {name: item["value"] for name, item in task["hyperparams"]["parameters"].items()} == body["params"]
    assert {each["variant"]: each["value"] for each in events if each["type"] == "training_stats_scalar"} == body[
        "metrics"
    ]
    assert {each["metric"] for each in events if each["type"] == "plot"} == {"findings", "checks by stage"}


CUT_SHORT = {  # what the server refuses, and what is said then: the package itself only warns of the second one
    Outcome.PASS: ("tasks.edit", "did not do it"),
    Outcome.FAIL: ("events.add_batch", "ClearML did not take all of"),
    Outcome.INCONCLUSIVE: ("tasks.create", "did not do it"),
}


@pytest.mark.parametrize("outcome", STATUS)
def test_sync_imports_what_waits_once(server: Server, tmp_path: Path, outcome: Outcome) -> None:
    body, folder = run(outcome, tmp_path / "files")
    key = f"waited-{outcome}"
    state = tmp_path / "state"
    with without_credentials():
        ClearMLTracker(state).log_run(body, folder, key)
    [packed] = (state / "clearml/waiting").iterdir()
    content = packed.read_bytes()
    refused, reason = CUT_SHORT[outcome]
    server.down(refused)
    [said] = ClearMLTracker(state).sync().waiting
    assert said.startswith(f"{packed.name} waits: ClearML")
    assert reason in said
    server.down()
    handed_over = ClearMLTracker(state).sync()
    assert not handed_over.waiting
    assert not packed.exists()
    packed.write_bytes(content)
    assert ClearMLTracker(state).sync() == handed_over  # the same task: nothing was imported again
    assert not ClearMLTracker(state).sync().done
    [task] = [each for each in server.state()["tasks"].values() if f"key: {key}" in each["tags"]]
    assert task["id"] in handed_over.done[0]
    found = server.call("read", task_id=task["id"])
    assert logged(found).metrics == body["metrics"]
    assert set(found["files"]) == {"verdict.json", "report.html", "suites/empty.json", "suites/größe~ä%41.json"}
    assert set(found["plots"]) == {"findings", "checks by stage"}
    assert found["status"] == STATUS[outcome]
