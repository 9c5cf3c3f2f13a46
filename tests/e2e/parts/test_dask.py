"""Two Dask workers compare parts of tables: what they find is what one process finds, whatever happens to them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from seatrial.cli.diff import command
from seatrial.errors import TargetError, UsageError
from seatrial.parity.streaming import Dataset, compare_datasets, dataset
from seatrial.process.dask import runner as dask
from seatrial.process.dask.runner import DaskRunner, runner
from seatrial.testing import runner_conforms
from tests.support.dask_cluster import QUIET, two_workers
from tests.support.doomed import Killing, ends_its_process, opens, waits, waits_too_long
from tests.support.waiting import until

ROWS = 40_000


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a Dask cluster of two workers."""
    with two_workers() as address:
        yield address


@pytest.fixture
def two(scheduler: str) -> Iterator[DaskRunner]:
    with runner(scheduler) as found:
        until(lambda: len(found.client.nthreads()) == 2)  # Dask starts another for one that was killed
        yield found


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """One table, one with cells of several kinds changed, and that one in another order."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    cells: dict[str, Any] = {"id": np.arange(ROWS), "x": rng.random(ROWS), "n": rng.integers(0, 9, ROWS)}
    cells |= {"text": rng.choice(["north", "south"], ROWS), "list": [*rng.random((ROWS, 2))]}
    few = rng.random(ROWS) < 0.001
    changed = {**cells, "x": cells["x"] * np.where(few, 1.5, 1), "text": np.where(few, "east", cells["text"])}
    changed["list"] = [each + (n % 9_999 == 5) for n, each in enumerate(cells["list"])]
    made = {"expected": pa.table(cells), "changed": pa.table(changed)}
    made["shuffled"] = made["changed"].take(pa.array(rng.permutation(ROWS)[1:]))
    for name, table in made.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=4_000)
    return {name: dataset(folder / f"{name}.parquet") for name in made}


def compared(tables: dict[str, Dataset], name: str, **how: Any) -> Any:
    return compare_datasets(tables["expected"], tables[name], key="id", part_bytes=300_000, **how)


def test_they_keep_what_a_runner_promises(two: DaskRunner, tmp_path: Path) -> None:
    runner_conforms(two, tmp_path)


@pytest.mark.parametrize(("name", "pieces"), [("changed", 1), ("shuffled", 2), ("shuffled", 3)])
def test_what_is_found_is_the_same_when_a_worker_is_killed(
    name: str, pieces: int, two: DaskRunner, tables: dict[str, Dataset], tmp_path: Path
) -> None:
    """In ranges that are in step; while a table is split, and while partitions are compared."""
    here = compared(tables, name)
    assert {c.column for c in here.parity.columns if not c.ok} == {"x", "text", "list"}
    assert here.parity.missing_keys.count == (name == "shuffled")
    killing = Killing(two, tmp_path, pieces)
    assert compared(tables, name, runner=killing) == here
    assert len(killing.lost) == 1
    assert min(killing.mapped) > 2
    assert killing.lost[0] not in two.client.run(os.getpid).values()


def test_the_command_compares_on_a_cluster(
    scheduler: str, tables: dict[str, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster is that of the option, else that of the project here; what is written is the same without one."""
    monkeypatch.setattr(command, "CELLS", 1_000)
    files = [tables[name].files[0] for name in ("expected", "changed")]
    told, plain, mapped = [], DaskRunner.map, list[int]()
    monkeypatch.setattr(DaskRunner, "map", lambda own, work, parts: mapped.append(1) or plain(own, work, parts))
    for place, cluster in ((tmp_path, None), (tmp_path, scheduler), (tmp_path / "shop", None)):
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        code = command.diff_files(
            *files, command.Selection(("id",)), json="found.json", html=None, quiet=True, cluster=cluster
        )
        assert code == 1
        told.append(json.loads(Path("found.json").read_text()))
        (tmp_path / "shop").mkdir(exist_ok=True)
        settings = f'[tool.seatrial]\npipeline = "a.py:b"\nscale.cluster = "{scheduler}"\n'
        (tmp_path / "shop" / "pyproject.toml").write_text(settings)
    assert told[0] == told[1] == told[2]
    assert len(mapped) == 2


def test_errors_of_the_work_are_its_own(two: DaskRunner, tmp_path: Path) -> None:
    """One that waiting raises too, and a file that is on this machine alone."""
    with pytest.raises(TimeoutError, match="of the work"):
        list(two.map(waits_too_long, [1]))
    with pytest.raises(TargetError, match=r"does not find a file: .*here\.txt.*TMPDIR"):
        list(two.map(opens, [tmp_path / "here.txt"]))


def test_a_part_that_no_worker_survives_is_no_result() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, **QUIET) as cluster:
        cluster.scheduler.allowed_failures = 1
        with runner(cluster.scheduler_address) as found, pytest.raises(TargetError, match=r"2 in turn.*memory"):
            list(found.map(ends_its_process, [1, 2]))


def test_no_worker_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "ALONE_SECONDS", 0.5)
    with (
        LocalCluster(n_workers=0, **QUIET) as cluster,
        runner(cluster.scheduler_address) as found,
        pytest.raises(TargetError, match=r"has had no worker for 0 s.*dask worker"),
    ):
        list(found.map(opens, [Path(__file__)]))


def test_a_scheduler_that_goes_is_no_result() -> None:
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, **QUIET)
    told = []

    def run() -> None:
        with runner(cluster.scheduler_address) as found:
            try:
                list(found.map(waits, [1, 2]))
            except TargetError as error:
                told.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    with Client(cluster, set_as_default=False) as client:
        until(lambda: any(client.processing().values()))
    cluster.close()
    thread.join(60)
    assert "is gone" in told[0]


def test_no_scheduler_is_an_error_that_says_what_to_start() -> None:
    told = r"No Dask scheduler answers at tcp://127.0.0.1:1 .*\[tool.seatrial.scale\]"
    with pytest.raises(TargetError, match=told), runner("tcp://127.0.0.1:1"):
        pass


def test_a_local_cluster_is_for_this_user_alone_and_ends(tables: dict[str, Dataset]) -> None:
    """On loopback, and behind a key: any user of a machine can reach its ports, and tasks are code."""
    with runner("local", workers=1) as found:
        workers = found.client.scheduler_info()["workers"]
        pids = [*found.client.run(os.getpid).values()]
        assert found.address.startswith("tls://127.0.0.1:")
        assert [address.partition("1:")[0] for address in workers] == ["tls://127.0.0."]
        assert compared(tables, "changed", runner=found) == compared(tables, "changed")
        with pytest.raises(UsageError, match="wants TLS"), runner(found.address):
            pass
    until(lambda: not any(map(psutil.pid_exists, pids)))
