"""The chain of stages, asked in parts and request by request: the hand-off that breaks is named, clean chains pass."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Severity, Stage, Trial, Verdict, capture, run
from seatrial.checks.invariants import check
from seatrial.checks.invariants.chained import segments
from seatrial.checks.invariants.handed import handed_over
from seatrial.checks.invariants.variations import SAMPLE_REQUESTS
from seatrial.events import Finding, NotEvaluated

ROWS = 60


def requests() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "id": [f"t-{n:03d}" for n in range(ROWS)],
            "x": rng.normal(size=ROWS),
            "country": rng.choice(["DE", "FR", "PT"], ROWS),
            "note": [None if n % 3 else "gift" for n in range(ROWS)],
        }
    )


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def verdict_of(given: pd.DataFrame | None = None, **stages) -> Verdict:
    pipeline = Pipeline("p", key="id", **stages)
    return run(pipeline, capture(pipeline, requests() if given is None else given), ["invariants"])


def origins(verdict: Verdict) -> list[tuple[str | None, str | None]]:
    return [(f.stage, f.cause) for f in verdict.errors]


def by_category(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(country=frame["country"].astype("category"))


def declared(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(country=pd.Categorical(frame["country"], categories=["DE", "FR", "PT"]))


def codes(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["id"]].assign(score=frame["country"].cat.codes * 0.5 + frame["x"])


def from_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Types as pandas infers them from the rows: float64, and object where the only value is None."""
    values = [None if n % 3 else float(n) for n in frame["id"].str[2:].astype(int)]
    return pd.DataFrame([{"id": i, "n": v} for i, v in zip(frame["id"], values, strict=True)])


def with_types(frame: pd.DataFrame) -> pd.DataFrame:
    return from_rows(frame).astype({"n": "float64"})


def logarithm(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["id"]].assign(log=np.log1p(frame["n"]).fillna(0.0))


def positive(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["x"] > 0]


def by_label(frame: pd.DataFrame) -> pd.DataFrame:
    """Right where the labels are 0…n-1, and where the row after label 0 is kept with it."""
    return frame[["id"]].assign(first=float(0 in frame.index or len(frame) > 1))


# --- what the chain shows is not asked twice ---------------------------------------------------------------


@pytest.mark.parametrize("as_trained", [True, False])
def test_a_stage_is_asked_request_by_request_once_where_its_chain_gives_it_what_training_saw(as_trained: bool) -> None:
    alone = []

    def counted(frame: pd.DataFrame) -> pd.DataFrame:
        alone.append(len(frame) == 1)
        return frame[["id"]].assign(score=frame["x"] * 2)

    def raw(frame: pd.DataFrame) -> pd.DataFrame:
        return frame if as_trained else frame.assign(x=frame["x"] + 1.0)

    trained = Pipeline("p", key="id", raw=same, prediction=counted, response=same)
    reference = capture(trained, requests())
    alone.clear()
    run(Pipeline("p", key="id", raw=raw, prediction=counted, response=same), reference, ["invariants"])
    assert sum(alone) == (SAMPLE_REQUESTS if as_trained else 2 * SAMPLE_REQUESTS)


