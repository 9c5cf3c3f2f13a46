"""A reference in partitions is validated by Dask workers: the verdict is that of one process, whatever happens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from seatrial import Outcome, Reference, Trial, capture
from seatrial.checks.engine import plan, run_case, verdict_of
from seatrial.checks.golden.check import check as golden
from seatrial.errors import Interrupted, SeatrialError
from seatrial.io.loading import load_file
from seatrial.isolation.opening.project import open_replayer
from seatrial.orchestration.dask.trials import spread
from seatrial.policy.tool import ScaleSettings
from seatrial.process.dask.runner import DaskRunner, runner
from seatrial.project import Project
from tests.integration.reference.test_partitions_in_a_worker import PIPELINE, SKEW
from tests.support.dask_cluster import two_workers
from tests.support.doomed import Killing
from tests.support.waiting import until

RAISES = 'return frame[["id"]]', 'assert not (frame["id"] == "t-0321").any(); return frame[["id"]]'
ENDS = "def score(frame):", "def score(frame):\n    import os; os._exit(3)"
ROWS = 900


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a Dask cluster of two workers."""
    with two_workers() as address:
        yield address


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    root = tmp_path_factory.mktemp("parts")
    amounts = np.random.default_rng(1).normal(size=ROWS)
    requests = pd.DataFrame({"id": [f"t-{n:04d}" for n in range(ROWS)], "amount": amounts})
    requests.to_parquet(root / "requests.parquet")
    (root / "trained.py").write_text(PIPELINE)
    shop = load_file(root / "trained.py").shop
    return Reference.load(capture(shop, root / "requests.parquet", partitions=6).save(root / "reference"))


@contextlib.contextmanager
def trial(root: Path, reference: Reference, *change: str) -> Iterator[Trial]:
    """A version with one text of its pipeline changed, on trial in a worker process."""
    root.mkdir(exist_ok=True)
    (root / "pipeline.py").write_text(PIPELINE.replace(*change) if change else PIPELINE)
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:shop"\n')
    with open_replayer(Project.find(root)) as opened:
        pipeline = opened.pipeline()
        opened.load(reference, {})
        with Trial(pipeline, reference, replayer=opened) as made:
            yield made


def judged(made: Trial) -> tuple[Any, ...]:
    """The verdict by golden, and the comparison of every stage."""
    cases = plan([golden], made)
    events = [event for check, case in cases for event in run_case(check, made, case)]
    verdict = verdict_of(events, made, [case for _, case in cases])
    return verdict.outcome, verdict.findings, [compared(made, stage) for stage in made.pipeline.stages]


def compared(made: Trial, stage: str) -> Any:
    try:
        found = [made.compared(stage, replay) for replay in ("isolated", "chained")]
    except SeatrialError as error:
        return type(error), str(error)
    return [(each.parity, each.expected.to_dict(), each.actual.to_dict()) for each in found]


@pytest.mark.parametrize("change", [(), SKEW, RAISES], ids=["as in training", "skew", "raises"])
def test_the_verdict_is_that_of_one_process(
    scheduler: str, reference: Reference, tmp_path: Path, change: tuple[str, ...]
) -> None:
    told = []
    for cluster in (None, scheduler):
        with trial(tmp_path / "shop", reference, *change) as made:
            spread(made, ScaleSettings(cluster=cluster))
            told.append(judged(made))
    assert told[0] == told[1]
    assert (told[0][0] is Outcome.PASS) is (not change)


@pytest.mark.parametrize("change", [(), SKEW], ids=["as in training", "skew"])
def test_the_verdict_is_the_same_when_a_worker_is_killed(
    scheduler: str, reference: Reference, tmp_path: Path, change: tuple[str, ...]
) -> None:
    """A Dask worker, in the middle, and with it the process that runs the model there, which ends."""
    with trial(tmp_path / "here", reference, *change) as made:
        here = judged(made)
    with runner(scheduler) as two:
        until(lambda: len(two.client.nthreads()) == 2)
        killing = Killing(two, tmp_path, pieces=1)
        with trial(tmp_path / "here", reference, *change) as made:
            made.runner = lambda: contextlib.nullcontext(killing)
            assert judged(made) == here
        assert len(killing.lost) == 1
        assert killing.lost[0] not in two.client.run(os.getpid).values()


def test_a_model_that_ends_its_process_is_an_error(scheduler: str, reference: Reference, tmp_path: Path) -> None:
    """As in one process: never a pass, and the Dask workers stay."""
    with runner(scheduler) as two, trial(tmp_path / "shop", reference, *ENDS) as made:
        before = {*two.client.run(os.getpid).values()}
        made.runner = lambda: contextlib.nullcontext(two)
        assert judged(made)[0] is Outcome.ERROR
        assert {*two.client.run(os.getpid).values()} == before


def test_a_cluster_that_is_away_is_no_fault_of_the_version(reference: Reference, tmp_path: Path) -> None:
    """The cases tell nothing, and there is no verdict to sum up."""
    with trial(tmp_path / "shop", reference) as made:
        spread(made, ScaleSettings(cluster="tcp://127.0.0.1:1"))
        with pytest.raises(Interrupted, match="No Dask scheduler answers"):
            judged(made)
        assert "tcp://127.0.0.1:1" in made.away


def test_what_is_wrong_with_a_dask_worker_alone_is_no_fault_of_the_version(
    scheduler: str, reference: Reference, tmp_path: Path
) -> None:
    """The pipeline was opened here, and is not there."""
    with trial(tmp_path / "shop", reference) as made:
        (tmp_path / "shop" / "pipeline.py").unlink()
        spread(made, ScaleSettings(cluster=scheduler))
        with pytest.raises(Interrupted, match=r"cannot be started on .*There is no file"):
            judged(made)


def test_libraries_of_numbers_use_as_many_threads_as_here(scheduler: str, tmp_path: Path) -> None:
    """Dask tells its workers to use one, and sums of floats follow the threads."""
    text = PIPELINE.replace('frame["amount"] * frame["price"]', 'float(os.environ.get("OMP_NUM_THREADS", 0))')
    (tmp_path / "trained.py").write_text(f"import os\n{text}")
    pd.DataFrame({"id": [f"t-{n}" for n in range(60)], "amount": 1.0}).to_parquet(tmp_path / "r.parquet")
    parted = capture(load_file(tmp_path / "trained.py").shop, tmp_path / "r.parquet", partitions=2)
    with trial(tmp_path / "shop", parted, PIPELINE, f"import os\n{text}") as made:
        spread(made, ScaleSettings(cluster=scheduler))
        assert made.parity("score").ok


def running(two: DaskRunner) -> set[psutil.Process]:
    """The processes below the Dask workers."""
    return {child for pid in two.client.run(os.getpid).values() for child in psutil.Process(pid).children()}


def test_the_processes_of_a_worker_are_shared_and_end(scheduler: str, reference: Reference, tmp_path: Path) -> None:
    """One for each Dask worker, whatever the number of parts; none is left a while after the last."""
    with runner(scheduler) as two, trial(tmp_path / "shop", reference) as made:
        until(lambda: len(two.client.nthreads()) == 2)
        two.client.run(_soon)
        before = running(two)  # of other trials
        made.runner = lambda: contextlib.nullcontext(two)
        made.parity("score")
        own = running(two) - before
        assert 1 <= len(own) <= 2
        until(lambda: not running(two) & own)


def _soon() -> None:
    from seatrial.isolation.opening import elsewhere

    elsewhere.IDLE_SECONDS = 1.0
