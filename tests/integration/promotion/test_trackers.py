"""Several trackers at once: one verdict, the same in MLflow, Weights & Biases and ClearML, each by its own package."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.events import Outcome
from seatrial.ledger import Ledger
from seatrial.promotion import effects
from seatrial.registry.clearml import client as clearml
from seatrial.registry.mlflow.client import client
from tests.support import wandb_log
from tests.support.trust import Trusted, own_environment

BOTH = 'trackers = ["wandb", "clearml"]\n'


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusted]:
    """A project on MLflow whose verdicts go to two more trackers, neither of which has its server here."""
    with own_environment(WANDB_MODE="offline", CLEARML_OFFLINE_MODE="1"):
        made = Trusted(tmp_path_factory.mktemp("trackers") / "project")
        file = made.root / "pyproject.toml"
        file.write_text(file.read_text() + BOTH)
        yield made
        clearml.end()


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE])
def test_a_verdict_is_the_same_everywhere(trusted: Trusted, outcome: Outcome) -> None:
    """Verdict, parameters and report, read back in each package's own format."""
    uri = trusted.register("trusted")
    trusted.validate(uri, outcome)
    state, number = trusted.project.state, uri.rpartition("/")[2]
    with Ledger.of(state) as ledger:
        [version] = ledger.overview("trusted", number)
        [validation] = version.validations
    assert {e.kind: e.state for e in validation.effects if "log-run" in e.kind} == {
        "log-run": "done", "log-run:wandb": "done", "log-run:clearml": "done",
    }  # fmt: skip
    ids = {effect.kind: effect.result for effect in validation.effects}
    run = client().get_run(ids["log-run"])
    report = Path(client().download_artifacts(run.info.run_id, "report.html", str(trusted.root))).read_bytes()

    [folder] = (state / "wandb").glob(f"offline-run-*-{ids['log-run:wandb']}")
    found = wandb_log.read(folder)
    assert found.summary["verdict"] == run.data.tags["seatrial.verdict"] == outcome.value
    assert {name: found.config[name] for name in run.data.params} == run.data.params
    assert found.report[2]["report.html"] == report

    [packed] = (p for p in (state / "clearml" / "waiting").iterdir() if ids["log-run:clearml"] in tasks(p))
    assert f"verdict: {outcome.value}" in tasks(packed)[ids["log-run:clearml"]]["tags"]


def tasks(packed: Path) -> dict[str, dict[str, object]]:
    """Return the task of an archive by its id."""
    with zipfile.ZipFile(packed) as archive:
        task = json.loads(archive.read("task.json"))
    return {task["id"]: task}


def test_one_that_is_away_holds_up_nothing(trusted: Trusted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass is promoted; the run waits with its files, and 'seatrial sync' hands it over once it is taken."""
    uri = trusted.register("trusted")
    refuse(monkeypatch)
    trusted.validate(uri)
    state = trusted.project.state
    assert client().get_model_version_by_alias("trusted", "champion").version == int(uri.rpartition("/")[2])
    with Ledger.of(state) as ledger:
        waiting = {kind: reason for _, kind, reason in ledger.pending_effects()}
    assert list(waiting) == ["log-run:wandb"]
    assert "wandb is away" in waiting["log-run:wandb"]
    _, problems = effects.resume(trusted.project)
    assert any("wandb is away" in each for each in problems)
    monkeypatch.undo()
    before = set((state / "wandb").glob("offline-run-*"))
    effects.resume(trusted.project)
    with Ledger.of(state) as ledger:
        assert ledger.pending_effects() == []
    [folder] = set((state / "wandb").glob("offline-run-*")) - before
    assert wandb_log.read(folder).summary["verdict"] == "pass"


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Weights & Biases away."""
    from seatrial.registry.wandb import tracker

    def away(*_: object, **__: object) -> str:
        raise ConnectionRefusedError("wandb is away")

    monkeypatch.setattr(tracker.WandbTracker, "log_run", away)
