"""Made payments go down the whole path, and a clean version passes on them."""

import json
from pathlib import Path

import pytest

from seatrial import Outcome, capture, run
from seatrial.fixtures import fidelity, spec_file, tables
from seatrial.fixtures.make import make
from seatrial.fixtures.sources.base import holds
from tests.e2e.trials.fresh import same_in_a_fresh_process

pytest.importorskip("faker")
ROOT = Path(__file__).resolve().parents[3]
ROWS = 5_000
SENT = 1_000  # of them down the whole path, which asks the same of every row
NEAR = 0.08  # of a private fixture's columns: bins are drawn from evenly, and epsilon is 1


def test_payments(example, url, past, tmp_path: Path) -> None:
    """As the example declares them: JSON payloads hold every constraint, and the clean version passes on them."""
    serving, learnt = example.serving, example.learnt
    payments, features = past
    pipeline = _at(serving.pipeline, url)
    model = learnt.fit(features, payments["is_fraud"].reset_index(drop=True))
    reference = capture(pipeline, example.traffic.make_requests(2_000, seed=2), model=model)
    said = spec_file.read(ROOT / "expectations" / "fixtures.toml")
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
        found = fidelity.measure(real, rows, made).columns
        assert max(found.values()) <= (declared.max_distance if declared.source == "copula" else NEAR), found
        verdict = run(pipeline, capture(pipeline, fixture.frame.head(SENT), model=model), model=model)
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
