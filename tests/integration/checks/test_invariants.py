"""The invariants check with fresh processes: hash seeds, a model loaded again, processes that fail."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Severity, Trial, capture
from seatrial.checks.invariants import check, fresh
from seatrial.checks.invariants.seeds import HASH_SEEDS
from seatrial.events import Evaluated, Finding, NotEvaluated
from seatrial.io.loading import load_file


def requests(rows: int = 240, seed: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 1, rows)
    amount[rng.integers(0, rows, 5)] = np.nan
    return pd.DataFrame(
        {
            "id": [f"t-{i:05d}" for i in range(rows)],
            "amount": amount,
            "x": rng.normal(size=rows),
            "country": rng.choice(["DE", "FR", "NA", "PT"], rows, p=[0.5, 0.3, 0.19, 0.01]),
        }
    )


def broken(events: list) -> dict[str, str | None]:
    """Return cause to column of the findings that fail a version."""
    return {e.cause: e.column for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR}


# --- a fresh process -------------------------------------------------------------------------------------

FILE = """
import pandas as pd
from seatrial import Pipeline

TAGS = {"alpha", "beta", "gamma", "delta", "epsilon"}

def raw(frame):
    return frame

def features(frame):
    return frame.assign(first=FIRST)

def load(path):
    with open(path) as file:
        return float(file.read())

def prediction(frame, model):
    return frame[["id"]].assign(score=frame["x"] * model)

pipeline = Pipeline("p", key="id", model=load, raw=raw, features=features, prediction=prediction)
"""


def project(folder: Path, first: str) -> Pipeline:
    file = folder / "path_under_trial.py"
    file.write_text(textwrap.dedent(FILE).replace("FIRST", first), encoding="utf-8")
    pipeline: Pipeline = load_file(file).pipeline
    pipeline.source = (file, "pipeline")
    return pipeline


def trial_of(tmp_path: Path, first: str, model: str = "2.5") -> Trial:
    pipeline = project(tmp_path, first)
    (tmp_path / "model.txt").write_text(model, encoding="utf-8")
    reference = capture(pipeline, requests(40), model=str(tmp_path / "model.txt"))
    loaded = pipeline.model(str(tmp_path / "model.txt"))
    return Trial(pipeline, reference, model=loaded, model_path=str(tmp_path / "model.txt"))


def test_set_order_that_leaks_into_a_feature_shows_in_a_fresh_process(tmp_path: Path) -> None:
    trial = trial_of(tmp_path, '"-".join(TAGS)')
    events = list(check.check.run(trial, "features"))
    assert broken(events) == {"process-dependent": "first"}
    (finding,) = [e for e in events if isinstance(e, Finding)]
    assert finding.stage == "features"
    assert "PYTHONHASHSEED=" in finding.message
    assert finding.evidence["hash_seed"] > 0
    assert "set" in finding.advice


def test_a_hash_seed_gives_the_same_order_in_every_process_that_has_it(tmp_path: Path) -> None:
    trial = trial_of(tmp_path, '"-".join(TAGS)')

    def first(hash_seed):
        process = fresh.replay(trial, None, hash_seed)
        return process.frames["features"]["first"].iloc[0]

    order = first(1)
    assert first(1) == order
    assert first(2) != order


def test_sorted_tags_and_a_model_loaded_again_pass_and_each_process_is_started_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    real = fresh.replay

    def counted(trial, path, hash_seed, **options):
        started.append(hash_seed)
        return real(trial, path, hash_seed, **options)

    monkeypatch.setattr(fresh, "replay", counted)
    trial = trial_of(tmp_path, '"-".join(sorted(TAGS))')
    events = [e for stage in trial.pipeline.stages for e in check.check.run(trial, stage)]
    assert not [e for e in events if isinstance(e, Finding | NotEvaluated)]
    assert len(started) == len(set(started)) == HASH_SEEDS
    (evaluated,) = [e for e in events if isinstance(e, Evaluated) and e.stage == "features"]
    assert evaluated.compared == 40 * 5 * (1 + HASH_SEEDS)
    (evaluated,) = [e for e in events if isinstance(e, Evaluated) and e.stage == "prediction"]
    chain = 3 * 40 * (4 + 5 + 2)  # in parts, one by one, in another order
    assert evaluated.compared == 40 * 2 * (1 + 1) + chain, "the model is loaded again once"


def test_a_process_that_cannot_load_the_pipeline_is_not_evaluated(tmp_path: Path) -> None:
    trial = trial_of(tmp_path, "1")
    trial.pipeline.source[0].write_text("raise RuntimeError('secret text')", encoding="utf-8")
    (not_evaluated,) = [e for e in check.check.run(trial, "features") if isinstance(e, NotEvaluated)]
    assert "could not load the pipeline" in not_evaluated.reason
    assert "secret text" not in not_evaluated.reason


def test_a_stage_that_raises_only_in_a_fresh_process_is_a_finding(tmp_path: Path) -> None:
    trial = trial_of(tmp_path, "1")
    text = trial.pipeline.source[0].read_text(encoding="utf-8").replace("first=1", "first=1 / 0")
    trial.pipeline.source[0].write_text(text, encoding="utf-8")
    assert set(broken(list(check.check.run(trial, "features")))) == {"process-dependent"}


def test_a_process_that_exits_or_hangs_is_not_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = trial_of(tmp_path, "1")
    good = trial.pipeline.source[0].read_text(encoding="utf-8")
    trial.pipeline.source[0].write_text("import os; os._exit(3)", encoding="utf-8")
    (not_evaluated,) = [e for e in check.check.run(trial, "features") if isinstance(e, NotEvaluated)]
    assert "ended by itself, with code 3" in not_evaluated.reason
    trial.pipeline.source[0].write_text(good, encoding="utf-8")
    process = fresh.replay(trial, None, 1, seconds=0.01)
    assert "within 0.01 s" in process.failed
