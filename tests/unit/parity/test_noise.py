"""The bounds of recorded noise: how often they fail a clean column, and what they find. Every draw is seeded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Tolerance, capture
from seatrial.errors import StageError
from seatrial.parity.noise import COMPARISONS, ColumnNoise, runs_for
from seatrial.parity.noisy import Noise, allowed_rows, compare_noisy, key_text
from seatrial.policy.policy import Policy
from seatrial.policy.stages import StagePolicy
from seatrial.trial import Trial

ROWS = 200


def drawn(kind, rng, runs, rows=ROWS):
    if kind == "student":
        return rng.standard_t(5, size=(runs, rows))
    if kind == "uniform":
        return rng.uniform(-1, 1, size=(runs, rows))
    if kind == "shared":
        return rng.normal(size=(runs, 1)) + np.zeros((runs, rows))
    scale = np.exp(np.linspace(-6, 6, rows)) if kind == "scaled" else 1.0
    return rng.normal(size=(runs, rows)) * scale


def validation(kind, rng, columns=1, shift=0.0):
    """Whether one of all comparisons of a validation fails, with a reference of its own."""
    failed = False
    for _ in range(columns):
        first = drawn(kind, rng, 10)
        runs = np.vstack([first, drawn(kind, rng, runs_for(first, 10) - 10)])
        noise = ColumnNoise.of(runs)
        asked = runs_for(runs, 1)
        for n in range(COMPARISONS):
            rest = drawn(kind, rng, asked if n == 0 else 1) + shift * runs.std(axis=0, ddof=1).mean()
            centre, against = (noise.mean, len(runs)) if n == 0 else (drawn(kind, rng, 1)[0], 1)
            judged = noise.judge(
                rest[0] - centre, np.arange(ROWS), against=against, columns=columns, further=tuple(rest[1:] - centre)
            )
            failed |= not judged.within.all() or judged.shift != 0 or judged.spread != 0
            if shift:
                return judged.shift != 0
    return failed


@pytest.mark.parametrize(
    ("kind", "columns"), [("normal", 1), ("normal", 5), ("uniform", 1), ("scaled", 1), ("shared", 1)]
)
def test_a_clean_validation_fails_in_at_most_one_of_a_hundred(kind, columns):
    """All comparisons of all columns together; 100 seeded validations."""
    rng = np.random.default_rng([7, columns, *kind.encode()])
    assert sum(validation(kind, rng, columns) for _ in range(100)) <= 2


@pytest.mark.parametrize("kind", ["normal", "uniform", "student", "shared"])
def test_a_shift_of_two_standard_deviations_is_found(kind):
    """In 19 of 20 validations at least, also where all rows share their noise: then it is asked more often."""
    rng = np.random.default_rng([8, *kind.encode()])
    assert sum(validation(kind, rng, shift=2.0) for _ in range(60)) >= 57


def test_one_row_far_out_is_found_among_rows_of_other_scales():
    """A row is judged by its own noise: what is nothing for one is far out for another."""
    rng = np.random.default_rng(0)
    noise = ColumnNoise.of(drawn("scaled", rng, 10))
    deviations = drawn("scaled", rng, 1)[0]
    assert noise.judge(deviations, np.arange(ROWS), against=10, columns=1).within.all()
    deviations[3] += 60 * noise.scale[3]
    assert deviations[3] < deviations[-1].clip(1)
    within = noise.judge(deviations, np.arange(ROWS), against=10, columns=1).within
    assert np.flatnonzero(~within).tolist() == [3]


def test_rows_that_scatter_more_widely_are_found():
    """A change whose sign differs from row to row moves no mean."""
    rng = np.random.default_rng(0)
    noise = ColumnNoise.of(drawn("normal", rng, 10))
    deviations = drawn("normal", rng, 1)[0] + 2 * rng.choice([-1, 1], ROWS)
    assert noise.judge(deviations, np.arange(ROWS), against=10, columns=1).spread > 1.5


def test_a_column_without_a_value_that_noise_allows_is_judged_without_a_warning():
    """Nulls, rows without noise and rows that were not recorded are compared exactly."""
    runs = drawn("normal", np.random.default_rng(0), 10)
    runs[:, 0], runs[3, 1] = 5.0, np.nan
    noise = ColumnNoise.of(runs)
    judged = noise.judge(np.where(np.arange(ROWS) == 2, np.nan, 0.0), np.arange(ROWS), against=1, columns=1)
    assert judged.within.sum() == ROWS - 1
    assert np.isnan(noise.mean[1])


def test_the_rows_that_may_differ_hold_for_a_further_run():
    """Of 1,000 further runs at the rate of the recorded ones, none has more."""
    rng = np.random.default_rng(0)
    counts = rng.binomial(500, 0.02, 9).tolist()
    assert rng.binomial(500, 0.02, 1_000).max() <= allowed_rows(counts, 500, 500, 1) < 60


# --- through capture and trial -----------------------------------------------------------------------------------

REQUESTS = pd.DataFrame({"id": [f"r{i}" for i in range(ROWS)], "x": np.linspace(-1, 1, ROWS)})


def noisy(seed, shift=0.0, dtype="float64", wrong=()):
    rng = np.random.default_rng(seed)

    def score(frame):
        scores = frame["x"] + shift + rng.normal(0, 0.1, len(frame))
        scores[list(wrong)] += 5.0
        return frame.assign(score=scores.astype(dtype))

    return score


def decide(frame):
    return frame.assign(label=np.where(frame["score"] > 0, "yes", "no"), twice=frame["score"] * 2)


def made(score):
    return Pipeline("p", key="id", raw=lambda frame: frame, score=score, decide=decide)


@pytest.fixture(scope="module")
def reference():
    return capture(made(noisy(0)), REQUESTS, noise="record")


def test_a_clean_version_matches_its_noisy_reference_in_every_stage(reference):
    """Also the stages behind, whose end-to-end replay has the noise: numbers by noise, labels by how many differ."""
    for seed in range(1, 11):
        trial = Trial(made(noisy(seed)), reference)
        assert trial.parity("score").ok
        assert trial.parity("decide").ok
        assert trial.parity("score", "chained").ok
        assert trial.parity("decide", "chained").ok, trial.parity("decide", "chained").frame


def test_a_shift_is_a_difference_of_every_row_and_its_cause_is_named(reference):
    """In the unit of the noise, so that it tells at once how large it is."""
    parity = Trial(made(noisy(1, shift=0.2)), reference).parity("score")
    (column,) = [c for c in parity.columns if not c.ok]
    assert (column.column, column.mismatches, column.cause.name) == ("score", ROWS, "noise-shift")
    assert "standard deviations of the noise" in column.cause.detail
    assert column.max_abs_diff == pytest.approx(0.2, abs=0.03)


def test_a_tolerance_still_says_how_far_a_noisy_column_may_move(reference):
    """Noise is taken out before the tolerance is applied."""
    policy = Policy({"score": StagePolicy(tolerances={"score": Tolerance(atol=0.3)})})
    assert Trial(made(noisy(1, shift=0.2)), reference, policy=policy).parity("score").ok
    assert not Trial(made(noisy(1, shift=0.5)), reference, policy=policy).parity("score").ok


def test_single_rows_types_and_keys_are_still_compared(reference):
    """Noise excuses no row that is far out, and no other type."""
    (column,) = [c for c in Trial(made(noisy(1, wrong=[7])), reference).parity("score").columns if not c.ok]
    assert (column.mismatches, column.worst_keys) == (1, ("r7",))
    assert not Trial(made(noisy(1, dtype="float32")), reference).parity("score").ok
    assert Trial(made(lambda f: noisy(1)(f).head(9)), reference).parity("score").missing_keys.count == ROWS - 9


def test_a_broken_label_behind_noise_is_found(reference):
    """More labels differ than noise made differ at capture."""
    broken = Pipeline("p", key="id", raw=lambda f: f, score=noisy(1), decide=lambda f: decide(f).assign(label="no"))
    assert [c.column for c in Trial(broken, reference).parity("decide", "chained").columns if not c.ok] == ["label"]


def test_a_frame_that_training_gave_is_not_replaced_by_the_mean_of_the_runs():
    """Skew between training and serving is no noise."""
    given = REQUESTS.assign(score=REQUESTS["x"] + 0.2)
    reference = capture(made(noisy(0)), REQUESTS, noise="record", given={"score": given})
    parity = Trial(made(noisy(1)), reference).parity("score")
    assert [c.column for c in parity.columns if not c.ok] == ["score"]


def test_rows_that_noise_adds_or_removes_behind_a_noisy_stage_are_refused():
    """Such a path has no answer to compare with."""
    pipeline = Pipeline("p", key="id", raw=noisy(0), keep=lambda f: f[f["score"] > 0])
    with pytest.raises(StageError, match=r"'keep' returns other rows.*samples=Samples"):
        capture(pipeline, REQUESTS, noise="record")


def test_few_rows_are_asked_more_often():
    """A stage of one row is run 60 times, so that a shift of two standard deviations shows."""
    requests = REQUESTS.head(1)
    reference = capture(Pipeline("p", key="id", raw=lambda f: f, score=noisy(0)), requests, noise="record")
    assert reference.manifest["noise"]["score"]["runs"] == 60
    found = 0
    for seed in range(1, 9):
        moved = Pipeline("p", key="id", raw=lambda f: f, score=noisy(seed, shift=0.2))
        found += not Trial(moved, reference).parity("score").ok
    assert found >= 7


def test_nothing_known_of_noise_compares_exactly():
    """The default is no noise."""
    frame = pd.DataFrame({"id": [1], "x": [0.5]})
    assert not Noise()
    assert not compare_noisy(frame, frame.assign(x=0.6), key="id", noise=Noise()).ok
    assert key_text(pd.DataFrame({"a": [1], "b": ["x"]}), ("a", "b")).tolist() == ["1\x1fx"]
