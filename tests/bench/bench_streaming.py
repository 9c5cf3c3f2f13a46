"""Time and memory of parity from Parquet, as the tables grow, against reading them and against DuckDB's join.

    python tests/bench/bench_streaming.py [--rows 1000000 10000000 100000000] [--folder FOLDER] [--repeat 3]
        [--workers 1 2]

Each figure is of a process of its own: the best of the repeats in seconds, the CPU seconds, and the most memory that it
had. Tables have an int64 key and ten float64 columns; ``changed`` has one in a thousand values of two columns changed,
``shuffled`` has its rows in another order. DuckDB joins where it is installed (pip install duckdb), with a limit of
memory. Of Dask workers, which are there and have imported everything before, the seconds are those of the comparison,
the CPU seconds those of all processes, and the memory that of the largest; the ratio is to one worker.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = 10
GROUP = 2**20
DUCKDB_MEMORY = "1500MB"


def write(folder: Path, rows: int) -> None:
    """Write the tables of one size, a row group at a time."""
    rng = np.random.default_rng(rows)
    names = [f"f{n}" for n in range(COLUMNS)]
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in names)])
    how: dict[str, Any] = {"compression": "none", "use_dictionary": False}
    with (
        pq.ParquetWriter(folder / "expected.parquet", schema, **how) as expected,
        pq.ParquetWriter(folder / "same.parquet", schema, **how) as same,
        pq.ParquetWriter(folder / "changed.parquet", schema, **how) as changed,
    ):
        for start in range(0, rows, GROUP):
            count = min(GROUP, rows - start)
            ids = np.arange(start, start + count)
            values = [rng.random(count) for _ in names]
            table = pa.table([ids, *values], schema=schema)
            expected.write_table(table)
            same.write_table(table)
            for at in (2, 7):
                values[at] = np.where(rng.random(count) < 0.001, values[at] * 1.5, values[at])
            changed.write_table(pa.table([ids, *values], schema=schema))


def shuffle(folder: Path, rows: int) -> None:
    """Write the expected table in another order: its row groups dealt out to buckets, each shuffled."""
    rng = np.random.default_rng(1)
    count = 1 + rows // GROUP
    schema = pq.read_schema(folder / "expected.parquet")
    buckets = [folder / f"bucket-{n}.arrow" for n in range(count)]
    writers = [pa.ipc.new_file(str(bucket), schema) for bucket in buckets]
    with pq.ParquetFile(folder / "expected.parquet", pre_buffer=False) as file:
        for batch in file.iter_batches(2**18):
            to = rng.integers(0, count, batch.num_rows)
            order = np.argsort(to, kind="stable")
            ends = np.searchsorted(to[order], np.arange(count + 1))
            dealt = batch.take(pa.array(order))
            for writer, begin, end in zip(writers, ends[:-1], ends[1:], strict=True):
                writer.write_batch(dealt[begin:end])
    for writer in writers:
        writer.close()
    with pq.ParquetWriter(folder / "shuffled.parquet", schema, compression="none", use_dictionary=False) as out:
        for bucket in buckets:
            with pa.ipc.open_file(pa.OSFile(str(bucket))) as reader:
                table = reader.read_all()
            out.write_table(table.take(pa.array(rng.permutation(table.num_rows))))
            bucket.unlink()


def read_both(expected: str, actual: str) -> None:
    """The yardstick: decode both sides, batch by batch, and drop them."""
    for path in (expected, actual):
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for _ in file.iter_batches(2**18):
                pass


def parity(expected: str, actual: str) -> None:
    """Ours."""
    from seatrial.parity.streaming import compare_datasets, dataset

    compare_datasets(dataset(Path(expected)), dataset(Path(actual)), key="id")


def join(expected: str, actual: str) -> None:
    """A full join by DuckDB that counts the differing cells of each column."""
    import duckdb

    told = duckdb.connect()
    told.execute(f"SET memory_limit='{DUCKDB_MEMORY}'; SET temp_directory='{Path(expected).parent}/duckdb'")
    counts = ", ".join(f"count(*) FILTER (e.f{n} IS DISTINCT FROM a.f{n})" for n in range(COLUMNS))
    told.execute(
        f"SELECT count(*) FILTER (e.id IS NULL OR a.id IS NULL), {counts} "
        f"FROM read_parquet('{expected}') e FULL JOIN read_parquet('{actual}') a USING (id)"
    ).fetchall()


def on_workers(count: int, expected: str, actual: str) -> dict[str, float]:
    """Ours, on so many Dask workers of this machine."""
    from seatrial.parity.streaming import compare_datasets, dataset
    from seatrial.process.dask.runner import runner

    with runner("local", workers=count) as workers:
        run = workers.client.run
        run(import_module, "seatrial.parity.streaming.compare")
        import_module("scipy.stats")  # of which distributions are compared, here
        start, cpu = time.perf_counter(), time.process_time() + sum(run(time.process_time).values())
        compare_datasets(dataset(Path(expected)), dataset(Path(actual)), key="id", runner=workers)
        took, spent = time.perf_counter() - start, time.process_time() + sum(run(time.process_time).values()) - cpu
        return {"s": took, "cpu": spent, "mib": max(mib(), *run(mib).values())}


def mib() -> float:
    """The most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20


