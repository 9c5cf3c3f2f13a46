"""Requests are asked whole, what they should give follows from what was asked, and large references are sampled."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial import Outcome, Pipeline, Severity, Stage, Trial, Verdict, capture, run
from seatrial.checks.invariants import asked, check
from seatrial.checks.invariants.reassembly import expected_of
from seatrial.checks.invariants.stage import ULP, StageProbe
from seatrial.checks.invariants.variations import choose, in_parts, one_by_one, sample, shuffled
from seatrial.events import Finding
from seatrial.pipeline.requests import request_numbers
from tests.support import cell_kinds

KINDS = cell_kinds.kinds() | {
    "NaN of Arrow": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([float("nan")] * 3))),
    "lists of Arrow": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([[1.0], None, [2.0, 3.0]]))),
}


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def verdict_of(requests: pd.DataFrame, **stages) -> Verdict:
    pipeline = Pipeline("p", key="id", **stages)
    return run(pipeline, capture(pipeline, requests), ["invariants"])


def origins(verdict: Verdict) -> list[tuple[str | None, str | None]]:
    return [(f.stage, f.cause) for f in verdict.errors]


def payloads(rows: int = 120) -> pd.DataFrame:
    return pd.DataFrame({"payload": [json.dumps({"id": f"t-{n}", "x": n / rows}) for n in range(rows)]})


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame([json.loads(p) for p in frame["payload"]], columns=["id", "x"]).astype({"x": "float64"})


# --- rows that are lost ------------------------------------------------------------------------------------


def losing(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep some rows, and fewer of a request that comes alone."""
    out = parse(frame)
    return out[out["x"] < (0.5 if len(frame) == 1 else 0.9)]


def test_rows_that_are_lost_one_by_one_are_missed_although_the_input_has_no_key() -> None:
    verdict = verdict_of(payloads(), raw=losing, next=same)
    assert origins(verdict) == [("raw", "row-dependent")]
    (finding,) = verdict.errors
    assert "missing" in finding.message
    assert finding.evidence["missing_keys"]["count"] > 0
    assert "A sample was asked: 50 of 120 requests" in finding.message
    assert verdict_of(payloads(), raw=lambda f: parse(f)[parse(f)["x"] < 0.9], next=same).outcome is Outcome.PASS


@pytest.mark.parametrize("calls", [3, 5])
def test_requests_that_nothing_is_found_for_are_no_difference(calls: int) -> None:
    """A dear stage may be asked for one request alone, and that one may have no rows: nothing of it differs."""
    requests = pd.DataFrame({"id": [f"t-{n}" for n in range(40)], "x": [1.0] + [0.0] * 39})

    def find(frame: pd.DataFrame) -> pd.DataFrame:
        found = frame.merge(pd.DataFrame({"least": [0.5, 0.6], "item": [1, 2]}), how="cross")
        return found[found["x"] > found["least"]].reset_index(drop=True)

    row = ("id", "item")
    found = {"found": Stage(find, key=row, calls=calls), "next": Stage(same, key=row)}
    verdict = verdict_of(requests, raw=same, **found)
    assert verdict.errors == ()
    assert verdict.outcome is Outcome.PASS


def test_rows_that_are_lost_one_by_one_are_missed_where_the_key_is_cast() -> None:
    requests = pd.DataFrame({"id": range(120), "x": np.arange(120) / 120})

    def cast(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(id="t-" + frame["id"].astype("str"))

    def cast_and_lose(frame: pd.DataFrame) -> pd.DataFrame:
        return cast(frame)[frame["x"] < (0.5 if len(frame) == 1 else 0.9)]

    assert origins(verdict_of(requests, raw=cast_and_lose, next=same)) == [("raw", "row-dependent")]
    assert verdict_of(requests, raw=cast, next=same).outcome is Outcome.PASS


def test_rows_that_every_batch_adds_are_counted_as_repeated() -> None:
    def with_total(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame.head(1).assign(id="total", x=0.0)], ignore_index=True)

    verdict = verdict_of(parse(payloads(40)), raw=with_total, next=same)
    (finding,) = [f for f in verdict.errors if f.stage == "raw"]
    assert "repeated" in finding.message
    assert finding.evidence["duplicate_keys"]["count"] > 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=60, max_size=80), st.booleans(), st.integers(0, 9))
