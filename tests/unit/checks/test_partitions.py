"""A reference in partitions judges a version as one of a frame does: the same findings, wherever a skew is planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import great_expectations.expectations as gxe
import httpx
import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Reference, Severity, Stage, StagePolicy, Tolerance, Trial, capture, run
from seatrial.cli.inspect.steps import _found
from seatrial.errors import ReferenceInvalid, StageError, UsageError
from seatrial.formatting import part_of
from seatrial.io import frame_json
from seatrial.mutation.run import mutants_of
from seatrial.pipeline import LocalReplayer
from seatrial.reference.replays import compared
from seatrial.targets.inprocess import InProcessService

ROWS = 1_020
CHECKS = ["expectations", "golden", "invariants"]
IN_FIRST = "t-00013"  # a request of the first partition
KINDS = ["bird", "cat", "dog"]


def requests() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    amounts = rng.normal(size=ROWS)
    amounts[rng.random(ROWS) < 0.05] = np.nan
    return pd.DataFrame({"id": [f"t-{i:05d}" for i in range(ROWS)], "amount": amounts, "kind": rng.choice(KINDS, ROWS)})


def raw(frame):
    return frame.assign(kind=pd.Categorical(frame["kind"], categories=KINDS))


def features(frame):
    filled = frame["amount"].fillna(0.5)
    return frame[["id", "kind"]].assign(amount=filled, size=np.exp(filled), many=filled.abs().mul(10).astype("int64"))


def prediction(frame):
    return frame[["id"]].assign(score=frame["size"] * 0.3 + frame["many"], label=frame["kind"].astype("str"))


def served(**stages: Any) -> Pipeline:
    return Pipeline("shop", key="id", **{"raw": raw, "features": features, "prediction": prediction, **stages})


@pytest.fixture(scope="module")
def references(tmp_path_factory) -> tuple[Reference, Reference]:
    """The same requests as a frame, and in four partitions."""
    file = tmp_path_factory.mktemp("requests") / "requests.parquet"
    requests().to_parquet(file, row_group_size=700)
    return capture(served(), requests()), capture(served(), file, partitions=4)


def in_row(key: str, column: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def planted(frame):
        out = features(frame)
        return out.assign(**{column: out[column].mask(out["id"] == key, value)})

    return planted


def dropped(frame):
    return features(frame)[frame["id"] != "t-00777"].reset_index(drop=True)


def doubled(frame):
    out = features(frame)
    return pd.concat([out, out[out["id"] == "t-00777"]], ignore_index=True)


def broken(frame):
    if (frame["id"] == IN_FIRST).any():
        raise ValueError("no such row")
    return prediction(frame)


def indexed(frame):
    return features(frame).set_index(pd.RangeIndex(len(frame), 0, -1))


def by_index(frame):
    out = prediction(frame)
    return out.assign(score=out["score"].reset_index(drop=True).reindex(out.index))


SKEWS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "one cell": {"features": in_row("t-00934", "size", 99.0)},
    "one null": {"features": in_row("t-00042", "size", np.nan)},
    "one integer": {"features": in_row("t-00042", "many", -7)},
    "one cell of the last stage": {"prediction": lambda f: prediction(f).assign(score=lambda o: o["score"].mask(
        o["id"] == "t-00999", 0.0))},
    "another unit": {"features": lambda f: features(f).assign(size=lambda o: o["size"] * 100)},
    "other values for nulls": {"features": lambda f: features(f.assign(amount=f["amount"].fillna(0.7)))},
    "another type": {"features": lambda f: features(f).assign(size=lambda o: o["size"].astype("float32"))},
    "a row missing": {"features": dropped},
    "a row twice": {"features": doubled},
    "a column renamed": {"prediction": lambda f: prediction(f).rename(columns={"score": "points"})},
    "a column more": {"raw": lambda f: raw(f).assign(seen=True)},
    "an error in one row": {"prediction": broken},
    "a hand-off": {"features": indexed, "prediction": by_index},
}  # fmt: skip


ALIKE = {"other values for nulls", "a row twice", "a hand-off"}  # rows that differ alike, or numbers of a batch
ASKED_AGAIN = {"nothing", "an error in one row"}  # invariants are dear
BY_CHECKPOINT = {"one cell", "another type", "a column more", "a row missing"}  # and so are expectations


def told(verdict: Any, *, words: bool) -> Any:
    """Return what a verdict says, but for what a reference in partitions adds."""
    kept = [f for f in verdict.findings if f.cause not in ("first-partition", "process-not-run")]
    found = [(f.check, f.stage, f.column, f.cause, f.severity, f.downstream) for f in kept]
    more = [(f.message, f.evidence.get("keys")) for f in kept] if words else []
    return verdict.outcome, verdict.first_failing_stage, found, more


@pytest.mark.parametrize("skew", SKEWS)
def test_the_findings_are_those_of_the_whole(references, skew):
    """Stage, column, cause, keys and words are the same; a version that is as in training passes."""
    assert IN_FIRST in set(references[1].part(0).requests["id"])
    checks = CHECKS if skew in ASKED_AGAIN else CHECKS[:2] if skew in BY_CHECKPOINT else ["golden"]
    whole, parted = (run(served(**SKEWS[skew]), reference, checks) for reference in references)
    assert told(parted, words=skew not in ALIKE) == told(whole, words=skew not in ALIKE)
    assert (parted.outcome is Outcome.PASS) is (skew == "nothing")
    assert parted.reference_digest == references[1].digest
    counts = [{(e.check, e.stage): e.compared for e in v.evaluated if e.check != "invariants"} for v in (parted, whole)]
    assert counts[0] == counts[1]


def test_a_verdict_says_what_it_is_of(references):
    """What was compared with all partitions, and what was evaluated on the first."""
    verdict = run(served(), references[1], CHECKS)
    [remark] = [f for f in verdict.findings if f.check == "partitions"]
    first = len(references[1].part(0).requests)
    assert remark.severity is Severity.INFO
    assert remark.message.startswith(
        "The reference has 1,020 request rows in 4 partitions. Both replays of every stage "
    )
    assert f"first partition, {first} request rows drawn by the hash" in remark.message
    assert {f.stage for f in verdict.findings if f.check == "invariants" and f.cause == "first-partition"} == {
        "raw", "features", "prediction"
    }  # fmt: skip


def test_expectations_of_the_project_say_on_what_they_were_evaluated(references):
    """They run on the first partition, and never claim all rows."""
    own = [gxe.ExpectColumnValuesToBeBetween(column="score", min_value=-1000, max_value=1000)]
    policy = Policy(stages={"prediction": StagePolicy(expectations=lambda _: own)})
    verdict = run(served(), references[1], ["expectations"], policy=policy)
    assert verdict.outcome is Outcome.PASS
    said = [f.message for f in verdict.findings if f.stage == "prediction"]
    asked = part_of(len(references[1].part(0).requests), ROWS, "request rows")
    assert said == [
        f"The expectations of expectations/prediction.py were evaluated on {asked}, drawn by the hash of their key."
    ]


def test_tolerances_hold_in_every_partition(references):
    """A tolerance of the policy decides as it does for a frame."""
    pipeline = served(features=lambda f: features(f).assign(size=lambda o: o["size"] * 1.001))
    for rtol, passes in ((0.01, True), (0.0001, False)):
        stage = StagePolicy(tolerances={"size": Tolerance(rtol=rtol)})
        with Trial(pipeline, references[1], policy=Policy(stages={"features": stage})) as trial:
            assert trial.parity("features").ok is passes


def test_the_rows_that_findings_name_are_there_for_people(references):
    """Both sides of a row, whichever partition it is in."""
    with Trial(served(**SKEWS["one cell"]), references[1]) as trial:
        found = trial.compared("features")
        assert found.parity.columns[2].worst_keys == ("t-00934",)
        sides = [frame.set_index("id").loc["t-00934", "size"] for frame in (found.expected, found.actual)]
        assert sides[0] != sides[1] == 99.0


def test_a_stage_that_looks_across_requests_is_given_all_of_them(tmp_path):
    """In capture and in validation; what is planted in it, and behind it, is found."""
    requests().to_parquet(tmp_path / "r.parquet")

    def ranked(frame):
        return frame[["id"]].assign(place=frame["size"].rank(method="first").astype("int64"))

    def last(frame):
        return frame.assign(twice=frame["place"] * 2)

    stages = {"raw": raw, "features": features, "ranked": Stage(ranked, batch_dependent="places"), "last": last}
    reference = capture(Pipeline("shop", key="id", **stages), tmp_path / "r.parquet", partitions=4)
    verdict = run(Pipeline("shop", key="id", **stages), reference, CHECKS)
    assert verdict.outcome is Outcome.PASS, [f.message for f in verdict.findings if f.severity is Severity.ERROR]
    [said] = [f for f in verdict.findings if f.cause == "whole-stage"]
    assert (said.stage, said.severity) == ("ranked", Severity.INFO)
    assert "ran on the rows of all partitions together, in memory at once: places." in said.message

    def other(frame):
        out = ranked(frame)
        return out.assign(place=out["place"].mask(out["id"] == "t-00934", 0))

    changed = {**stages, "ranked": Stage(other, batch_dependent="places")}
    verdict = run(Pipeline("shop", key="id", **changed), reference, CHECKS[:2])
    errors = [f for f in verdict.findings if f.severity is Severity.ERROR]
    assert (verdict.first_failing_stage, errors[0].column, errors[0].evidence["keys"]) == (
        "ranked", "place", ["t-00934"]
    )  # fmt: skip
    assert [(f.stage, f.column) for f in errors if f.check == "golden"] == [
        ("ranked", "place"), ("last", "place"), ("last", "twice")
    ]  # fmt: skip
    behind = {**stages, "last": lambda f: last(f).assign(twice=lambda o: o["twice"].mask(o["id"] == "t-00001", 0))}
    verdict = run(Pipeline("shop", key="id", **behind), reference, ["golden"])
    assert verdict.first_failing_stage == "last"


@pytest.mark.parametrize("number", range(4))
def test_an_error_is_raised_whichever_partition_it_is_in(references, number):
    """By the stage that raised it, and behind it."""
    key = references[1].part(number).requests["id"].iloc[0]

    def breaking(frame):
        if (frame["id"] == key).any():
            raise ValueError("no such row")
        return features(frame)

    with Trial(served(features=breaking), references[1]) as trial:
        assert trial.parity("raw", "chained").ok
        assert trial.parity("prediction").ok
        for stage, replay in (("features", "isolated"), ("features", "chained"), ("prediction", "chained")):
            with pytest.raises(StageError, match="'features' raised ValueError"):
                trial.parity(stage, replay)


def test_partitions_that_nobody_compared_are_no_pass(references):
    """A runner that loses work is found out."""
    pipeline = served()
    tolerances: dict[str, Any] = {stage: {} for stage in pipeline.stages}

    class Lossy:
        def map(self, work, parts):
            return map(work, list(parts)[1:])

    with pytest.raises(ReferenceInvalid, match=r"was compared with .* rows, and the reference says it has 1,020"):
        compared(pipeline, references[1], LocalReplayer(pipeline), tolerances, runner=Lossy())


def test_progress_is_told_by_partition(references, tmp_path: Path):
    """So that a long validation shows that it goes on."""
    seen: list[Any] = []
    with Trial(served(), references[1]) as trial:
        trial.on_progress = lambda *step: seen.append(step)
        trial.parity("raw")
    assert seen == [(n, 4, f"partition {n} of 4") for n in range(1, 5)]


@pytest.mark.parametrize("right", [True, False])
def test_a_live_service_is_sent_a_sample_and_the_verdict_says_so(references, monkeypatch, right):
    """So many of the first partition as are bounded; a service that answers otherwise fails."""
    monkeypatch.setattr("seatrial.checks.serving.comparison.SENT", 50)
    sent = []

    def answer(request):
        record = json.loads(request.content)
        sent.append(record["id"])
        [row] = frame_json.rows(prediction(features(raw(pd.DataFrame([record]).astype({"amount": "float64"})))))
        return httpx.Response(200, json=row if right else {**row, "score": 0.0})

    service = InProcessService(answer, path="/score", key="id")
    verdict = run(served(), references[1], ["golden"], service=service)
    assert verdict.outcome is (Outcome.PASS if right else Outcome.FAIL), verdict.summary
    first = set(references[1].part(0).requests["id"])
    assert len(set(sent)) == 50
    assert set(sent) <= first
    [said] = [f.message for f in verdict.findings if f.stage == "service" and f.cause == "first-partition"]
    asked = part_of(50, ROWS, "request rows")
    assert said == f"The answers of the service were compared on {asked}, drawn by the hash of their key."


def test_a_request_is_traced_in_its_partition(references: tuple[Reference, Reference]) -> None:
    """Whichever it is in; an unknown key is answered with what there is."""
    _, parted = references
    ids = [parted.part(n).requests["id"].iloc[-1] for n in range(4)]
    for number, key in enumerate(ids):
        part, request, rows = _found(served(), parted, key)
        assert (request, part.digest) == (key, parted.part(number).digest)
        assert part.requests["id"].iloc[rows].tolist() == [key]
    with pytest.raises(UsageError, match=r"no request with the key 't-99999'. It has 1,020 requests, such as t-0"):
        _found(served(), parted, "t-99999")


def test_mutants_are_those_of_the_first_partition(references: tuple[Reference, Reference]) -> None:
    """A mutation test works on a sample of the requests, and states the reference it is of."""
    _, parted = references
    assert mutants_of(served(), parted, ["frame"]) == mutants_of(served(), parted.part(0), ["frame"])
