"""A mutation test of a small shop: what is killed, what survives and why, and what cannot be evaluated."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from seatrial import Pipeline, Policy, StagePolicy, Tolerance, capture
from seatrial.errors import SeatrialError, UsageError
from seatrial.mutation import evaluate
from seatrial.mutation.mutants import bare
from seatrial.mutation.opening import fork_server
from seatrial.mutation.pool import run_each
from seatrial.mutation.report import last_line
from seatrial.mutation.results import EQUIVALENT, KILLED, SURVIVED
from seatrial.mutation.run import mutants_of, run_mutation_test
from tests.support import small_shop

SECONDS = 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return small_shop.make(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def tested(shop):
    """A mutation test of all code mutants and every eighth frame mutant, and the mutants."""
    mutants = [*mutants_of(shop.pipeline, shop.reference, ["code"]),
              *mutants_of(shop.pipeline, shop.reference, ["frame"])[::8]]  # fmt: skip
    report = run_mutation_test(shop.pipeline, shop.reference, mutants=mutants, rows=200, seconds=SECONDS)
    return report, mutants


def of(report, diff):
    """The result of the mutant that adds this line."""
    (found,) = [m for m in report.mutants if diff in m.diff]
    return found


def test_what_changes_a_result_is_killed_in_its_stage(tested):
    """Most mutants are killed, in the stage they are in; helpers count for the stage that uses them."""
    report, mutants = tested
    for kind in ("code", "frame"):
        tally = report.tally(kind=kind)
        assert tally.count(KILLED) > 5
        assert tally.right_stage_share == 1.0
    assert len(report.mutants) == len(mutants)
    assert {m.file for m in report.mutants} == {"pipeline.py", "prices.py", ""}
    lost = {m.name.split(" of ")[0] for m in report.survivors if m.kind == "frame"}
    assert lost <= {"shuffled_rows", "reordered_columns", "through_float32"}  # by key, by name, and all in halves
    assert report.exit_code == (0 if report.tally().mutation_score >= 0.95 else 1)
    written = json.loads(report.to_json())
    assert written["killed"] == report.tally().count(KILLED)
    assert len(written["mutants"]) == len(report.mutants)


def test_a_survivor_comes_with_the_row_that_would_have_killed_it(tested):
    """No request has an amount below 1: an edge case among the candidates distinguishes the limit from another."""
    report, _ = tested
    survivor = of(report, 'frame["amount"] >= 1')
    assert survivor.outcome == SURVIVED
    assert survivor.stages == ("priced",)
    assert any("beyond it" in d for d in survivor.differences)
    amounts = report.requests["amount"]
    assert len(amounts) == report.candidates
    assert all(0 < amounts[n] < 1 for n in survivor.rows)
    assert len(survivor.origins) == len(survivor.rows) > 0


def test_a_boundary_of_the_code_is_reached(shop, tested):
    """No request has the very amount that the code compares with, and none drawn at random does."""
    report, mutants = tested
    survivor = of(report, 'frame["amount"] >= LIMIT')
    assert survivor.outcome == SURVIVED
    assert any("amount at 40 of pipeline.py" in origin for origin in survivor.origins)
    more = report.requests.iloc[list(survivor.rows)].assign(id=range(1000, 1000 + len(survivor.rows)))
    requests = pd.concat([shop.reference.requests, more], ignore_index=True)
    mutant = mutants[report.mutants.index(survivor)]
    again = run_mutation_test(
        shop.pipeline, capture(shop.pipeline, requests), mutants=[mutant], rows=0, seconds=SECONDS
    )
    assert again.mutants[0].outcome == KILLED


def test_a_mutant_that_changes_nothing_is_equivalent(tested):
    """By the stated rule: on the reference, the rows beyond it, row by row and on no rows, every bit is the same."""
    report, *_ = tested
    equal = [m for m in report.mutants if m.outcome == EQUIVALENT]
    assert any("astype(None)" in m.diff for m in equal)  # None is float64 to pandas
    assert report.candidates > 200


def test_a_loose_policy_fails_its_mutation_test(shop):
    """A tolerance that forgives everything lets mutants survive."""
    loose = Policy({"priced": StagePolicy(tolerances={"total": Tolerance(atol=1e9)}),
                    "response": StagePolicy(tolerances={"total": Tolerance(atol=1e9)})})  # fmt: skip
    mutants = [s for s in mutants_of(shop.pipeline, shop.reference, ["code"]) if " in cents" in str(s)]
    report = run_mutation_test(shop.pipeline, shop.reference, policy=loose, mutants=mutants, rows=0, seconds=SECONDS)
    assert report.exit_code == 1
    assert report.survivors
    assert last_line(report).startswith("mutation test failed")
    assert "no rows beyond the reference" in last_line(report)


def test_a_pipeline_that_does_not_pass_has_no_mutation_test(shop):
    """A pipeline that fails without a mutant detects none."""
    requests = shop.reference.requests.head(5)
    frame = shop.reference.frame("priced").head(5).assign(total=0.0)
    wrong = capture(shop.pipeline, requests, given={"priced": frame})
    with pytest.raises(SeatrialError, match="does not pass without a mutant"):
        run_mutation_test(shop.pipeline, wrong, sample=1, rows=0, seconds=SECONDS)


def test_the_comparison_agrees_with_the_checks(shop, tested):
    """A verdict by the expectations check has the outcome of the mutation test, and names the same stage first."""
    report, mutants = tested
    killed = [(s, m) for s, m in zip(mutants, report.mutants, strict=True) if m.outcome == KILLED]
    sample = killed[:: len(killed) // 4][:4]

    context = evaluate.MutationContext(bare(shop.pipeline), shop.reference, Policy())

    def verdict(replayer, mutant, _):
        found = evaluate.verdict_on(context, *mutant.apply(replayer, context.pipeline), ["expectations"])
        return [found.outcome.value, found.first_failing_stage]

    with fork_server(shop.pipeline) as server:
        server.load(shop.reference, {})
        verdicts = dict(run_each(server.fork, verdict, [m for m, _ in sample], seconds=SECONDS))
    assert [verdicts[n].value for n in range(len(sample))] == [["fail", m.reported_stage] for _, m in sample]


def test_a_pipeline_of_no_file_is_mutated_by_its_frames(shop):
    """Its stages are called here, with the model as it was given."""

    def price(frame, model):
        return frame.assign(total=frame["amount"] * model)

    here = Pipeline("here", key="id", model=float, raw=lambda frame: frame, priced=price)
    reference = capture(here, shop.reference.requests[["id", "amount"]], model=2.0)
    report = run_mutation_test(here, reference, model=2.0, kinds=["frame"], sample=10, rows=100, seed=1)
    assert report.tally().count(KILLED) > 5
    assert report.candidates > 50
    with pytest.raises(UsageError, match="was not loaded from a project"):
        run_mutation_test(here, reference, model=2.0, sample=1)


def test_code_mutants_need_the_path_of_a_model(shop):
    """A loaded one cannot be given to the process that they run in."""
    with pytest.raises(UsageError, match="give model= the local path of the model and not a loaded float"):
        run_mutation_test(shop.pipeline, shop.reference, model=1.5)
