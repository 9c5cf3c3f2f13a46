"""Synthetic requests of real and of payment data go down the whole path, and a clean version passes on them."""

import json
from pathlib import Path

import pytest

from seatrial import Outcome, capture, run
from seatrial.fixtures import declare
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


@pytest.mark.skipif(not DATA.is_file(), reason="the taxi trips are not beside this checkout")
def test_taxi_trips(tmp_path: Path) -> None:
    """Every field is text; the synthetic trips parse, keep their distributions within 0.05, and copy no trip."""
    trips = chicago.read(DATA)
    model = chicago.fit(chicago.training_features(trips)[:6_000], chicago.labels(trips)["tipped"][:6_000])
    reference = capture(chicago.pipeline, chicago.requests(trips), model=model)
    fixture = make(declare.declared("trips", TRIPS), tmp_path, reference=reference)
    frame = fixture.frame
    assert len(frame) == ROWS
    assert list(frame.columns) == list(reference.requests.columns)
    assert fixture.manifest["leaks"]["ok"]
    assert check(fixture.root, reference=reference).ok
    again = capture(chicago.pipeline, frame.astype("string"), model=model)
    verdict = run(chicago.pipeline, again, model=model, policy=chicago.unlabelled)
    assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]


def test_payments(example, url, past, tmp_path: Path) -> None:
    """JSON payloads with ids beyond 2^53: every constraint holds and the clean version passes."""
    serving, learnt = example.serving, example.learnt
    payments, features = past
    pipeline = _at(serving.pipeline, url)
    model = learnt.fit(features, payments["is_fraud"].reset_index(drop=True))
    reference = capture(pipeline, example.traffic.make_requests(2_000, seed=2), model=model)
    fixture = make(declare.declared("payments", PAYMENTS), tmp_path, reference=reference)
    rows = [json.loads(p) for p in fixture.frame["payload"]]
    assert len(rows) == ROWS
    assert all(r["amount"] >= 1 and isinstance(r["amount"], int) for r in rows)
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
