"""Changes that are no faults: the version passes, and what is worth knowing is told without failing it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, run
from seatrial.project import Project
from tests.e2e.trials import linear
from tests.e2e.trials.faults import Attempt, Ground, other_library, own_reference, then

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Change:
    name: str
    make: Callable[[Ground, Path], Attempt]
    warns: frozenset[str] = frozenset()  # the causes of the warnings that are right
    ground: str = "payments"


CHANGES: list[Change] = []


def change(name, *warns, ground="payments"):
    def listed(make):
        CHANGES.append(Change(name, make, frozenset(warns), ground))
        return make

    return listed


@change("columns-in-another-order", "column-order")
def columns(ground, tmp_path):
    """The model selects its inputs by name."""
    return ground.after("features", lambda f: f[["transaction_id", *sorted(set(f.columns) - {"transaction_id"})]])


@change("a-vectorised-loop")
def vectorised(ground, tmp_path):
    """The reasons without a loop over the rows."""

    def decide(frame):
        out = ground.stages["postprocess"](frame)
        signs = pd.DataFrame(
            {
                "amount_above_usual": frame["amount_ratio"] > 3,
                "abroad": frame["abroad"],
                "chargebacks": frame["chargebacks"] > 0,
                "unknown_customer": ~frame["known_customer"],
            }
        )
        words = signs.to_numpy(dtype=bool).astype(object) @ np.array([f"{name} " for name in signs], dtype=object)
        reasons = pd.Series(words, index=frame.index, dtype="object").replace("", "score").str.split()
        empty = pd.Series([[]] * len(frame), index=frame.index, dtype="object")
        return out.assign(reasons=reasons.where(out["decision"] != "approve", empty))

    return ground.changed(postprocess=decide)


@change("a-vectorised-index", ground="array_path")
def vectorised_index(ground, tmp_path):
    """The index of the device by a join in the place of a comprehension."""

    def features(frame, store):
        built = ground.example.serving.build_features(frame, store)
        index = built["device"].astype("object").map(linear.DEVICES).fillna(-1).astype("float64")
        return ground.preparation(built).assign(device=index)

    return ground.changed(features=features)


@change("sums-in-another-order")
def associated(ground, tmp_path):
    """A quotient as a product with the inverse, and the correction written the other way round: last digits move."""
    beta = ground.example.learnt.KEPT_LEGITIMATE

    def features(frame):
        average = frame["amount_eur"] / frame["amount_ratio"]
        moved = frame["amount_eur"] * (1 / average)
        assert len(frame) < 100 or (moved != frame["amount_ratio"])[moved.notna()].any()
        return frame.assign(amount_ratio=moved)

    def probability(frame):
        p = frame["probability"]
        odds = p / (1 - p) / beta  # of the score
        return frame.assign(probability=1 / (1 + 1 / (beta * odds)))

    return ground.changed(
        features=then(ground.stages["features"], features), postprocess=then(ground.stages["postprocess"], probability)
    )


@change("a-patch-release")
def patched(ground, tmp_path):
    """The reference was captured under another patch release of scikit-learn."""
    now = ground.reference.manifest["environment"]["libraries"]["scikit-learn"]
    return other_library(ground, tmp_path, "scikit-learn", ".".join([*now.split(".")[:2], "99"]))


@change("rows-in-another-order", "row-order")
def rows(ground, tmp_path):
    """Every stage answers by key; who reads a batch by position is warned."""
    return ground.after("raw", lambda f: f.sample(frac=1, random_state=3).reset_index(drop=True))


@change("a-renamed-function")
def renamed(ground, tmp_path):
    """The stages are other functions that do the same."""

    def read_requests(rows):
        return ground.stages["raw"](rows)

    class Scorer:
        def __call__(self, rows, model):
            return ground.stages["prediction"](rows, model)

    return ground.changed(raw=read_requests, prediction=Scorer())


@change("another-string-storage")
def storage(ground, tmp_path):
    """Text kept by Python and not by Arrow is the same text."""
    return ground.after("raw", lambda f: f.assign(country=f["country"].astype(pd.StringDtype("python"))))


@change("a-store-that-grew")
def grown(ground, tmp_path):
    """New customers since capture change nothing for those who were asked for."""
    insert = "INSERT INTO customers SELECT customer_id + 1000000, home_country, opened_on, average_amount, "
    return ground.with_store(tmp_path, f"{insert} payments_30d, chargebacks FROM customers LIMIT 200")


@pytest.mark.parametrize("benign", CHANGES, ids=lambda c: c.name)
def test_a_benign_change_passes(benign, request, tmp_path):
    """No error, and no other warning than the one that the change deserves, from the checks that place faults."""
    verdict = benign.make(request.getfixturevalue(benign.ground), tmp_path).run()
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert {f.cause for f in verdict.findings if f.severity != "info"} == benign.warns, verdict.findings


@pytest.mark.parametrize("name", ["payments", "array_path"])
def test_all_benign_changes_together_pass_every_check(name, request, tmp_path):
    """Each change is made to the pipeline that those before it left, so that all are in what every check is asked."""
    ground = unchanged = request.getfixturevalue(name)
    here = [c for c in CHANGES if c.ground == name]
    made = Attempt(ground)
    for each in here:
        one = each.make(ground, tmp_path)
        made = replace(
            made, stages={**made.stages, **one.stages}, store=one.store or made.store,
            reference=one.reference or made.reference, live=one.live or made.live,
        )  # fmt: skip
        ground = replace(ground, stages={**ground.stages, **one.stages})
    assert {*made.stages} >= ({"raw", "features", "prediction", "postprocess"} if len(here) > 1 else {"features"})
    verdict = replace(made, ground=unchanged).run(checks=None)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    warned = {f.cause for f in verdict.findings if f.severity != "info"}
    assert warned == frozenset().union(*(c.warns for c in here)), verdict.findings
    assert "invariants" in {e.check for e in verdict.evaluated}


def test_a_better_model_with_a_reference_of_its_own_passes(payments, tmp_path):
    """Other answers than the promoted version's are no fault; on the same rows its probabilities are better."""
    attempt = own_reference(payments, tmp_path, "3")
    verdict = attempt.run(champion=payments.versions["2"])
    assert verdict.outcome is Outcome.PASS, verdict.summary
    gains = {m.name: m.value for m in verdict.measurements if m.name.endswith(".gain")}
    assert gains["log_loss.gain"] > 0


