"""Pipelines of other shapes than one row in, one row out: the right version passes, a wrong one fails at its stage."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from seatrial import Pipeline, Stage, capture, run
from seatrial.checks.base import Check, every_stage
from seatrial.checks.findings import differences
from seatrial.errors import ReferenceInvalid, StageError
from seatrial.events import Evaluated, Event, Outcome, Severity, Verdict
from seatrial.trial import Trial
from tests.support.shapes import BASKETS, FAN_OUT, RANKING, SCORES, SHAPES, Shape, candidates, same


def compared(trial: Trial, stage: str | None) -> Iterator[Event]:
    """The stage replays alone: a check of few milliseconds."""
    assert stage is not None
    parity = trial.parity(stage)
    yield from differences("replay", stage, parity)
    yield Evaluated("replay", stage, parity.rows_compared)


REPLAY = Check("replay", compared, every_stage)


def validated(shape: Shape, pipeline: Pipeline, *checks: str | Check) -> Verdict:
    return run(pipeline, capture(shape.pipeline(), shape.requests), checks=checks or [REPLAY])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_right_version_of_every_shape_passes(shape: Shape) -> None:
    verdict = validated(shape, shape.pipeline(), REPLAY, "golden", "invariants")
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert [f.message for f in verdict.findings if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize(
    ("shape", "bug"), [pytest.param(s, b, id=f"{n}-{b}") for n, s in SHAPES.items() for b in s.bugs]
)
def test_a_wrong_version_of_every_shape_fails_at_its_stage(shape: Shape, bug: str) -> None:
    stage, function, cause = shape.bugs[bug]
    verdict = validated(shape, shape.pipeline(**{stage: function}))
    assert verdict.outcome is Outcome.FAIL, verdict.summary
    assert verdict.first_failing_stage == stage
    own = [f for f in verdict.findings if f.stage == stage and f.severity is Severity.ERROR and not f.downstream]
    assert own
    assert cause is None or own[0].cause == cause, own[0]


def test_the_checkpoint_agrees_about_rows_of_several_keys_and_their_order() -> None:
    assert validated(RANKING, RANKING.pipeline(), "expectations").outcome is Outcome.PASS
    verdict = validated(RANKING, RANKING.pipeline(ranking=RANKING.bugs["worst first"][1]), "expectations")
    assert (verdict.outcome, verdict.first_failing_stage) == (Outcome.FAIL, "ranking"), verdict.summary


def test_a_sorting_that_nobody_declared_is_a_warning_that_says_what_to_declare() -> None:
    def best_first(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.sort_values("score", ascending=False)

    def worst_first(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.sort_values("score", ascending=True)

    one = SCORES[:6].drop(columns="request")
    plain = Shape("item", {"raw": same, "ranking": best_first}, one)
    verdict = validated(plain, plain.pipeline(ranking=worst_first))
    assert verdict.outcome is Outcome.PASS
    said = next(f for f in verdict.findings if f.cause == "row-order")
    assert said.severity is Severity.WARNING
    assert "The reference is sorted by 'score' descending; the answer is ascending now." in said.message
    assert "ranking=Stage(..., ordered=True)" in said.advice
    declared = Shape("item", {"raw": same, "ranking": Stage(best_first, ordered=True)}, one)
    assert validated(declared, declared.pipeline(ranking=worst_first)).outcome is Outcome.FAIL
    assert validated(declared, declared.pipeline()).outcome is Outcome.PASS


def test_a_reference_keeps_the_keys_of_its_stages() -> None:
    reference = capture(FAN_OUT.pipeline(), FAN_OUT.requests)
    assert reference.key == ("user", "asked_at")
    assert reference.key_of("raw") == ("user", "asked_at")
    assert reference.key_of("offers") == ("user", "asked_at", "item")
    finer = {**FAN_OUT.stages, "raw": Stage(same, key=("user", "asked_at", "basket"))}
    other = Shape(FAN_OUT.key, finer, FAN_OUT.requests)
    with pytest.raises(ReferenceInvalid, match="Stage 'raw' is keyed by 'user', 'asked_at' in the reference, and by"):
        run(other.pipeline(), reference, checks=[REPLAY])
    with pytest.raises(ReferenceInvalid, match="keyed by 'user', 'asked_at', and the pipeline by 'user'"):
        run(Pipeline("shape", key="user", raw=same, candidates=same, offers=same), reference, checks=[REPLAY])


def test_a_stage_that_repeats_a_key_of_several_columns_is_refused_with_the_number_of_rows() -> None:
    broken = FAN_OUT.pipeline(candidates=lambda f: candidates(f).assign(item=0))
    says = "90 rows for 30 keys, 60 too many: 'user', 'asked_at', 'item' repeat u0 / 0 / 0"
    with pytest.raises(StageError, match=says):
        capture(broken, FAN_OUT.requests)
    holed = FAN_OUT.pipeline(candidates=lambda f: candidates(f).astype({"item": "Int64"}).replace({"item": {1: None}}))
    with pytest.raises(StageError, match="30 rows with a null key 'item'"):
        capture(holed, FAN_OUT.requests)


def test_training_frames_and_labels_are_kept_by_all_key_columns() -> None:
    features = candidates(BASKETS)
    labels = features[["user", "asked_at", "item"]].assign(bought=1)
    given = {"candidates": features.sample(frac=1, random_state=1)}
    reference = capture(FAN_OUT.pipeline(), BASKETS, given=given, labels=labels)
    assert len(reference.frame("candidates")) == len(reference.labels) == 90  # type: ignore[arg-type]
