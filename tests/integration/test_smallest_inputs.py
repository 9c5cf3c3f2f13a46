"""The smallest pipeline of each kind of wrong verdict that was met: what it must get, through capture and run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Quality, Stage, StagePolicy, Tolerance, Trial, Verdict, capture, run
from seatrial.checks.base import Check, every_stage
from seatrial.checks.findings import differences
from seatrial.errors import PipelineError
from seatrial.events import Evaluated, Event

Frames = Callable[[pd.DataFrame], pd.DataFrame]
ROWS = 24
RNG = np.random.default_rng(5)
REQUESTS = pd.DataFrame(
    {"id": [f"r{n}" for n in range(ROWS)], "v": np.linspace(1e-7, 1e-6, ROWS), "x": RNG.normal(size=ROWS)}
)


def compared(trial: Trial, stage: str | None) -> Iterator[Event]:
    """A stage on its recorded input, without Great Expectations."""
    assert stage is not None
    parity = trial.parity(stage)
    yield from differences("comparison", stage, parity)
    yield Evaluated("comparison", stage, parity.rows_compared)


COMPARISON = Check("comparison", compared, every_stage)
ALONE, IN_PARTS = (COMPARISON,), (COMPARISON, "invariants")


def ident(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def verdict_of(
    trained: Frames | Stage, served: Frames | Stage | None = None, *, requests: pd.DataFrame = REQUESTS, **how: Any
) -> Verdict:
    """Capture with one stage between two that return their input, and run with another in its place."""
    how = {"checks": ALONE, **how}
    reference = capture(Pipeline("p", key="id", raw=ident, stage=trained, last=ident), requests)
    return run(Pipeline("p", key="id", raw=ident, stage=served or trained, last=ident), reference, **how)


def found(verdict: Verdict) -> list[tuple[str | None, str | None, str | None]]:
    """The stage, column and cause of what is born there and fails the version."""
    return [(f.stage, f.column, f.cause) for f in verdict.errors if not f.downstream]


# --- what must fail ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_rate_ten_times_too_high_fails_however_small_it_is(dtype: str) -> None:
    unit = 1e4 if dtype == "float16" else 1.0  # which holds nothing below 6e-8

    def rate(k: float) -> Frames:
        return lambda f: f[["id"]].assign(rate=(f["v"] * k * unit).astype(dtype))

    verdict = verdict_of(rate(1), rate(10))
    assert found(verdict) == [("stage", "rate", "unit-factor")]
    assert verdict_of(rate(1)).outcome is Outcome.PASS


def test_a_stage_under_the_name_of_the_model_is_named() -> None:
    with pytest.raises(PipelineError, match=r"given model=, and none of its stages \(raw, respond\) takes 'model'"):
        Pipeline("p", key="id", raw=ident, model=ident, respond=ident)  # type: ignore[arg-type]


LABELS = {
    "equal": (np.full(200, 0.1), np.zeros(200), Outcome.INCONCLUSIVE),
    "seconds since 1970, right": (1.7e9 + np.arange(200.0), 1.7e9 + np.arange(200.0) + 0.5, Outcome.PASS),
    "seconds since 1970, wrong": (1.7e9 + np.arange(200.0), 1.7e9 + np.arange(200.0)[::-1], Outcome.FAIL),
}


@pytest.mark.parametrize("case", LABELS)
def test_r2_far_from_zero_or_of_equal_labels_passes_nothing_wrong(case: str) -> None:
    y, predicted, outcome = LABELS[case]
    requests = pd.DataFrame({"id": range(200), "p": predicted})
    pipeline = Pipeline("p", key="id", raw=ident, last=ident)
    reference = capture(pipeline, requests, labels=pd.DataFrame({"id": range(200), "y": y}))
    policy = Policy({"last": StagePolicy(quality=Quality("y", "p", {"r2": 0.9}))})
    verdict = run(pipeline, reference, ["quality"], policy=policy)
    assert verdict.outcome is outcome, verdict.summary


@pytest.mark.parametrize("changed", ["order of categories", "index"])
def test_a_changed_order_of_categories_or_index_is_placed_where_it_was_made(changed: str) -> None:
    """The values are the same there; the stage that reads codes or labels is the first whose values differ."""

    def with_order(*order: str) -> Frames:
        return lambda f: f[["id"]].assign(kind=pd.Categorical(np.where(f["x"] > 0, "a", "b"), categories=order))

    def with_index(first: int) -> Frames:
        return lambda f: f[["id", "x"]].set_index(pd.RangeIndex(first, first + len(f)))

    def codes(frame: pd.DataFrame) -> pd.DataFrame:
        code = frame["kind"].cat.codes.astype("int64") if "kind" in frame else frame.index.to_numpy() * 1.5
        return frame[["id"]].assign(code=code)

    of_kind = "order" in changed
    before, after = (with_order("a", "b"), with_order("b", "a")) if of_kind else (with_index(0), with_index(7))
    reference = capture(Pipeline("p", key="id", raw=before, codes=codes, last=ident), REQUESTS)
    verdict = run(Pipeline("p", key="id", raw=after, codes=codes, last=ident), reference, ["golden"])
    assert verdict.outcome is Outcome.FAIL
    assert verdict.first_failing_stage == "raw", [(f.stage, f.cause, f.message) for f in verdict.findings]


@pytest.mark.parametrize("column", ["text", "number", "vector"])
def test_a_stage_that_differs_from_itself_is_not_repeatable_and_no_hand_off_is_blamed(column: str) -> None:
    draws = np.random.default_rng(0)

    def stage(frame: pd.DataFrame, flaky: bool = True) -> pd.DataFrame:
        values = draws.normal(size=(len(frame), 3)) if flaky else np.zeros((len(frame), 3))
        held = {"text": np.where(values[:, 0] > 0, "up", "down"), "number": values[:, 0], "vector": list(values)}
        return frame[["id"]].assign(y=held[column])

    verdict = verdict_of(lambda f: stage(f, False), stage, checks=(*IN_PARTS, "golden"))
    assert verdict.outcome is Outcome.FAIL
    assert verdict.errors[0].cause == "not-repeatable"
    assert verdict.first_failing_stage == "stage"
    assert not [f for f in verdict.findings if f.cause == "hand-off" or "look the same" in f.message]


# --- what must pass ----------------------------------------------------------------------------------------

WEIGHTS = RNG.normal(size=(8, 16))


def embedded(frame: pd.DataFrame, by: float = 1.0, rows_alone: bool = False) -> pd.DataFrame:
    x = np.outer(frame["x"], np.arange(1, 9))
    made = np.stack([np.tanh(r @ WEIGHTS) for r in x]) if rows_alone and len(x) else np.tanh(x @ WEIGHTS)
    return frame[["id"]].assign(v=pd.Series(list(made * by), index=frame.index, dtype="object"))


def test_embeddings_whose_sums_are_taken_in_another_order_pass_and_others_fail() -> None:
    assert verdict_of(embedded, checks=IN_PARTS).outcome is Outcome.PASS
    assert verdict_of(embedded, lambda f: embedded(f, rows_alone=True)).outcome is Outcome.PASS
    assert found(verdict_of(embedded, lambda f: embedded(f, 1.001))) == [("stage", "v", "unit-factor")]


def listed(frame: pd.DataFrame, by: float = 0.0) -> pd.DataFrame:
    cells = [[{"item": "a", "score": 0.1 + abs(x) * (1 + by)}] for x in frame["x"]]
    return frame[["id"]].assign(found=pd.Series(cells, index=frame.index, dtype="object"))


@pytest.mark.parametrize(("by", "outcome"), [(5e-4, Outcome.PASS), (5e-3, Outcome.FAIL)])
def test_a_stated_tolerance_holds_inside_lists_of_objects(by: float, outcome: Outcome) -> None:
    policy = Policy({name: StagePolicy({"found": Tolerance(rtol=1e-3)}) for name in ("stage", "last")})
    assert verdict_of(listed, lambda f: listed(f, by), policy=policy, checks=IN_PARTS).outcome is outcome
    assert verdict_of(listed, lambda f: listed(f, by)).outcome is Outcome.FAIL


def rows_of_requests(name: Callable[[int, int], Any]) -> Frames:
    def stage(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame.loc[frame.index.repeat(3)].reset_index(drop=True)
        item = np.tile(np.arange(3), len(frame))
        scored = rows.assign(item=[name(*at) for at in enumerate(item)], score=np.cos(rows["x"] * 9 + item))
        by = scored.groupby("id")["score"]
        return scored.assign(rank=by.rank(), before=by.shift(fill_value=0.0))

    return stage


def test_several_rows_a_request_pass_where_ranks_and_shifts_stay_within_a_request() -> None:
    key = ("id", "item")
    many = Stage(rows_of_requests(lambda _, item: f"#{item}"), key=key)
    reference = capture(Pipeline("p", key="id", raw=ident, items=many, last=Stage(ident, key=key)), REQUESTS)
    pipeline = Pipeline("p", key="id", raw=ident, items=many, last=Stage(ident, key=key))
    verdict = run(pipeline, reference, IN_PARTS)
    assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]
    assert {j.check for j in verdict.evaluated} == {"comparison", "invariants"}


def test_rows_that_name_their_request_and_themselves_in_one_text_pass() -> None:
    """The key of the requests is not in the frame: ``r7#2`` is row 2 of request r7."""

    def rows(frame: pd.DataFrame) -> pd.DataFrame:
        many = frame.loc[frame.index.repeat(3)].reset_index(drop=True)
        return many.assign(id=many["id"] + "#" + pd.Series(np.tile(["0", "1", "2"], len(frame)), dtype="object"))

    verdict = verdict_of(rows, checks=IN_PARTS)
    assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]
    lost = verdict_of(rows, lambda f: rows(f).iloc[:-1])
    assert lost.outcome is Outcome.FAIL


