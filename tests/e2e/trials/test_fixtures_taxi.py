"""Real taxi trips as fixtures: made synthetic and private, sent down the whole path, made again."""

from pathlib import Path

import pyarrow as pa
import pytest

from seatrial import Outcome, capture, run
from seatrial.fixtures import fidelity, spec, spec_file, tables
from seatrial.fixtures.make import make
from tests.e2e.trials import chicago
from tests.e2e.trials.fresh import same_in_a_fresh_process
from tests.support.paths import SHARED

pytest.importorskip("faker")
DATA = SHARED / "data" / "chicago_taxi.csv"
ROWS = 5_000
SENT = 1_000  # of them down the whole path, which asks the same of every row
PLACES = [[f"{e}_{p}" for p in ("latitude", "longitude", "community_area")] for e in ("pickup", "dropoff")]
TRIPS = {"source": "copula", "rows": ROWS, "combinations": PLACES, "max_distance": 0.05}
INVENTED = {  # the places are not released: each column of a release takes seconds to fit
    "trip_miles": ["0.4", "1.3", "7.9"],
    "pickup_latitude": ["41.88", "41.9", ""],
    "pickup_longitude": ["-87.63", "-87.7", ""],
    "dropoff_latitude": ["41.88", "41.9", ""],
    "dropoff_longitude": ["-87.63", "-87.7", ""],
    "pickup_community_area": ["8", "32", ""],
    "dropoff_community_area": ["8", "32", ""],
}
PRIVATE_TRIPS = {
    "source": "private",
    "rows": ROWS,
    "epsilon": 1.0,
    "delta": 1e-6,
    "columns": {
        "fare": {"cuts": [0, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 40, 60, 200], "decimals": 2, "nulls": 0},
        "trip_seconds": {"cuts": [0, 60, 180, 300, 420, 600, 900, 1200, 1800, 3600, 20_000], "decimals": 0},
        "trip_start_timestamp": {"cuts": [1356998400 + 15_768_000 * n for n in range(9)], "decimals": 0, "nulls": 0},
        **{name: {"provider": "random_element", "arguments": {"elements": said}} for name, said in INVENTED.items()},
        "payment_type": {"values": ["Cash", "Credit Card", "Unknown", "No Charge"], "nulls": 0},
        "company": {"discover": True},
    },
}
NARROW = {"fare": 0.05, "payment_type": 0.05, "company": 0.05}  # a public list of areas leaves most areas out


@pytest.mark.skipif(not DATA.is_file(), reason="the taxi trips are not beside this checkout")
def test_taxi_trips(tmp_path: Path) -> None:
    """Every field is text; the trips made parse, are near their distributions, and the clean version passes on them."""
    trips = chicago.read(DATA)
    model = chicago.fit(chicago.training_features(trips)[:6_000], chicago.labels(trips)["tipped"][:6_000])
    reference = capture(chicago.pipeline, chicago.requests(trips), model=model)
    budget = spec.Budget(epsilon=1.0, delta=1e-6)
    fixtures = [
        make(spec_file.declared(name, said), tmp_path, reference=reference, budget=budget)
        for name, said in (("synthetic", TRIPS), ("private", PRIVATE_TRIPS))
    ]
    real = tables.table_of(reference)
    for fixture in fixtures:
        frame = fixture.frame
        assert len(frame) == ROWS
        assert fixture.manifest["schema"] == tables.schema_of(real)
        found = fidelity.measure(real, pa.Table.from_pandas(frame, preserve_index=False), ("trip_id",)).columns
        limits = dict.fromkeys(found, TRIPS["max_distance"]) if fixture.name == "synthetic" else NARROW
        assert all(found[name] <= limit for name, limit in limits.items()), found
        again = capture(chicago.pipeline, frame.head(SENT).astype("string"), model=model)
        verdict = run(chicago.pipeline, again, model=model, policy=chicago.unlabelled)
        assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]
    assert fixtures[0].manifest["leaks"]["ok"]
    same_in_a_fresh_process(reference, fixtures)
