"""Load and parts on Dask workers through Prefect's task runner: in a task of a flow, and in the stress flow."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import ks_2samp

from seatrial import Outcome, SeatrialError
from seatrial.cli.commands import validate
from seatrial.io.loading import load_file
from seatrial.loadgen.client import offer
from seatrial.loadgen.estimates import quantile
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.schedule import constant, poisson
from seatrial.loadgen.workers import cluster as dask
from seatrial.loadgen.workers import offer_by
from seatrial.orchestration.dask import partitions
from seatrial.orchestration.dask.load import connected
from seatrial.orchestration.results.asked import asked
from seatrial.parity.streaming import compare_datasets, dataset
from seatrial.pipeline.access import Access
from seatrial.project import Project
from seatrial.registry.mlflow.client import client
from tests.support.dask_cluster import two_workers
from tests.support.doomed import Killing
from tests.support.paths import SUPPORT

pytestmark = pytest.mark.server
SECRET = "s3cret-7f-of-the-load"
TASK = "send a share of the load"
SCHEDULE = poisson(constant(300, 3), 5)
DELAYS = np.random.default_rng(5).integers(30, 60, len(SCHEDULE)) / 1000
PAYLOADS = [b"d%.3f" % each for each in DELAYS]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a Dask cluster of two workers."""
    with two_workers() as address:
        yield address


@pytest.fixture(autouse=True)
def _however_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason to void a test."""
    monkeypatch.setattr(dask, "MAX_APART_SECONDS", 5.0)
    monkeypatch.setattr(dask, "HEAD_START", 2.0)


@pytest.fixture
def stub() -> Iterator[str]:
    """The URL of a server whose requests state how long they take, in a process of its own."""
    command = [sys.executable, str(SUPPORT / "stub.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        process.stdin.close()


def task_runs() -> list[Any]:
    """All task runs that the server has."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as prefect:
        return list(prefect.read_task_runs())