def measured(what: str, expected: Path, actual: Path) -> dict[str, float]:
    """Run one of the functions in a process of its own."""
    ran = subprocess.run(
        [sys.executable, __file__, "--one", what, str(expected), str(actual)], stdout=subprocess.PIPE, check=True
    )
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def one(what: str, expected: str, actual: str) -> None:
    """Time one function, its imports left out, and print what it took."""
    if what.isdigit():
        print(json.dumps(on_workers(int(what), expected, actual)))
        return
    if what == "parity":
        import seatrial.parity.streaming  # noqa: F401
    start, cpu = time.perf_counter(), time.process_time()
    {"parity": parity, "read": read_both, "join": join}[what](expected, actual)
    print(json.dumps({"s": time.perf_counter() - start, "cpu": time.process_time() - cpu, "mib": mib()}))


def best(repeat: int, runs: dict[str, tuple[str, Path, Path]]) -> dict[str, dict[str, float]]:
    """Run each in turn, so often, and keep its best."""
    found: dict[str, dict[str, float]] = {}
    for _ in range(repeat):
        for name, run in runs.items():
            new = measured(*run)
            old = found.get(name, new)
            found[name] = {
                "s": min(old["s"], new["s"]),
                "cpu": min(old["cpu"], new["cpu"]),
                "mib": max(old["mib"], new["mib"]),
            }
    return found


def yardstick(name: str, found: dict[str, Any]) -> str:
    """What a figure is compared with."""
    if name == "shuffled" and "DuckDB's join" in found:
        return "DuckDB's join"
    _, dask, which = name.partition(" workers") if "shuffled" in name else name.partition(" Dask workers")
    one = f"1{dask}{which}"
    return one if dask and one in found else "read both"


def main() -> None:
    """Measure every size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**6, 10**7, 10**8])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-shuffle", action="store_true")
    parser.add_argument("--workers", type=int, nargs="*", default=[])
    parser.add_argument("--one", nargs=3)
    asked = parser.parse_args()
    if asked.one:
        one(*asked.one)
        return
    try:
        import duckdb  # noqa: F401

        joins = True
    except ModuleNotFoundError:
        joins = False
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    print(f"{'rows':>12} {'what':<19} {'s':>8} {'CPU s':>8} {'MiB':>7}  ratio")
    for rows in asked.rows:
        with tempfile.TemporaryDirectory(dir=asked.folder) as place:
            folder = Path(place)
            write(folder, rows)
            expected, shuffled = folder / "expected.parquet", folder / "shuffled.parquet"
            runs = {"read both": ("read", expected, folder / "same.parquet")}
            runs |= {name: ("parity", expected, folder / f"{name}.parquet") for name in ("same", "changed")}
            runs |= {f"{n} Dask workers": (str(n), expected, folder / "changed.parquet") for n in asked.workers}
            if not asked.no_shuffle:
                shuffle(folder, rows)
                runs |= {f"{n} workers, shuffled": (str(n), expected, shuffled) for n in asked.workers}
                runs["shuffled"] = ("parity", expected, shuffled)
                if joins:
                    runs["DuckDB's join"] = ("join", expected, shuffled)
            found = best(asked.repeat, runs)
            for name, took in found.items():
                yard = found[yardstick(name, found)]
                print(
                    f"{rows:>12,} {name:<19} {took['s']:>8.2f} {took['cpu']:>8.2f} {took['mib']:>7.0f}  "
                    f"{took['s'] / yard['s']:.2f} × ({took['cpu'] / yard['cpu']:.2f} × CPU)",
                    flush=True,
                )
            os.sync()


if __name__ == "__main__":
    main()