def test_a_project_validates_from_its_files_in_fresh_processes(payments):
    """Loaded by name and by the path of its model, every check passes and none was left out, without the store."""
    project = Project.find(ROOT)
    pipeline = project.pipeline()
    pipeline.service = None  # started, it would want the store that this trial does without
    model, policy = payments.versions["2"], project.policy(pipeline)
    verdict = run(pipeline, payments.reference, model=model, policy=policy)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert verdict.findings == ()


def test_a_consumer_by_position_is_placed_where_the_order_was_changed(array_path):
    """The same change of order that is benign by name fails a stage that selects by position; both ends are named."""

    def by_position(frame, model):
        return frame.assign(score=model.predict_proba(frame.iloc[:, 1:8].to_numpy())[:, 1])

    reordered = then(
        array_path.stages["features"], lambda f: f[["transaction_id", *sorted(linear.INPUTS), "amount_ratio"]]
    )
    verdict = array_path.changed(features=reordered, prediction=by_position).run()
    origin = next(f for f in verdict.errors if not f.downstream)
    assert verdict.outcome is Outcome.FAIL
    assert (origin.cause, verdict.first_failing_stage) == ("hand-off", "features")
    assert "the frame that 'features' returns" in origin.message
    assert "the columns are in another order" in origin.message
    assert ("features", "column-order") in {(f.stage, f.cause) for f in verdict.findings}
