"""What fixtures cost and how good they are, each against a yardstick measured in the same run.

python tests/bench/bench_fixtures.py [--rows 1000000] [--data chicago_taxi.csv] [--private]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seatrial import Pipeline, capture
from seatrial.fixtures import (
    fidelity as quality,
)
from seatrial.fixtures import (
    leakage as leaks,
)
from seatrial.fixtures import (
    spec as declaration,
)
from seatrial.fixtures import (
    spec_file as declare,
)
from seatrial.fixtures import (
    tables,
)
from seatrial.fixtures.golden.select import select
from seatrial.fixtures.make import make
from tests.support.privacy_audit import distinguish

TAXI = Path(__file__).resolve().parents[3] / "shared" / "data" / "chicago_taxi.csv"
PLACES = [
    [f"{end}_{part}" for part in ("latitude", "longitude", "community_area", "census_tract")]
    for end in ("pickup", "dropoff")
]
COLUMNS = {
    "id": {"sequence": "f{:08d}"},
    "name": {"provider": "name"},
    "city": {"provider": "city", "locale": "de_DE"},
    "amount": {"like": "amount"},
    "fee": {"like": "fee", "follows": "amount", "rho": 0.8},
    "items": {"like": "items"},
    "country": {"like": "country"},
    "currency": {"provider": "currency_code", "given": "country"},
    "device": {"like": "device", "given": "country"},
    "vip": {"like": "vip"},
}


def best(work: Callable[[], object], times: int = 3) -> float:
    """Return the fewest seconds of a few runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def rows(count: int) -> None:
    """A table by Faker and profile against numpy drawing as many values and writing the same Parquet."""
    rng = np.random.default_rng(0)
    known = pd.DataFrame({
        "id": [f"t{n}" for n in range(5_000)], "amount": np.round(rng.lognormal(3, 1, 5_000), 2),
        "fee": rng.random(5_000),
        "items": rng.poisson(3, 5_000), "country": rng.choice(["DE", "US", "NA"], 5_000),
        "device": rng.choice(["ios", "web"], 5_000), "vip": rng.random(5_000) < 0.1,
    })  # fmt: skip
    reference = capture(Pipeline("shop", key="id", raw=_same, features=_same), known)
    wanted = declare.declared("many", {"source": "fake", "rows": count, "columns": COLUMNS})
    with tempfile.TemporaryDirectory() as scratch:

        def ours() -> None:
            make(wanted, scratch, reference=reference)

        names = np.array([f"name {n}" for n in range(1_000)], dtype=object)
        keys = pa.array([f"f{n:08d}" for n in range(count)])

        def numpy_alone() -> None:
            draw = np.random.default_rng(0)
            columns = {n: draw.random(count) for n in ("amount", "fee")}
            columns |= {"items": draw.integers(0, 9, count), "vip": draw.random(count) < 0.1}
            columns |= {n: draw.choice(names, count) for n in ("name", "city", "country", "currency", "device")}
            table = pa.table({"id": keys, **columns})
            text = [f.name for f in table.schema if pa.types.is_string(f.type)]
            pq.write_table(table, Path(scratch) / "numpy.parquet", compression="none", use_dictionary=text)

        yardstick, taken = best(numpy_alone), best(ours)
    print(
        f"{count:,} rows × {len(COLUMNS)} columns: {taken:.2f} s, numpy {yardstick:.2f} s, "
        f"ratio {taken / yardstick:.2f} (limit 3)"
    )


