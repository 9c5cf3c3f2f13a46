"""When earlier results are looked for and kept: what the command says, what the settings say, what the version is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from seatrial import Pipeline, Samples, Stage, capture
from seatrial.events import Case, Evaluated, Event, Finding, Severity
from seatrial.events.local import LocalEvidence, Raised
from seatrial.isolation.launch import Launch
from seatrial.orchestration.results import earlier as module
from seatrial.orchestration.results import kept
from seatrial.orchestration.results.asked import asked
from seatrial.orchestration.results.earlier import Earlier, varies
from seatrial.orchestration.results.inputs import Inputs
from seatrial.orchestration.results.plan import Plan
from seatrial.orchestration.results.store import Store
from seatrial.project import Project
from seatrial.registry import Fetched, Version

OPTIONS: dict[str, Any] = {"only": None, "skip": [], "live": [], "target": None, "seed": 0}
CASES = (Case("golden", "score"), Case("quality", "score"))
AROUND = Inputs({"project": "1"})


def raw(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def score(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(score=frame["x"] * 2.0)


def pipeline(**stage: Any) -> Pipeline:
    return Pipeline("shop", key="id", raw=raw, score=Stage(score, **stage))


def requests() -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0]})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (tmp_path / ".seatrial" / "keys").mkdir(parents=True)
    key = tmp_path / ".seatrial" / "keys" / "verdict.key"
    key.write_bytes(b"a key")
    key.chmod(0o600)
    monkeypatch.delenv("SEATRIAL_SIGNING_KEY", raising=False)
    monkeypatch.setattr(module, "launch_of", lambda _: Launch())
    monkeypatch.setattr(module, "taken", lambda *_: AROUND)
    return Project.find(tmp_path)


@pytest.fixture
def fetched(tmp_path: Path) -> Fetched:
    reference = capture(pipeline(), requests())
    return Fetched(Version("shop", "1", 5, "run", "m-1", registry="here"), tmp_path / "model", "sha256:1", reference)


def looked(project: Project, fetched: Fetched, **options: Any) -> Earlier:
    """Return what is found for a version with these options."""
    found = Earlier(project, SimpleNamespace())  # type: ignore[arg-type]
    with asked(True):
        found.look(fetched, OPTIONS | options)
    return found


def keep_all(project: Project, fetched: Fetched) -> None:
    """Keep a pass of every case, as a validation with the usual options does."""
    found = looked(project, fetched)
    place = found._place
    assert place is not None
    plan = Plan("shop", CASES, CASES, CASES[1:], ("raw", "score"), (), (), "", "", "{}\n")
    store = Store(project.state / "cache", b"a key")
    store.write(place.plan, plan.written())
    for case in CASES:
        assert kept.keep(store, found._entry(place, case, plan), [Evaluated(case.check, case.stage, compared=1)], "r")


def test_what_was_kept_is_found(project: Project, fetched: Fetched) -> None:
    """All of it, for the same version with the same options."""
    keep_all(project, fetched)
    found = looked(project, fetched)
    assert set(found.found) == set(CASES)
    assert found.whole(lambda _: False)
    assert found.answered() == {"golden", "quality"}


@pytest.mark.parametrize(
    "changed",
    [
        {"digest": "sha256:2"}, {"number": "2"}, {"name": "shop-eu"}, {"created": 6}, {"registry": "elsewhere"},
        {"seed": 1}, {"only": ["golden"]}, {"skip": ["quality"]}, {"live": ["store"]}, {"target": "http://127.0.0.1"},
        {"reference": 1}, {"around": 1}, {"key": 1},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_nothing_is_found_for_anything_else(
    project: Project, fetched: Fetched, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    """One part changed at a time."""
    keep_all(project, fetched)
    [(name, value)] = changed.items()
    if name == "digest":
        fetched = replace(fetched, digest=value)
    elif name == "reference":
        fetched = replace(fetched, reference=capture(pipeline(), requests().head(1)))
    elif name == "around":
        monkeypatch.setattr(module, "taken", lambda *_: Inputs({"project": "2"}))
    elif name == "key":
        (project.state / "keys" / "verdict.key").write_bytes(b"another")
    elif name not in OPTIONS:
        fetched = replace(fetched, version=replace(fetched.version, **changed))
    found = looked(project, fetched, **(changed if name in OPTIONS else {}))
    assert found.found == {}
    assert not found.whole(lambda _: False)


def test_what_compares_with_the_champion_counts_with_that_one_alone(
    project: Project, fetched: Fetched, tmp_path: Path
) -> None:
    """Another champion than at the look-up leaves the others."""
    keep_all(project, fetched)
    found = looked(project, fetched)
    (tmp_path / "champion").mkdir()
    (tmp_path / "champion" / "model.txt").write_text("weights")
    found.compared_with(tmp_path / "champion")
    assert set(found.found) == {CASES[0]}


@pytest.mark.parametrize(
    ("setting", "said", "reused"),
    [
        ("validate", None, False), ("always", None, True), ("never", None, False),
        ("validate", True, True), ("validate", False, False), ("never", True, True), ("always", False, False),
    ],
)  # fmt: skip
def test_a_schedule_uses_nothing_unless_the_settings_say_so(
    project: Project, fetched: Fetched, setting: str, said: bool | None, reused: bool
) -> None:
    """A command decides for itself; without one the settings do."""
    keep_all(project, fetched)
    found = Earlier(replace(project, cache=setting), SimpleNamespace())  # type: ignore[arg-type]
    if said is None:
        found.look(fetched, OPTIONS)
    else:
        with asked(said):
            found.look(fetched, OPTIONS)
    assert bool(found.found) is reused


@pytest.mark.parametrize("stage", [{"samples": Samples(5, at_least=0.9)}, {"calls": 10}], ids=["samples", "calls"])
def test_what_answers_differently_each_time_is_not_kept(stage: dict[str, Any]) -> None:
    """Its pass is no pass of the next run."""
    reference = capture(pipeline(), requests())
    assert not varies(pipeline(), reference)
    assert "'score'" in varies(pipeline(**stage), reference)
    reference.manifest["noise"]["score"] = {"columns": {"score": 0.1}}  # type: ignore[index]
    assert "'score'" in varies(pipeline(), reference)


def test_a_warning_with_values_behind_it_is_run_again() -> None:
    """Later runs would not have them; a remark is kept without."""
    local = LocalEvidence()
    local.keep(Raised("score", "ValueError in score", "Traceback"))
    end: Event = Evaluated("golden", "score", compared=1)
    for severity, expected in ((Severity.INFO, True), (Severity.WARNING, False)):
        finding = Finding("golden", "score", "ValueError in score.", severity=severity, cause="stage-broke")
        assert module._is_kept([finding, end], local) is expected
