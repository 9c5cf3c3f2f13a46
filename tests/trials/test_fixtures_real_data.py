"""Made requests of real trips and of payments go down the whole path, and a clean version passes on them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from seatrial import Outcome, Reference, capture, run
from seatrial.fixtures import declare, quality, tables
from seatrial.fixtures.make import make
from seatrial.fixtures.sources import holds
from tests.trials import chicago

pytest.importorskip("faker")
ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "chicago_taxi.csv"
ROWS = 5_000
NEAR = 0.08  # of a private fixture's columns: bins are drawn from evenly, and epsilon is 1
PLACES = [[f"{e}_{p}" for p in ("latitude", "longitude", "community_area")] for e in ("pickup", "dropoff")]
TRIPS = {"source": "copula", "rows": ROWS, "together": PLACES, "distance": 0.05}
PRIVATE_TRIPS = {
    "source": "private",
    "rows": ROWS,
    "epsilon": 1.0,
    "delta": 1e-6,
    "columns": {
        "fare": {"cuts": [0, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 40, 60, 200], "decimals": 2, "nulls": 0},
        "trip_miles": {"cuts": [0, 0.1, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 100], "decimals": 1, "nulls": 0},
        "trip_seconds": {"cuts": [0, 60, 180, 300, 420, 600, 900, 1200, 1800, 3600, 20_000], "decimals": 0},
        "trip_start_timestamp": {"cuts": [1356998400 + 15_768_000 * n for n in range(9)], "decimals": 0, "nulls": 0},
        **{f"{e}_latitude": {"cuts": [41.6, 41.8, 41.88, 41.9, 42.1], "decimals": 6} for e in ("pickup", "dropoff")},
        **{f"{e}_longitude": {"cuts": [-88, -87.7, -87.63, -87.5], "decimals": 6} for e in ("pickup", "dropoff")},
        **{f"{e}_community_area": {"values": ["8", "32", "28", "76", ""]} for e in ("pickup", "dropoff")},
        "payment_type": {"values": ["Cash", "Credit Card", "Unknown", "No Charge"], "nulls": 0},
        "company": {"paid": True},
    },
}
NARROW = {"fare": 0.05, "payment_type": 0.05, "company": 0.05}  # a public list of areas leaves most areas out
CHECK = """
import sys
from seatrial import Reference
from seatrial.fixtures.make import check
for path in sys.argv[2:]:
    print(check(path, reference=Reference.load(sys.argv[1])))
"""


def same_in_a_fresh_process(reference: Reference, fixtures) -> None:
    """Made again by another process, with another hash seed, every fixture has its digest."""
    words = [str(reference.root), *(str(f.root) for f in fixtures)]
    env = os.environ | {"PYTHONHASHSEED": "11"}
    done = subprocess.run([sys.executable, "-c", CHECK, *words], env=env, check=True, capture_output=True, text=True)
    assert done.stdout.count("the same when made again") == len(fixtures), done.stdout


@pytest.mark.skipif(not DATA.is_file(), reason="the taxi trips are not beside this checkout")
def test_taxi_trips(tmp_path: Path) -> None:
    """Every field is text; the trips made parse, are near their distributions, and the clean version passes on them."""
    trips = chicago.read(DATA)
    model = chicago.fit(chicago.training_features(trips)[:6_000], chicago.labels(trips)["tipped"][:6_000])
    reference = capture(chicago.pipeline, chicago.requests(trips), model=model)
    budget = declare.Budget(epsilon=1.0, delta=1e-6)
    fixtures = [
        make(declare.declared(name, said), tmp_path, reference=reference, budget=budget)
        for name, said in (("synthetic", TRIPS), ("private", PRIVATE_TRIPS))
    ]
    real = tables.table_of(reference)
    for fixture in fixtures:
        frame = fixture.frame
        assert len(frame) == ROWS
        assert fixture.manifest["schema"] == tables.schema_of(real)
        found = quality.measure(real, pa.Table.from_pandas(frame, preserve_index=False), ("trip_id",)).columns
        limits = dict.fromkeys(found, TRIPS["distance"]) if fixture.name == "synthetic" else NARROW
        assert all(found[name] <= limit for name, limit in limits.items()), found
        again = capture(chicago.pipeline, frame.astype("string"), model=model)
        verdict = run(chicago.pipeline, again, model=model, policy=chicago.unlabelled)
        assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]
    assert fixtures[0].manifest["leaks"]["ok"]
    same_in_a_fresh_process(reference, fixtures)


def test_payments(example, url, past, tmp_path: Path) -> None:
    """As the example declares them: JSON payloads hold every constraint, and the clean version passes on them."""
    serving, learnt = example.serving, example.learnt
    payments, features = past
    pipeline = _at(serving.pipeline, url)
    model = learnt.fit(features, payments["is_fraud"].reset_index(drop=True))
    reference = capture(pipeline, example.traffic.make_requests(2_000, seed=2), model=model)
    said = declare.read(ROOT / "expectations" / "fixtures.toml")
    wanted = list(said.fixtures.values())
    assert {w.source for w in wanted} == {"copula", "private"}
    fixtures = [make(w, tmp_path, reference=reference, budget=said.budget) for w in wanted]
    real = tables.table_of(reference, payload="payload")
    for fixture, declared in zip(fixtures, wanted, strict=True):
        rows = tables.unpack(fixture.frame, "payload")
        assert rows.num_rows == ROWS
        assert tables.schema_of(rows) == tables.schema_of(real)
        assert declared.constraints
        assert all(holds(rows, constraint).all() for constraint in declared.constraints)
        made = ("transaction_id", *(name for name, column in declared.columns.items() if column.is_made))
        found = quality.measure(real, rows, made).columns
        assert max(found.values()) <= (declared.distance if declared.source == "copula" else NEAR), found
        verdict = run(pipeline, capture(pipeline, fixture.frame, model=model), model=model)
        assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]
    seen = {(r["country"], r["currency"]) for r in map(json.loads, reference.requests["payload"])}
    synthetic = next(f for f in fixtures if f.manifest["source"] == "copula")
    assert {(r["country"], r["currency"]) for r in map(json.loads, synthetic.frame["payload"])} <= seen
    assert synthetic.manifest["leaks"]["ok"]
    same_in_a_fresh_process(reference, fixtures)


def _at(pipeline, url):
    """The pipeline with its store at ``url``."""
    from seatrial import Dependency, Pipeline

    stages = {name: pipeline.stage(name).function for name in pipeline.stages}
    store = [Dependency(name, url, d.connect) for name, d in pipeline.dependencies.items()]
    return Pipeline(pipeline.name, key=pipeline.key, model=pipeline.model, dependencies=store, **stages)
