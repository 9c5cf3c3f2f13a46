"""Runs of Weights & Biases, offline and online: logged by its package, read back in its own formats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from seatrial.errors import RegistryError, UsageError
from seatrial.events import Outcome
from seatrial.registry.capabilities import HandedOver
from seatrial.registry.wandb import process
from seatrial.registry.wandb.content import run_id_of
from seatrial.registry.wandb.tracker import WandbTracker
from seatrial.testing import LoggedRun, tracker_conforms
from tests.support import wandb_log, wandb_runs
from tests.support.waiting import until
from tests.support.wandb_runs import KEY, Found, check, payload
from tests.support.wandb_server import ORG_ENTITY, REGISTRY, TEAM, Backend, serving

pytestmark = pytest.mark.server
environment = wandb_runs.environment


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with serving() as backend:
        yield backend


@pytest.fixture(scope="module")
def state(environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with a pass, a fail and an inconclusive, logged offline and held to the protocol."""
    folder = tmp_path_factory.mktemp("offline")
    state = folder / "state"
    (state / "wandb" / f"offline-run-20260101_000000-{run_id_of('subject/fail/1')}").mkdir(parents=True)

    def read_back(run_id: str) -> LoggedRun:
        found = wandb_log.read(folder_of(state, run_id))
        return LoggedRun(found.summary["verdict"], found.summary, found.config, found.report[2])

    environment.setenv("WANDB_MODE", "offline")
    tracker_conforms(WandbTracker(state), read_back, folder)
    environment.delenv("WANDB_MODE")
    return state


def folder_of(state: Path, run_id: str) -> Path:
    """Return the one folder of a run: what an attempt left that died is gone."""
    (folder,) = (state / "wandb").glob(f"offline-run-*-{run_id}")
    return folder


def stored(backend: Backend, run_id: str, name: str, verdict: str) -> Found:
    """Return a run as the server has it."""
    run, artifacts = backend.runs[run_id], {}
    for kind in ("report", "reference"):
        collection = backend.collections[TEAM, run["project"], f"{name}-{kind}"]
        alias = run_id if kind == "report" else "latest"
        owner = backend.artifacts[collection.members[collection.aliases[alias]]]
        artifacts[kind] = (json.loads(owner.metadata), {*owner.aliases}, backend.files(owner.id))
    summary = json.loads(run["summary"])
    table = json.loads(backend.blobs[f"/file/{run_id}/{quote(summary['findings']['path'], safe='')}"])
    config = {k: v["value"] for k, v in json.loads(run["config"]).items()}
    linked = backend.collections[ORG_ENTITY, REGISTRY, "reports"]
    assert run_id in backend.artifacts[linked.members[linked.aliases[verdict]]].aliases, "the report is not linked"
    return Found(
        config, summary, run["tags"], run["notes"], run["groupName"], run["jobType"], run["exit_code"], table,
        artifacts["report"], artifacts["reference"],
    )  # fmt: skip


def test_offline_runs_hold_the_verdict_and_nothing_of_the_machine(state: Path) -> None:
    """A pass, a fail and an inconclusive, read in the package's record classes; the API key is in no file."""
    for outcome in ("pass", "fail", "inconclusive"):
        folder = folder_of(state, run_id_of(f"subject/{outcome}/1"))
        found = wandb_log.read(folder)
        assert found.config["seatrial_verdict"] == found.summary["verdict"] == outcome
        assert not {"environment", "stats", "output", "output_raw", "metric"} & wandb_log.kinds(folder)
    assert not [p for p in state.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]


def test_offline_runs_are_handed_over_with_their_links(
    state: Path,
    backend: Backend,
    environment: pytest.MonkeyPatch,
) -> None:
    """While the mode is offline or the server refuses, they wait; then the package's own reader uploads them."""
    tracker, ids = WandbTracker(state), {run_id_of(f"subject/{o}/1"): o for o in ("pass", "fail", "inconclusive")}
    environment.setenv("WANDB_MODE", "offline")
    waiting = tracker.sync().waiting
    assert len(waiting) == 3
    assert "WANDB_API_KEY" in waiting[0]
    environment.delenv("WANDB_MODE")
    environment.setenv("WANDB_BASE_URL", backend.url)
    backend.refused.add("CreateArtifact")  # the package marks these runs as uploaded
    waiting = tracker.sync().waiting
    assert len(waiting) == 3, waiting
    backend.refused.clear()
    handed_over = tracker.sync()
    assert (len(handed_over.done), handed_over.waiting) == (3, []), handed_over
    assert tracker.sync() == HandedOver()
    for run_id, outcome in ids.items():
        there, here = stored(backend, run_id, "conformance-sample", outcome), wandb_log.read(folder_of(state, run_id))
        assert (there.summary["verdict"], there.exit_code, there.tags) == (outcome, here.exit_code, here.tags)
        assert there.report[2] == here.report[2]
        assert there.notes == here.notes


def test_an_online_run_is_completed_once(
    backend: Backend,
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """An attempt that failed half-way leaves no run that looks complete; the next one completes it, a third is none."""
    environment.setenv("WANDB_BASE_URL", backend.url)
    body, artifacts = payload(Outcome.FAIL, tmp_path)
    tracker, run_id = WandbTracker(tmp_path / "state"), run_id_of("key-1")
    backend.refused.add("LinkArtifact")
    with pytest.raises(RegistryError, match="LinkArtifact is not permitted"):
        tracker.log_run(body, artifacts, "key-1")
    assert not json.loads(backend.runs[run_id]["summary"]).get("complete")
    assert backend.runs[run_id]["state"] == "failed"
    backend.refused.clear()
    assert tracker.log_run(body, artifacts, "key-1") == run_id
    check(stored(backend, run_id, "sample", "fail"), run_id, body, artifacts)
    asked = len(backend.calls)
    assert tracker.log_run(body, artifacts, "key-1") == run_id
    assert len(backend.calls) == asked
    assert backend.keys == {KEY}
    assert KEY.encode() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_what_takes_too_long_is_ended(
    backend: Backend,
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the package's service, and the judge goes on."""
    environment.setenv("WANDB_BASE_URL", backend.url)
    body, artifacts = payload(Outcome.PASS, tmp_path)
    backend.calls.clear()
    backend.answers.clear()
    try:
        for seconds in (3.0, 6.0, 12.0, 24.0, 48.0):  # until its service is running, however busy the machine
            monkeypatch.setattr(process, "SECONDS", seconds)
            with pytest.raises(RegistryError, match=f"more than {seconds:g} seconds"):
                WandbTracker(tmp_path / "state").log_run(body, artifacts, "key-2")
            if backend.calls:
                break
        assert backend.calls
    finally:
        backend.answers.set()
    until(lambda: not [p for p in psutil.process_iter(["cmdline", "environ"]) if _is_service(p, tmp_path)])


def _is_service(found: psutil.Process, folder: Path) -> bool:
    command, environ = found.info["cmdline"] or [""], found.info["environ"] or {}
    return command[0].endswith("wandb-core") and str(folder) in environ.get("WANDB_DIR", "")


def test_a_mode_that_logs_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict would be missing, and nobody would know."""
    body, artifacts = payload(Outcome.PASS, tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(UsageError, match="'disabled' is not known"):
        WandbTracker(tmp_path).log_run(body, artifacts, "key-1")


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence with the command."""
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'seatrial\[wandb\]'"):
        WandbTracker(tmp_path)
