"""A reference in partitions is replayed by the worker, a partition at a time, with the record of the dependencies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Reference, Trial, capture
from seatrial.checks.engine import plan, run_case, verdict_of
from seatrial.checks.golden.check import check as golden
from seatrial.io.loading import load_file
from seatrial.isolation.capture import capture_in
from seatrial.isolation.opening.project import open_replayer
from seatrial.orchestration.dask.trials import spread
from seatrial.policy.tool import ScaleSettings
from seatrial.project import Project

PIPELINE = """
from seatrial import Dependency, Pipeline

class Store:
    def prices(self, ids):
        return {i: int(i[2:]) / 7 for i in ids}

def raw(frame):
    return frame

def features(frame, store):
    return frame.assign(price=frame["id"].map(store.prices(list(frame["id"]))))

def score(frame):
    return frame[["id"]].assign(score=frame["amount"] * frame["price"])

store = Dependency("store", url="memory://", connect=lambda _: Store())
shop = Pipeline("shop", key="id", dependencies=[store], raw=raw, features=features, score=score)
"""
SKEW = 'frame["amount"] * frame["price"]', 'frame["amount"] * frame["price"] * (1 + (frame["id"] == "t-0321"))'


def project(root: Path, text: str) -> Project:
    root.mkdir()
    (root / "pipeline.py").write_text(text)
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:shop"\n')
    return Project.find(root)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    root = tmp_path_factory.mktemp("parts")
    amounts = np.random.default_rng(1).normal(size=900)
    requests = pd.DataFrame({"id": [f"t-{n:04d}" for n in range(900)], "amount": amounts})
    requests.to_parquet(root / "requests.parquet")
    (root / "trained.py").write_text(PIPELINE)
    shop = load_file(root / "trained.py").shop
    return Reference.load(capture(shop, root / "requests.parquet", partitions=3).save(root / "reference"))


@pytest.mark.parametrize(("text", "passes"), [(PIPELINE, True), (PIPELINE.replace(*SKEW), False)], ids=["as", "skew"])
def test_a_worker_replays_partitions(reference: Reference, tmp_path: Path, text: str, passes: bool) -> None:
    """What it gives is compared with all of them; the row of one partition that differs is named."""
    with open_replayer(project(tmp_path / "project", text)) as opened:
        pipeline = opened.pipeline()
        opened.load(reference, {})
        with Trial(pipeline, reference, replayer=opened) as trial:
            cases = plan([golden], trial)
            events = [event for check, case in cases for event in run_case(check, trial, case)]
            verdict = verdict_of(events, trial, [case for _, case in cases])
            assert trial.parity("features").rows_compared == 900
    assert (verdict.outcome is Outcome.PASS) is passes
    errors = [(f.stage, f.column, f.evidence["keys"]) for f in verdict.findings if f.evidence.get("mismatches")]
    assert errors == ([] if passes else [("score", "score", ["t-0321"])])


TRAINED = """
from seatrial import Pipeline
shop = Pipeline("shop", key="id", raw=lambda f: f, score=lambda f: f[["id"]].assign(score=1.0))
"""


def test_a_worker_captures_the_files_of_a_folder_in_partitions(tmp_path: Path) -> None:
    """As it is captured here; the copy of the files is gone afterwards."""
    (tmp_path / "requests" / "more").mkdir(parents=True)
    ids = [f"t-{n}" for n in range(260_000)]
    for number, file in enumerate(("a.parquet", "more/b.parquet")):
        part = pd.DataFrame({"id": ids[number::2], "amount": np.arange(130_000.0)})
        part.to_parquet(tmp_path / "requests" / file)
    with open_replayer(project(tmp_path / "project", TRAINED)) as opened:
        captured = capture_in(opened, tmp_path / "requests", model=tmp_path)
        assert not [*opened.process.folders.frames.iterdir()]
    (tmp_path / "trained.py").write_text(TRAINED)
    here = capture(load_file(tmp_path / "trained.py").shop, tmp_path / "requests")
    assert (captured.partitions, captured.manifest["requests"]) == (2, 260_000)
    assert captured.digest == here.digest


@contextmanager
def on_trial(root: Path, trained: str, served: str, *, partitions: int, rows: int = 60) -> Iterator[Trial]:
    """A version on trial in a worker, with a reference that another text of its pipeline gave."""
    (root / "trained.py").write_text(trained)
    requests = pd.DataFrame({"id": [f"t-{n}" for n in range(rows)], "amount": np.arange(float(rows))})
    requests.to_parquet(root / "r.parquet")
    parted = capture(load_file(root / "trained.py").shop, root / "r.parquet", partitions=partitions)
    with (
        open_replayer(project(root / "project", served)) as opened,
        Trial(opened.pipeline(), parted, replayer=opened) as trial,
    ):
        opened.load(parted, {})
        yield trial


NOTED = """
def noted(frame):
    frame.attrs["note"] = 1
    return frame
"""
HANDED = {  # what raw returns, and what score asks of it
    "an index": ('f.set_axis(f["amount"].to_numpy())', "f.index.dtype == float"),
    "a name of columns": ('f.rename_axis(columns="kind")', 'f.columns.name == "kind"'),
    "a flag": ("f.set_flags(allows_duplicate_labels=False)", "not f.flags.allows_duplicate_labels"),
    "an attribute": ("f.assign().pipe(noted)", '"note" in f.attrs'),
    "a class": ('type("Own", (type(f),), {})(f)', 'type(f).__name__ == "Own"'),
}


@pytest.mark.parametrize("what", HANDED)
def test_what_a_stage_hands_over_is_not_taken_for_what_was_recorded(tmp_path: Path, what: str) -> None:
    """It does not cross from the worker; the stage replay shows that the answer rests on it."""
    returned, asked = HANDED[what]
    text = NOTED + TRAINED.replace("raw=lambda f: f", f"raw=lambda f: {returned}").replace(
        "score=1.0", f"score=1.0 if {asked} else 2.0"
    )
    with on_trial(tmp_path, TRAINED, text, partitions=2, rows=3_000) as trial:
        assert trial.parity("score", "chained").ok
        assert not trial.parity("score").ok


ALONE = """
import time
from seatrial import Pipeline

NOW = {}

def score(frame):
    NOW["first"] = float(frame["amount"].iloc[0])
    time.sleep(0.05)
    return frame[["id"]].assign(score=frame["amount"] * NOW["first"])

shop = Pipeline("shop", key="id", raw=lambda f: f, score=score)
"""


def test_a_worker_runs_one_partition_at_a_time(tmp_path: Path) -> None:
    """Whatever is done beside it: a stage may keep something for the length of a call, and has all of the memory."""
    with on_trial(tmp_path, ALONE, ALONE, partitions=6) as trial:
        spread(trial, ScaleSettings())
        assert trial.parity("score").ok