def test_a_row_that_is_lost_alone_is_always_expected(rows, named: bool, seed: int) -> None:
    """Whichever rows a stage keeps together and alone: those it keeps together are expected of it alone."""
    together = np.array([kept for kept, _ in rows])
    together[0] = True
    frame = pd.DataFrame({"id" if named else "payload": [f"t-{n}" for n in range(len(rows))]})

    def ask(at) -> pd.DataFrame:
        return pd.DataFrame({"id": [f"t-{n}" for n in at if together[n]]}, dtype="str")

    numbers = request_numbers(frame, "id")
    batches = one_by_one(frame, numbers, np.random.default_rng(seed), 50)
    expected = expected_of(ask(range(len(rows))), frame, ("id",), batches, ask)
    wanted = {f"t-{n}" for n in np.concatenate(batches) if together[n]}
    if together.all():
        wanted = {f"t-{n}" for n in np.concatenate(batches)}
    assert set(expected["id"]) == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_requests_are_chosen_from_columns_of_every_kind(kind: str) -> None:
    column = KINDS[kind].iloc[np.arange(60) % len(KINDS[kind])].reset_index(drop=True)
    chosen = choose(pd.DataFrame({"id": range(60), "x": column}), np.arange(60), 50, np.random.default_rng(0))
    assert len(chosen) == len(set(chosen)) == 50