def test_a_noisy_column_of_five_passes_as_often_as_it_is_run() -> None:
    draws = np.random.default_rng(1)

    def noisy(frame: pd.DataFrame) -> pd.DataFrame:
        drawn = draws.normal(0, 0.1, (5, len(frame)))
        return frame[["id"]].assign(**{f"y{n}": frame["x"] + values for n, values in enumerate(drawn)})

    pipeline = Pipeline("p", key="id", raw=ident, stage=noisy, last=ident)
    reference = capture(pipeline, REQUESTS, noise="record")
    outcomes = [run(pipeline, reference, [COMPARISON]).outcome for _ in range(20)]
    assert outcomes.count(Outcome.PASS) >= 19


def test_cells_that_a_stage_writes_into_pass_and_the_callers_requests_are_unchanged() -> None:
    requests = pd.DataFrame({"id": range(12), "payload": [{"v": float(n), "w": 0} for n in range(12)]})
    kept = [dict(cell) for cell in requests["payload"]]

    def pop(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[["id"]].assign(v=[cell.pop("v") for cell in frame["payload"]])

    assert verdict_of(pop, requests=requests, checks=IN_PARTS).outcome is Outcome.PASS
    assert requests["payload"].tolist() == kept


CELLS: dict[str, Frames] = {
    "bytes": lambda f: f.assign(y=[bytes([255, 216, int(i[1:])]) for i in f["id"]]),
    "intervals": lambda f: f.assign(y=pd.cut(f["x"], [-9, 0, 9])),
    "complex": lambda f: f.assign(y=f["x"] + 1j),
    "sparse": lambda f: f.assign(y=pd.arrays.SparseArray(f["x"].to_numpy())),
    "large integers": lambda f: f.assign(y=pd.Series([2**63 + 1] * len(f), dtype="object", index=f.index)),
    "matrices": lambda f: f.assign(y=pd.Series([np.full((2, 3), x) for x in f["x"]], index=f.index, dtype="object")),
    "Arrow lists": lambda f: f.assign(y=pd.array([[x] for x in f["x"]], dtype=_arrow_lists())),
    "optional flags": lambda f: f.assign(y=pd.Series(np.where(f["x"] > 0, True, None), index=f.index, dtype="object")),
}


def _arrow_lists() -> pd.ArrowDtype:
    import pyarrow as pa

    return pd.ArrowDtype(pa.list_(pa.float64()))


@pytest.mark.parametrize("kind", CELLS)
def test_what_people_return_passes_and_a_null_among_it_fails(kind: str) -> None:
    def nulled(frame: pd.DataFrame) -> pd.DataFrame:
        made = CELLS[kind](frame)
        return made.assign(y=made["y"].astype("object").where(made["id"] != "r3", None).astype(made["y"].dtype))

    verdict = verdict_of(CELLS[kind], checks=IN_PARTS)
    assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings]
    if kind != "optional flags":
        assert verdict_of(CELLS[kind], nulled).outcome is Outcome.FAIL
