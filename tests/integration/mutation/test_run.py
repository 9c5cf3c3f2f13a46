"""An exam of a small shop: what is killed, what survives and why, and what cannot be judged."""

from __future__ import annotations

import json

import pytest

from seatrial import Policy, StagePolicy, Tolerance, capture, run
from seatrial.errors import SeatrialError
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.forks import each
from seatrial.mutation.report import last_line
from seatrial.mutation.results import EQUIVALENT, KILLED, SURVIVED
from seatrial.mutation.run import examine, seedable
from tests.support import shop as exam_shop

SECONDS = 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return exam_shop.make(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def held(shop, tmp_path_factory):
    """An exam of all mutants and every eighth fault on a frame, the faults, and where its candidates are."""
    root = tmp_path_factory.mktemp("candidates")
    faults = [*seedable(shop.pipeline, shop.reference, ["mutant"]),
              *seedable(shop.pipeline, shop.reference, ["frame"])[::8]]  # fmt: skip
    exam = examine(shop.pipeline, shop.reference, faults=faults, rows=200, seconds=SECONDS, keep=root)
    return exam, faults, root


def of(exam, diff):
    """The answer about the mutant that puts in this line."""
    (found,) = [a for a in exam.answers if diff in a.diff]
    return found


def test_an_exam_kills_what_changes_an_answer_and_names_its_stage(held):
    """Most faults are killed, in the stage they are in; helpers count for the stage that uses them."""
    exam, faults, _ = held
    for kind in ("mutant", "frame"):
        tally = exam.tally(kind=kind)
        assert tally.count(KILLED) > 5
        assert tally.right_share == 1.0
    assert len(exam.answers) == len(faults)
    assert {a.file for a in exam.answers} == {"pipeline.py", "prices.py", ""}
    lost = {a.name.split(" of ")[0] for a in exam.survivors if a.kind == "frame"}
    assert lost <= {"shuffled_rows", "reordered_columns", "through_float32"}  # by key, by name, and all in halves
    assert exam.exit_code == (0 if exam.tally().kill_share >= 0.95 else 1)
    told = json.loads(exam.to_json())
    assert told["killed"] == exam.tally().count(KILLED)
    assert len(told["answers"]) == len(exam.answers)


def test_a_survivor_comes_with_the_row_that_would_have_killed_it(held):
    """No request has an amount below 1: what tells the limit from another is an edge case, and the exam has it."""
    exam, _, root = held
    survivor = of(exam, 'frame["amount"] >= 1')
    assert survivor.outcome == SURVIVED
    assert survivor.stages == ("priced",)
    assert any("beyond it" in d for d in survivor.differs)
    candidates = Candidates.load(root)
    amounts = candidates.reference.requests["amount"]
    assert all(0 < amounts[n] < 1 for n in survivor.rows)
    assert survivor.origins == tuple(candidates.origins[n] for n in survivor.rows)


def test_a_mutant_that_changes_nothing_is_equivalent(held):
    """By the stated rule: on the reference, the rows beyond it, row by row and on no rows, every bit is the same."""
    exam, *_ = held
    equal = [a for a in exam.answers if a.outcome == EQUIVALENT]
    assert any("astype(None)" in a.diff for a in equal)  # None is float64 to pandas
    assert exam.candidates > 200


def test_a_loose_policy_fails_its_exam(shop):
    """A tolerance that forgives everything lets faults through, and they are survivors."""
    loose = Policy({"priced": StagePolicy(tolerances={"total": Tolerance(atol=1e9)}),
                    "response": StagePolicy(tolerances={"total": Tolerance(atol=1e9)})})  # fmt: skip
    faults = [s for s in seedable(shop.pipeline, shop.reference, ["mutant"]) if " in cents" in str(s)]
    exam = examine(shop.pipeline, shop.reference, policy=loose, faults=faults, rows=0, seconds=SECONDS)
    assert exam.exit_code == 1
    assert exam.survivors
    assert last_line(exam).startswith("exam failed")
    assert "no rows beyond the reference" in last_line(exam)


def test_a_pipeline_that_does_not_pass_cannot_be_examined(shop):
    """What is wrong without a fault says nothing about faults."""
    requests = shop.reference.requests.head(5)
    frame = shop.reference.frame("priced").head(5).assign(total=0.0)
    wrong = capture(shop.pipeline, requests, given={"priced": frame})
    with pytest.raises(SeatrialError, match="Without any fault the pipeline does not pass"):
        examine(shop.pipeline, wrong, sample=1, rows=0, seconds=SECONDS)


def test_the_kernel_says_what_the_checks_say(shop, held):
    """A verdict by the expectations check ends as the exam says, and names the same stage first."""
    exam, faults, _ = held
    killed = [(s, a) for s, a in zip(faults, exam.answers, strict=True) if a.outcome == KILLED]
    sample = killed[:: len(killed) // 4][:4]

    def verdict(number, _):
        found = run(sample[number][0].plant(shop.pipeline), shop.reference, ["expectations"])
        return [found.outcome.value, found.first_failing_stage]

    told = dict(each(verdict, range(len(sample)), seconds=SECONDS))
    assert [told[n].value for n in range(len(sample))] == [["fail", a.named] for _, a in sample]