def taxi(path: Path) -> None:
    """A synthetic fixture of real trips: distance, leaks, and the golden set of 500."""
    frame = pd.read_csv(path)
    frame.insert(0, "trip_id", [f"t{n:06d}" for n in range(len(frame))])
    pipeline = Pipeline("taxi", key="trip_id", raw=_same, features=_speed)
    reference = capture(pipeline, frame)
    said = {
        "source": "copula", "rows": 5_000, "seed": 3, "constraints": ["fare >= 0"],
        "combinations": [["trip_start_month"], *PLACES],
        "columns": {
            "trip_start_hour": {"formula": "trip_start_timestamp // 3600 % 24"},
            "trip_start_day": {"formula": "(trip_start_timestamp // 86400 + 4) % 7 + 1"},
        },
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        made = make(declare.declared("trips", said), scratch, reference=reference)
        name, worst = max(made.manifest["quality"]["columns"].items(), key=lambda item: item[1])
        pair, leaked = made.manifest["quality"]["pair"], made.manifest["leaks"]
        print(f"taxi, copula, 5,000 rows: {time.perf_counter() - start:.1f} s; farthest column {name} {worst:.3f}")
        print(
            f"  farthest rank correlation {pair[1]} × {pair[2]} {pair[0]:.2f}; "
            f"copies {leaked['copies']}, near {leaked['near']:.3f}"
        )
    start = time.perf_counter()
    chosen = select(pipeline, reference, 500)
    print(f"taxi, golden set of 500 of {len(frame):,}: {time.perf_counter() - start:.1f} s\n  {chosen}")


def private(path: Path, releases: int) -> None:
    """A private fixture of real trips, and OpenDP's promise tried on neighbours; minutes of CPU."""
    from seatrial.fixtures.sources.private.mechanism import release
    from seatrial.fixtures.sources.private.model import Public

    frame = pd.read_csv(path)[["fare", "tips", "trip_seconds", "payment_type", "trip_start_hour"]]
    frame.insert(0, "trip_id", [f"t{n:06d}" for n in range(len(frame))])
    reference = capture(Pipeline("taxi", key="trip_id", raw=_same, features=_same), frame)
    said = {
        "source": "private", "rows": 5_000, "epsilon": 1.0, "delta": 1e-6,
        "columns": {
            "fare": {"cuts": [0, *range(3, 20), 25, 30, 40, 60, 300], "decimals": 2, "nulls": 0},
            "tips": {"cuts": [0, 0.01, 1, 2, 3, 4, 6, 10, 100], "decimals": 2, "nulls": 0},
            "trip_seconds": {"cuts": [0, 60, *range(120, 1200, 60), 1500, 1800, 2700, 3600, 90000]},
            "payment_type": {"discover": True},
            "trip_start_hour": {"values": list(range(24)), "nulls": 0},
        },
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        start = time.process_time()
        made = make(declare.declared("trips", said), scratch, reference=reference, budget=declaration.Budget(1.0, 1e-6))
        rows = pa.Table.from_pandas(made.frame, preserve_index=False)
        found = quality.measure(tables.table_of(reference), rows, ("trip_id",))
        copied = leaks.copies(tables.table_of(reference), rows, ["trip_id"]).mean()
    print(
        f"taxi, private, epsilon 1: {time.process_time() - start:.0f} CPU s; {found.to_json()}; equal rows {copied:.1%}"
    )
    public = {"plan": Public("string", ("basic", "gold"), nullable=False)}

    def gold(table: pa.Table) -> float:
        return float(release(table, public, epsilon=0.5, delta=1e-5).steps[0].chances[1])

    one, other = (pa.table({"plan": ["basic"] * 20 + ["gold"] * n}) for n in (0, 1))
    print(f"OpenDP: {distinguish(gold, one, other, epsilon=0.5, delta=1e-5, releases=releases)}")
    print(f"without noise: {distinguish(lambda t: t.num_rows, one, other, epsilon=0.5, delta=1e-5, releases=releases)}")


def _same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def _speed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(speed=frame["trip_miles"] / (frame["trip_seconds"] + 60))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--data", type=Path, default=TAXI)
    options.add_argument("--private", action="store_true")
    options.add_argument("--releases", type=int, default=20)
    stated = options.parse_args()
    rows(stated.rows)
    if stated.data.is_file():
        taxi(stated.data)
        if stated.private:
            private(stated.data, stated.releases)
    else:
        print(f"{stated.data} is not there: the trips are left out")