def test_a_stage_is_asked_alone_where_only_its_recorded_input_shows_what_it_does() -> None:
    """The stage before hides it: what training gave is not what serving hands over."""

    def ranked(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[["id"]].assign(rank=frame["x"].rank(method="min"))

    def flat(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(x=1.0)

    given = {"raw": requests()}
    reference = capture(Pipeline("p", key="id", raw=flat, prediction=ranked), requests(), given=given)
    verdict = run(Pipeline("p", key="id", raw=flat, prediction=ranked), reference, ["invariants"])
    assert ("prediction", "batch-dependent") in origins(verdict)


# --- what breaks in small batches only ---------------------------------------------------------------------


def test_categories_that_follow_from_the_batch_break_at_the_stage_that_reads_their_codes() -> None:
    verdict = verdict_of(raw=by_category, prediction=codes, response=same)
    assert origins(verdict) == [("prediction", "hand-off")]
    (finding,) = verdict.errors
    assert "The hand-off from 'raw' to 'prediction' depends on the batch." in finding.message
    assert "'country' has 1 category instead of 3" in finding.message
    assert finding.column == "score"
    assert finding.evidence["before"] == "raw"
    assert "country" in finding.evidence["handed_over"]  # and on pandas 2 an object column that is null alone
    assert finding.evidence["worst_keys"]
    assert verdict_of(raw=declared, prediction=codes, response=same).outcome is Outcome.PASS


def test_a_column_that_is_null_alone_and_makes_the_next_stage_raise_is_a_hand_off() -> None:
    verdict = verdict_of(raw=from_rows, prediction=logarithm, response=same)
    assert origins(verdict) == [("prediction", "hand-off")]
    (finding,) = verdict.errors
    assert "TypeError" in finding.message
    assert "'n' has type object instead of float64" in finding.message
    assert finding.evidence["handed_over"] == ["n"]
    assert verdict_of(raw=with_types, prediction=logarithm, response=same).outcome is Outcome.PASS


def test_what_is_handed_over_is_described_without_values() -> None:
    whole = pd.DataFrame({"a": pd.Series(["secret", None], dtype=object), "b": pd.Series([1, "x"], dtype=object)})
    nulls = pd.DataFrame({"a": pd.Series([None], dtype=object), "b": pd.Series([b"secret"], dtype=object)})
    text, columns = handed_over(whole, [whole, nulls], [])
    assert text == "In smaller batches 'a' holds nulls alone; 'b' holds cells of type bytes."
    assert columns == ["a", "b"]
    assert handed_over(whole, [whole], [])[1] == []


def test_a_type_that_follows_from_the_batch_breaks_at_the_stage_that_reads_it() -> None:
    def parsed(frame: pd.DataFrame) -> pd.DataFrame:  # float64 with a null among them, int64 without
        rows = [{"id": i, "n": int(1e3 * x) if x > -1 else None} for i, x in zip(frame["id"], frame["x"], strict=True)]
        return pd.DataFrame(rows)

    def halved(frame: pd.DataFrame) -> pd.DataFrame:
        whole = frame["n"].dtype.kind == "i"
        return frame[["id"]].assign(half=(frame["n"] // 2 if whole else frame["n"] / 2).astype("float64"))

    verdict = verdict_of(raw=parsed, features=halved, response=same)
    assert origins(verdict) == [("features", "hand-off")]
    assert "'n' has type int64 instead of float64" in verdict.errors[0].message


def test_raw_payloads_are_followed_through_the_chain_too() -> None:
    payloads = pd.DataFrame({"payload": [json.dumps(r) for r in requests()[["id", "x", "country"]].to_dict("records")]})

    def parse(frame: pd.DataFrame) -> pd.DataFrame:
        return by_category(pd.DataFrame([json.loads(p) for p in frame["payload"]], columns=["id", "x", "country"]))

    def parse_declared(frame: pd.DataFrame) -> pd.DataFrame:
        return declared(parse(frame).astype({"country": "str"}))

    assert origins(verdict_of(payloads, raw=parse, prediction=codes)) == [("prediction", "hand-off")]
    assert verdict_of(payloads, raw=parse_declared, prediction=codes).outcome is Outcome.PASS


def test_a_stage_that_breaks_by_itself_is_told_once_and_no_hand_off_is_blamed() -> None:
    verdict = verdict_of(
        raw=same, features=lambda f: f.assign(rank=f["x"].rank()), response=lambda f: f.assign(rank=f["rank"] * 2)
    )
    assert origins(verdict) == [("features", "batch-dependent")]


def test_two_hand_offs_that_break_are_found_at_the_first() -> None:
    verdict = verdict_of(raw=by_category, prediction=codes, response=lambda f: f.assign(up=f["score"] > 0))
    assert origins(verdict) == [("prediction", "hand-off")]


# --- what must pass ----------------------------------------------------------------------------------------


def test_noise_within_the_tolerance_that_rounding_makes_visible_is_no_hand_off() -> None:
    """A float32 model gives its last bits by the size of the batch, and a stage that rounds makes more of them."""

    def noisy(frame: pd.DataFrame) -> pd.DataFrame:
        score = np.float32(0.0123455) + np.zeros(len(frame), dtype="float32")  # half way between two roundings
        return frame[["id"]].assign(score=np.nextafter(score, np.float32(len(frame) % 2), dtype="float32"))

    def rounded(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(score=frame["score"].astype("float64").round(6))

    at_most_two = {rounded(noisy(requests().head(n)))["score"].iloc[0] for n in (60, 1)}
    assert len(at_most_two) == 2, "the rounding differs by the size of the batch"
    assert verdict_of(raw=same, prediction=noisy, response=rounded).outcome is Outcome.PASS


def test_a_filter_that_keeps_labels_passes_where_nobody_reads_them() -> None:
    assert verdict_of(raw=positive, features=lambda f: f.assign(double=f["x"] * 2)).outcome is Outcome.PASS


def test_labels_that_a_filter_leaves_break_where_one_request_has_another_label() -> None:
    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.set_index(pd.RangeIndex(len(frame)) + (len(frame) == 1))

    verdict = verdict_of(raw=labelled, features=by_label)
    assert origins(verdict) == [("features", "hand-off")]
    assert "its index is not 0…n-1" in verdict.errors[0].message


def test_a_chain_that_fails_in_one_batch_is_not_evaluated_here() -> None:
    trained = Pipeline("p", key="id", raw=declared, prediction=codes)
    served = Pipeline("p", key="id", raw=lambda f: declared(f).astype({"country": "str"}), prediction=codes)
    trial = Trial(served, capture(trained, requests()))
    events = list(check.check.run(trial, "prediction"))
    (not_evaluated,) = [e for e in events if isinstance(e, NotEvaluated)]
    assert "stage 'prediction' failed in one batch" in not_evaluated.reason
    assert not [e for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR]


# --- declared ----------------------------------------------------------------------------------------------


def test_a_stage_that_depends_on_the_batch_by_design_is_shown_and_not_judged_in_parts() -> None:
    page = Stage(lambda f: f.assign(position=range(len(f))), batch_dependent="positions are within the page.")
    verdict = verdict_of(raw=same, page=page, response=same)
    assert verdict.outcome is Outcome.PASS
    (finding,) = [f for f in verdict.findings if f.cause == "batch-dependent-by-design"]
    assert finding.severity is Severity.INFO
    assert "positions are within the page. Whether" in finding.message


def test_a_stage_that_depends_on_the_batch_by_design_must_repeat_itself_still() -> None:
    runs = iter(range(1_000))
    page = Stage(lambda f: f.assign(position=next(runs) > 2), batch_dependent="positions are within the page")
    verdict = verdict_of(raw=same, page=page, response=same)
    assert origins(verdict) == [("page", "not-repeatable")]


def test_the_chain_is_judged_before_and_after_a_stage_that_depends_on_the_batch() -> None:
    page = Stage(same, batch_dependent="positions are within the page")
    stages = {"a": same, "b": same, "page": page, "c": by_category, "d": codes}
    assert segments(Pipeline("p", key="id", **stages)) == [("a", "b"), ("c", "d")]
    assert origins(verdict_of(**stages)) == [("d", "hand-off")]


class Counted:
    """A stage that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        self.calls += 1
        return frame.assign(double=frame["x"] * 2)


@pytest.mark.parametrize("calls", [1, 2, 5, 9, 40])
@pytest.mark.parametrize("broken", [False, True])
def test_a_dear_stage_is_called_no_more_often_than_it_allows_and_what_is_left_out_is_told(calls, broken) -> None:
    dear = Counted()
    stages = {"raw": by_category if broken else declared, "dear": Stage(dear, calls=calls), "score": codes}
    pipeline = Pipeline("p", key="id", **stages)
    reference = capture(pipeline, requests())
    dear.calls = 0
    trial = Trial(pipeline, reference)
    for stage in pipeline.stages:
        trial.isolated(stage), trial.chained(stage)
    dear.calls = 0
    events = [e for stage in pipeline.stages for e in check.check.run(trial, stage)]
    assert 0 < dear.calls <= calls
    told = [e for e in events if isinstance(e, Finding) and e.cause == "calls"]
    assert any(e.stage == "dear" for e in told)
    assert all(e.severity is Severity.INFO for e in told)
    assert not [e for e in events if isinstance(e, NotEvaluated)]


def test_a_dear_stage_that_depends_on_the_row_fails_with_few_calls() -> None:
    dear = Stage(lambda f: f.assign(score=0.0 if len(f) == 1 else f["x"]), calls=3)
    assert origins(verdict_of(raw=same, dear=dear)) == [("dear", "row-dependent")]