# --- half precision ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "effect"), [("float16", 0.03), ("float16", 0.006), ("float32", 1e-4)])
def test_a_batch_effect_is_found_in_every_precision(dtype: str, effect: float) -> None:
    requests = pd.DataFrame({"id": range(60), "x": np.linspace(1.0, 2.0, 60)})

    def scored(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[["id"]].assign(score=(frame["x"] * (1 + effect * (len(frame) == 1))).astype(dtype))

    assert origins(verdict_of(requests, raw=same, prediction=scored)) == [("prediction", "row-dependent")]


def test_the_last_bit_of_a_float16_may_move_between_batches() -> None:
    requests = pd.DataFrame({"id": range(60), "x": np.linspace(1.0, 2.0, 60)})

    def scored(frame: pd.DataFrame) -> pd.DataFrame:
        score = frame["x"].to_numpy().astype("float16")
        return frame[["id"]].assign(score=np.nextafter(score, np.float16(9)) if len(frame) == 1 else score)

    assert verdict_of(requests, raw=same, prediction=scored).outcome is Outcome.PASS
    assert 2**-10 * ULP["float16"] < 0.003


@pytest.mark.parametrize(
    ("cells", "ulp"),
    [
        (pd.Series([1.0]), 65), (pd.Series([1.0], dtype="float32"), 65), (pd.Series([1.0], dtype="float16"), 2),
        (pd.Series([[1.0, 2.0]]), 65), (pd.Series([np.ones(2, "float16")]), 2),
        (pd.Series([1]), None), (pd.Series(["a"]), None),
        (pd.Series([[{"a": 1.5}]]), None),  # Python's floats are float64, whose default allows more than 65
    ],
    ids=str,
)  # fmt: skip
def test_floats_in_cells_have_the_allowance_of_their_precision(cells: pd.Series, ulp: int | None) -> None:
    pipeline = Pipeline("p", key="id", raw=lambda f: f[["id"]].assign(v=list(cells) * len(f)), next=same)
    pipeline = Pipeline("p", key="id", raw=lambda f: f[["id"]].assign(v=pd.concat([cells] * len(f)).array), next=same)
    trial = Trial(pipeline, capture(pipeline, pd.DataFrame({"id": [1, 2]})))
    assert StageProbe.of(trial, "raw").tolerances["v"].ulp == ulp


# --- whole requests ----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=120), st.integers(0, 5), st.integers(2, 3), st.integers(1, 60))
def test_no_variation_parts_a_request_or_loses_one(ids: list[int], seed: int, parts: int, most: int) -> None:
    frame = pd.DataFrame({"id": ids, "x": range(len(ids))})
    numbers, rng = request_numbers(frame, "id"), np.random.default_rng(seed)

    def requests_in(rows) -> list[int]:
        return frame["id"].iloc[rows].tolist()

    for batches, all_rows in (
        (in_parts(frame, numbers, rng, parts), True), (shuffled(frame, numbers, rng), True),
        (one_by_one(frame, numbers, rng, most), False), ([sample(frame, numbers, rng, most)], False),
    ):  # fmt: skip
        rows = [int(row) for batch in batches for row in batch]
        assert len(rows) == len(set(rows))
        whole = [n for n in ids if n in set(requests_in(rows))]
        assert sorted(requests_in(rows)) == sorted(whole), "a request is in it whole or not at all"
        assert not all_rows or len(rows) == len(ids)
        assert sum(len(set(requests_in(b))) for b in batches) == len(set(requests_in(rows))), "in one batch"
        for batch in batches:
            positions = pd.Series(list(batch), dtype=int)
            ordered = positions.groupby(numbers[batch]).apply(lambda p: p.is_monotonic_increasing)
            assert ordered.all(), "the rows of a request keep their order"


# --- large references --------------------------------------------------------------------------------------


class Counted:
    """A stage that counts the rows it gets."""

    def __init__(self, change=same) -> None:
        self.rows, self.change = 0, change

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        self.rows += len(frame)
        return self.change(frame)


@pytest.mark.parametrize("rows", [400, 1600])
@pytest.mark.parametrize("keyless", [False, True])
def test_the_cost_is_bounded_whatever_the_size_of_the_reference(monkeypatch, rows: int, keyless: bool) -> None:
    monkeypatch.setattr(asked, "MOST_ROWS", 100)
    stage = Counted()
    pipeline = Pipeline("p", key="id", raw=parse if keyless else same, features=stage)
    reference = capture(pipeline, payloads(rows) if keyless else parse(payloads(rows)))
    trial = Trial(pipeline, reference)
    trial.isolated("features"), trial.chained("features")
    stage.rows = 0
    events = [e for s in pipeline.stages for e in check.check.run(trial, s)]
    assert not [e for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR]
    assert stage.rows <= 100 * 6 + 3 * 50


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda f: f.assign(rank=f["x"].rank()), "batch-dependent"),
        (lambda f: f.assign(before=f["x"].shift(fill_value=0.0)), "order-dependent"),
        (lambda f: f.assign(alone=len(f) == 1), "row-dependent"),
        (lambda f: f.assign(noise=np.random.default_rng().normal(size=len(f))), "not-repeatable"),
    ],
)
def test_a_sample_finds_what_the_whole_would_and_says_that_it_is_one(monkeypatch, change, cause: str) -> None:
    monkeypatch.setattr(asked, "MOST_ROWS", 100)
    trained = Pipeline("p", key="id", raw=same, features=lambda f: change(f.copy()) if cause != "not-repeatable" else
                       f.assign(noise=0.0))  # fmt: skip
    served = Pipeline("p", key="id", raw=same, features=change)
    trial = Trial(served, capture(trained, parse(payloads(400))))
    events = list(check.check.run(trial, "features"))
    (finding,) = [e for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR]
    assert finding.cause == cause
    assert "A sample was asked:" in finding.message
    assert "of 400 requests" in finding.message
    assert finding.evidence["requests_in_reference"] == 400