def test_two_workers_measure_the_distribution_of_one(
    payments: Project, prefect_api: str, scheduler: str, stub: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """From a task whose own parameter is no data: the same requests, the same latencies, and no secret kept."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.logging.handlers import APILogHandler

    @task(cache_policy=NO_CACHE)
    def case(_: object) -> Any:
        return offer_by(
            2, stub, SCHEDULE, PAYLOADS, cluster=scheduler, connect=connected, keep=range(0, len(SCHEDULE), 7),
            access=Access({"authorization": f"Bearer {SECRET}"}, secrets=(SECRET,)), headers={"x-key": SECRET},
        )  # fmt: skip

    @flow(name="shares")
    def shares() -> Any:
        return case.submit(threading.Lock()).result()

    two, one = shares(), offer(stub, SCHEDULE, PAYLOADS)
    assert two.counts() == one.counts() == {"status 200": len(SCHEDULE)}
    assert (two.scheduled == SCHEDULE.at).all()
    assert [answer.index for answer in two.answers] == list(range(0, len(SCHEDULE), 7))
    owners = SCHEDULE.owners(2)
    parts = merge(histogram(two.latencies[owners == n]).encode() for n in range(2))
    assert parts.get_total_count() == len(SCHEDULE)
    assert parts.encode() == histogram(two.latencies).encode()
    for run in (two, one):  # what a busy machine adds, it does not add to every request
        assert (run.latencies >= DELAYS).all()
        assert quantile(run.latencies - DELAYS, 0.1) < 0.25 * quantile(DELAYS, 0.5)
    punctual = all(quantile(run.lags, 0.9) < 0.002 for run in (two, one))
    assert not punctual or ks_2samp(two.latencies, one.latencies).pvalue > 1e-6

    APILogHandler().flush()
    runs = {run.name.rpartition("-")[0]: run for run in task_runs()}
    assert runs[TASK].flow_run_id == runs["case"].flow_run_id
    assert runs[TASK].state_name == "Completed"
    kept = [path for path in payments.state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not kept
    assert SECRET not in "".join(capfd.readouterr())


def test_parts_are_task_runs_as_long_as_they_are_few(
    payments: Project, prefect_api: str, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a worker is lost in the middle; what is found is what one process finds, without the server too."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    rng = np.random.default_rng(0)
    for name, factor in (("expected", 1.0), ("actual", 1.5)):
        table = pa.table({"id": np.arange(20_000), "x": np.arange(20_000) * factor, "y": rng.random(20_000)})
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=2_000)
    tables = [dataset(tmp_path / f"{name}.parquet") for name in ("expected", "actual")]
    killing: list[Killing] = []

    @task(cache_policy=NO_CACHE)
    def case() -> Any:
        with partitions.runner(scheduler) as runner:
            killing.append(Killing(runner, tmp_path, 1))
            return compare_datasets(*tables, key="id", part_bytes=50_000, runner=killing[-1])

    @flow(name="parts")
    def parts() -> Any:
        return case.submit().result()

    here = compare_datasets(*tables, key="id", part_bytes=50_000)
    assert parts() == here
    runs = [run for run in task_runs() if run.name.startswith("compare a part")]
    assert [len(killing[0].lost), len(runs)] == [1, killing[0].mapped[0]]
    assert len({run.flow_run_id for run in runs}) == 1
    monkeypatch.setattr(partitions, "MOST_TASKS", 2)
    monkeypatch.setattr("tests.support.doomed.Killing.map", lambda own, *of: own.inner.map(*of))
    assert parts() == here
    assert len([run for run in task_runs() if run.name.startswith("compare a part")]) == len(runs)


def test_a_large_reference_is_validated_by_the_workers_that_the_project_names(
    payments: Project, prefect_api: str, scheduler: str, tmp_path: Path
) -> None:
    """Its partitions are task runs of the flow run; a cell that differs in one of them fails the version.

    Without the cluster there is no verdict: that is no fault of the version.
    """
    root = tmp_path / "tiny"
    shutil.copytree(Path(__file__).with_name("tiny"), root, ignore=shutil.ignore_patterns("__pycache__"))
    train, pipeline, settings = (root / name for name in ("train.py", "pipeline.py", "pyproject.toml"))
    train.write_text(
        train.read_text()
        .replace('"tiny"', '"tiny-parted"')
        .replace("capture(project.pipeline, requests,", "capture(project.pipeline, parts(requests), partitions=5,")
        .replace("given=given, ", "")
        + "\n\ndef parts(requests):\n"
        "    requests.to_parquet(Path(__file__).with_name('requests.parquet'))\n"
        "    return Path(__file__).with_name('requests.parquet')\n"
    )
    settings.write_text(settings.read_text().replace('"tiny"', '"tiny-parted"'))
    load_file(train).main(skewed=False)
    settings.write_text(f'{settings.read_text()}scale.cluster = "{scheduler}"\n')
    known = {run.id for run in task_runs()}
    with asked(False):
        passed = validate(root, "models:/tiny-parted/1", chosen={"only": ["golden"]}, quiet=True)
        pipeline.write_text(pipeline.read_text().replace('frame["x"] * 2.0', 'frame["x"].replace(8.75, 8.5) * 2.0'))
        failed = validate(root, "models:/tiny-parted/1", chosen={"only": ["golden"]}, quiet=True)
    assert passed.outcome is Outcome.PASS, passed.summary
    assert (failed.outcome, failed.first_failing_stage) == (Outcome.FAIL, "features")
    assert {str(key) for f in failed.findings for key in f.evidence.get("keys", ())} == {"r35"}
    new = [run for run in task_runs() if run.id not in known and run.name.startswith("compare a part")]
    assert len(new) == 2 * 5
    assert len({run.flow_run_id for run in new}) == 2
    settings.write_text(settings.read_text().replace(scheduler, "tcp://127.0.0.1:1"))
    with asked(False), pytest.raises(SeatrialError, match=r"No Dask scheduler answers .* There is no verdict"):
        validate(root, "models:/tiny-parted/1", chosen={"only": ["golden"]}, quiet=True)


def test_the_stress_flow_runs_what_is_declared_from_the_cluster(
    payments: Project, prefect_api: str, scheduler: str
) -> None:
    """Shares are task runs of its flow run; figures and raw latencies are in MLflow; the version's verdict stays."""
    policy = payments.root / "expectations" / "service.toml"
    before = policy.read_text()
    registry = client()
    tags = dict(registry.get_model_version("payments", "1").tags)
    objective = "[slo]\npercentile = 0.5\nlimit_ms = 5000\nrate = 20\n"
    load = f'[load]\nruns = 1\nrequests = 60\nfind_max_rate = false\nworkers = 2\ncluster = "{scheduler}"\n'
    policy.write_text(f"{before}\n{objective}{load}")
    known = {run.id for run in task_runs()}
    try:
        verdict = validate(payments.root, "models:/payments/1", flow="stress", quiet=True)
    finally:
        policy.write_text(before)
    assert verdict.findings == ()
    measured = {m.name: m.value for m in verdict.measurements}
    assert set(measured) >= {"cold start", "p50", "error share", "answers compared"}
    assert 0 < measured["workers started apart by at most"] < 5
    new = [run for run in task_runs() if run.id not in known and run.name.startswith(TASK)]
    assert len(new) == 2
    assert len({run.flow_run_id for run in new}) == 1
    assert (payments.state / "reports" / "payments-1-stress" / "latest" / "report.html").is_file()
    assert registry.get_model_version("payments", "1").tags == tags
    experiment = registry.get_experiment_by_name("seatrial/payments")
    run = registry.search_runs([experiment.experiment_id], max_results=1)[0]
    files = {a.path for a in registry.list_artifacts(run.info.run_id, "load")}
    assert files == {"load/latencies.parquet", "load/latencies.hdr", "load/histogram.svg", "load/timeline.svg"}
