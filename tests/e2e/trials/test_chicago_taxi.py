"""Real data: a clean pipeline never fails, over hundreds of references, and subtle faults are placed."""

import numpy as np
import pandas as pd
import pytest

from seatrial import Check, Outcome, Reference, capture, run
from seatrial.checks.base import every_stage
from seatrial.checks.findings import differences
from seatrial.events import Evaluated
from tests.e2e.trials import chicago
from tests.e2e.trials.faults import then
from tests.support.paths import SHARED

DATA = SHARED / "data" / "chicago_taxi.csv"
pytestmark = pytest.mark.skipif(not DATA.is_file(), reason="the taxi trips are not beside this checkout")

TRAINED = 6_000  # the first trips of the file; the others are held out
RUNS, WHOLE, GOLDEN = 20, 1, 6  # clean validations; the first ask every check, the next golden, the rest compare


@pytest.fixture(scope="module")
def trips():
    return chicago.read(DATA)


@pytest.fixture(scope="module")
def features(trips):
    return chicago.training_features(trips)


@pytest.fixture(scope="module")
def model(trips, features):
    return chicago.fit(features[:TRAINED], chicago.labels(trips)["tipped"][:TRAINED])


@pytest.fixture(scope="module")
def captured(trips, features, model):
    def of(rows):
        some = trips.iloc[rows]
        return capture(
            chicago.pipeline, chicago.requests(some), model=model,
            given={"features": features.iloc[rows]}, labels=chicago.labels(some),
        )  # fmt: skip

    return of


@pytest.fixture(scope="module")
def reference(captured, tmp_path_factory):
    saved = captured(range(TRAINED, TRAINED + 800)).save(tmp_path_factory.mktemp("tips") / "reference")
    return Reference.load(saved)


def test_real_trips_pass_every_check(reference, model):
    """Gaps, cut company names and the warehouse's own features: nothing to find, not even a warning."""
    verdict = run(chicago.pipeline, reference, model=model, policy=chicago.policy)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert [f for f in verdict.findings if f.severity != "info"] == []
    assert {j.check for j in verdict.evaluated} >= {"expectations", "golden", "invariants", "quality"}


def compare(trial, stage):
    """What golden and expectations rest on, without Great Expectations: the kernel on both replays of a stage."""
    compared = 0
    for replay in ("isolated", "chained"):
        parity = trial.parity(stage, replay)
        yield from differences("comparison", stage, parity)
        compared += parity.rows_compared * len(parity.columns)
    yield Evaluated("comparison", stage, compared)


def test_clean_versions_never_fail(captured, trips, model):
    """20 references of held-out trips, drawn anew, are 20 passes without a warning.

    One of 800 trips is asked every check. The others have 60 to 400 trips, too few to judge a model by: 5 are asked
    golden, and 14 only the comparison of every stage, alone and in the chain. ``tests/bench/clean_runs.py`` asks
    hundreds.
    """
    failed = []
    for n in range(RUNS):
        rng = np.random.default_rng([2024, n])
        size = 800 if n < WHOLE else int(rng.integers(60, 401))
        rows = rng.choice(np.arange(TRAINED, len(trips)), size, replace=False)
        policy = chicago.policy if n < WHOLE else chicago.unlabelled
        checks = None if n < WHOLE else ["golden"] if n < GOLDEN else [Check("comparison", compare, every_stage)]
        verdict = run(chicago.pipeline, captured(rows), checks, model=model, policy=policy, seed=n)
        if verdict.outcome is not Outcome.PASS or any(f.severity != "info" for f in verdict.findings):
            failed.append((n, verdict.summary, [f.message for f in verdict.findings]))
    assert failed == []


def in_chicago(frame):
    """The timestamps taken for UTC and turned to Chicago, summer time and all."""
    local = frame["started"].dt.tz_localize("UTC").dt.tz_convert("America/Chicago").dt.tz_localize(None)
    return chicago.build(frame.assign(started=local))


def gap_filled(frame):
    """The gaps of companies filled with the most frequent one."""
    most = frame["company"].mode()[0]
    return chicago.build(frame.assign(company=frame["company"].fillna(most)))


def gap_kept(frame):
    """Empty company names stay empty text, which is not null."""
    return frame.assign(company=frame["company"].fillna(""))


def area_numbers(frame):
    """Community areas read as numbers: 8 becomes 8.0."""
    areas = {name: frame[name].astype("float64").astype("string") for name in chicago.AREAS}
    return frame.assign(**areas)


def in_miles(frame):
    """The distance in miles under a name that says kilometres."""
    return frame.assign(distance_km=frame["distance_km"] / 1.609344)


def in_whole_units(frame):
    """Tips rounded to whole units before they are rounded to cents."""
    return frame.assign(tip=frame["tip"].round(0))


FAULTS = {
    "timezone": ("features", "hour", "shifted-timezone", {"features": in_chicago}),
    "company-gap-filled": ("features", "company", "default-fill", {"features": gap_filled}),
    "company-gap-is-text": ("raw", "company", "default-fill", {"raw": then(chicago.parse, gap_kept)}),
    "area-is-a-number": ("raw", "pickup_community_area", "number-format", {"raw": then(chicago.parse, area_numbers)}),
    "miles": ("features", "distance_km", "unit-factor", {"features": then(chicago.build, in_miles)}),
    "tip-rounded": ("postprocess", "tip", "rounding", {"postprocess": then(chicago.decide, in_whole_units)}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_subtle_fault_is_placed(name, reference, model):
    """On real data too, the verdict names the stage, the column and the cause."""
    place, column, cause, stages = FAULTS[name]
    checks = ["expectations", "golden"]
    verdict = run(chicago.make(**stages), reference, checks, model=model, policy=chicago.policy)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.first_failing_stage == place
    born = [f for f in verdict.errors if f.stage == place and not f.downstream]
    assert (column, cause) in {(f.column, f.cause) for f in born}, born


def test_one_trip_in_two_hundred_is_enough(reference, model):
    """A fault in four rows of 800 fails the version and names those rows."""
    keys = reference.frame("features")["trip_id"].iloc[::200]

    def build(frame):
        out = chicago.build(frame)
        return out.assign(fare=out["fare"].mask(out["trip_id"].isin(keys), out["fare"] + 0.01))

    verdict = run(chicago.make(features=build), reference, ["expectations", "golden"], model=model)
    born = next(f for f in verdict.errors if f.stage == "features" and f.column == "fare")
    assert verdict.first_failing_stage == "features"
    assert set(born.evidence["keys"]) == set(keys)


def test_rows_that_are_null_where_training_had_none_fail(reference, model):
    """One null in one column of one stage is never within a tolerance."""

    def build(frame):
        out = chicago.build(frame)
        return out.assign(trip_miles=out["trip_miles"].where(out["trip_id"] != out["trip_id"].iloc[0]))

    verdict = run(chicago.make(features=build), reference, ["golden"], model=model)
    assert verdict.first_failing_stage is not None
    assert verdict.outcome is Outcome.FAIL
    assert pd.notna(reference.frame("features")["trip_miles"].iloc[0])
