"""Synthetic requests of real and of payment data go down the whole path, and a clean version passes on them."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from seatrial import Outcome, capture, run
from seatrial.fixtures import declare, quality, tables
from seatrial.fixtures.make import check, make
from tests.trials import chicago

pytest.importorskip("faker")
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "chicago_taxi.csv"
ROWS = 5_000
PAYMENTS = {
    "source": "copula",
    "rows": ROWS,
    "payload": "payload",
    "together": [["country", "currency", "time.offset"]],
    "constraints": ["amount >= 1"],
    "distance": 0.08,
    "columns": {"cardholder": {"provider": "name", "locale": "de_DE"}},
}
TRIPS = {
    "source": "copula",
    "rows": ROWS,
    "together": [[f"{e}_{p}" for p in ("latitude", "longitude", "community_area")] for e in ("pickup", "dropoff")],
}
BUDGET = declare.Budget(epsilon=1.0, delta=1e-6)
PRIVATE = {"source": "private", "rows": ROWS, "epsilon": 1.0, "delta": 1e-6}
PRIVATE_PAYMENTS = {
    **PRIVATE,
    "payload": "payload",
    "constraints": ["amount >= 1"],
    "columns": {
        "customer_id": {"provider": "pyint", "arguments": {"min_value": 2**53 + 1, "max_value": 2**53 + 3_000}},
        "cardholder": {"provider": "name", "locale": "de_DE"},
        "postcode": {"provider": "postcode", "locale": "de_DE"},
        "currency": {"values": ["EUR", "GBP", "USD", "JPY", "INR", "NAD", "KWD", "BHD"], "nulls": 0},
        "country": {"values": ["DE", "GB", "US", "JP", "IN", "NA", "KW", "BH"], "nulls": 0},
        "time.local": {"cuts": [1740787200 + 864_000 * n for n in range(7)], "nulls": 0},
        "time.offset": {"values": ["+01:00", "+00:00", "-05:00", "+09:00", "+05:30", "+02:00", "+03:00"], "nulls": 0},
        "amount": {"cuts": [1, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 64_000, 512_000], "nulls": 0},
        "device": {"values": ["ios", "android", "web", "kiosk"]},
        "merchant_category": {"paid": True, "nulls": 0},
        "card_present": {"nulls": 0},
    },
}
PRIVATE_TRIPS = {
    **PRIVATE,
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


@pytest.mark.skipif(not DATA.is_file(), reason="the taxi trips are not beside this checkout")
@pytest.mark.parametrize("said", [TRIPS, PRIVATE_TRIPS], ids=["synthetic", "private"])
def test_taxi_trips(said, tmp_path: Path) -> None:
    """Every field is text; the trips made parse, are near their distributions, and the clean version passes on them."""
    if said is PRIVATE_TRIPS:
        pytest.importorskip("opendp")
    trips = chicago.read(DATA)
    model = chicago.fit(chicago.training_features(trips)[:6_000], chicago.labels(trips)["tipped"][:6_000])
    reference = capture(chicago.pipeline, chicago.requests(trips), model=model)
    fixture = make(declare.declared("trips", said), tmp_path, reference=reference, budget=BUDGET)
    frame = fixture.frame
    assert len(frame) == ROWS
    assert list(frame.columns) == list(reference.requests.columns)
    assert said is PRIVATE_TRIPS or fixture.manifest["leaks"]["ok"]
    assert check(fixture.root, reference=reference).ok
    real, made = tables.table_of(reference), pa.Table.from_pandas(frame, preserve_index=False)
    assert max(quality.measure(real, made, ("trip_id",)).columns[n] for n in ("fare", "payment_type", "company")) < 0.05
    again = capture(chicago.pipeline, frame.astype("string"), model=model)
    verdict = run(chicago.pipeline, again, model=model, policy=chicago.unlabelled)
    assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]


@pytest.mark.parametrize("said", [PAYMENTS, PRIVATE_PAYMENTS], ids=["synthetic", "private"])
def test_payments(said, example, url, past, tmp_path: Path) -> None:
    """JSON payloads with ids beyond 2^53: every constraint holds and the clean version passes."""
    if said is PRIVATE_PAYMENTS:
        pytest.importorskip("opendp")
    serving, learnt = example.serving, example.learnt
    payments, features = past
    pipeline = _at(serving.pipeline, url)
    model = learnt.fit(features, payments["is_fraud"].reset_index(drop=True))
    reference = capture(pipeline, example.traffic.make_requests(2_000, seed=2), model=model)
    fixture = make(declare.declared("payments", said), tmp_path, reference=reference, budget=BUDGET)
    rows = [json.loads(p) for p in fixture.frame["payload"]]
    assert len(rows) == ROWS
    assert all(r["amount"] >= 1 and isinstance(r["amount"], int) for r in rows)
    if said is PAYMENTS:
        seen = {(r["country"], r["currency"]) for r in map(json.loads, reference.requests["payload"])}
        assert {(r["country"], r["currency"]) for r in rows} <= seen
        assert fixture.manifest["leaks"]["ok"]
    verdict = run(pipeline, capture(pipeline, fixture.frame, model=model), model=model)
    assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]


def _at(pipeline, url):
    """The pipeline with its store at ``url``."""
    from seatrial import Dependency, Pipeline

    stages = {name: pipeline.stage(name).function for name in pipeline.stages}
    store = [Dependency(name, url, d.connect) for name, d in pipeline.dependencies.items()]
    return Pipeline(pipeline.name, key=pipeline.key, model=pipeline.model, dependencies=store, **stages)
