"""Every broken invariant is found with its column and cause; benign changes pass with many seeds."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seatrial import Dependency, Outcome, Pipeline, Policy, Severity, StagePolicy, Tolerance, Trial, capture, run
from seatrial.checks.invariants import check, variations
from seatrial.checks.invariants.reassembly import assemble
from seatrial.checks.invariants.variations import choose, in_parts
from seatrial.events import Evaluated, Finding, NotEvaluated


def requests(rows: int = 240, seed: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 1, rows)
    amount[rng.integers(0, rows, 5)] = np.nan
    return pd.DataFrame(
        {
            "id": [f"t-{i:05d}" for i in range(rows)],
            "amount": amount,
            "x": rng.normal(size=rows),
            "country": rng.choice(["DE", "FR", "NA", "PT"], rows, p=[0.5, 0.3, 0.19, 0.01]),
        }
    )


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["id", "amount", "country"]].assign(log_amount=np.log1p(frame["amount"]), double=frame["x"] * 2)


def events_of(features, stage: str = "features", seed: int = 0, reference_features=None, **settings) -> list:
    """Capture with ``reference_features`` (by default the same) and run the check on ``features``."""
    reference = capture(Pipeline("p", key="id", raw=same, features=reference_features or features), requests())
    trial = Trial(Pipeline("p", key="id", raw=same, features=features), reference, seed=seed, **settings)
    return list(check.check.run(trial, stage))


def broken(events: list) -> dict[str, str | None]:
    """Return cause to column of the findings that fail a version."""
    return {e.cause: e.column for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR}


# --- every kind is found ---------------------------------------------------------------------------------


def noisy(frame):
    return clean(frame).assign(jitter=np.random.default_rng().normal(size=len(frame)))


def test_an_unseeded_random_choice_is_not_repeatable_and_reported_once() -> None:
    events = events_of(noisy, reference_features=lambda f: clean(f).assign(jitter=0.0))
    assert broken(events) == {"not-repeatable": "jitter"}


def test_a_column_that_is_not_repeatable_does_not_hide_another_that_depends_on_the_batch() -> None:
    def stage(frame):
        return noisy(frame).assign(rank=frame["x"].rank())

    events = events_of(stage, reference_features=lambda f: clean(f).assign(jitter=0.0, rank=0.0))
    assert broken(events) == {"not-repeatable": "jitter", "batch-dependent": "rank"}
    (finding,) = [e for e in events if isinstance(e, Finding) and e.cause == "batch-dependent"]
    assert finding.evidence["also"] == ["row-dependent"]
    assert "It does so too when each request is sent alone." in finding.message


@pytest.mark.parametrize(
    "column",
    [
        lambda f: f["x"].rank(),
        lambda f: (f["x"] - f["x"].mean()) / f["x"].std(),
        lambda f: f["amount"].fillna(f["amount"].median()),
        lambda f: pd.factorize(f["country"], sort=True)[0],
        lambda f: f["country"].map(f["country"].value_counts()),
    ],
    ids=["rank", "scaler", "imputer", "encoder", "frequency"],
)
def test_a_statistic_fitted_on_the_request_is_one_finding_of_the_batch(column) -> None:
    events = events_of(lambda f: clean(f).assign(fitted=column(f)))
    (finding,) = [e for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR]
    assert finding.column == "fitted"
    assert "row-dependent" in {finding.cause, *finding.evidence.get("also", ())}
    assert finding.cause in {"row-dependent", "batch-dependent"}


def test_a_special_case_of_one_row_is_row_dependent_alone() -> None:
    def stage(frame):
        return clean(frame).assign(score=0.0 if len(frame) == 1 else frame["x"])

    assert broken(events_of(stage)) == {"row-dependent": "score"}


def test_a_stage_that_raises_on_one_row_is_a_finding() -> None:
    def stage(frame):
        return clean(frame).assign(z=list(np.squeeze(frame[["x"]].to_numpy())))

    assert "row-dependent" in broken(events_of(stage))


def test_values_taken_from_the_row_before_are_order_dependent() -> None:
    found = broken(events_of(lambda f: clean(f).assign(before=f["x"].shift(fill_value=0.0))))
    assert found == {"order-dependent": "before"}
    found = broken(events_of(lambda f: clean(f).assign(seeded=np.random.default_rng(0).normal(size=len(f)))))
    assert found["order-dependent"] == "seeded"


def test_a_cache_keyed_too_narrowly_is_found() -> None:
    @functools.cache
    def first_of(country: str, batch: Batch) -> float:
        return float(batch.frame["x"].iloc[0])

    def stage(frame):
        cached = Batch(frame)
        return clean(frame).assign(rate=[first_of(c, cached) for c in frame["country"]])

    assert broken(events_of(stage, reference_features=lambda f: clean(f).assign(rate=f["x"].iloc[0]))) != {}


class Batch:
    """Equal to every batch with as many rows."""

    def __init__(self, frame):
        self.frame = frame

    def __hash__(self):
        return len(self.frame)

    def __eq__(self, other):
        return len(self.frame) == len(other.frame)


def test_rows_that_a_stage_drops_in_small_batches_are_missing_keys() -> None:
    def stage(frame):
        out = clean(frame)
        return out[out["log_amount"].isna() | (frame["x"] <= frame["x"].quantile(0.95))]

    assert set(broken(events_of(stage))) >= {"batch-dependent"}


def test_rows_that_are_dropped_one_by_one_are_found_although_the_input_has_no_key() -> None:
    import json

    def parse(frame):
        out = pd.DataFrame([json.loads(p) for p in frame["payload"]], columns=["id", "x"])
        return out[out["x"] <= 1.5] if len(out) == 1 else out

    payloads = [json.dumps({"id": f"t-{i}", "x": i / 50}) for i in range(100)]
    reference = capture(Pipeline("p", key="id", raw=parse, next=same), pd.DataFrame({"payload": payloads}))
    pipeline = Pipeline("p", key="id", raw=parse, next=same)
    events = list(check.check.run(Trial(pipeline, reference), "raw"))
    assert "row-dependent" in broken(events)


def test_a_stage_that_writes_into_its_input_does_not_change_the_reference() -> None:
    def stage(frame):
        frame.loc[frame["x"] > 0, "x"] = -1.0
        return frame

    reference = capture(Pipeline("p", key="id", raw=same, features=stage), requests())
    before = reference.frame("raw").copy()
    trial = Trial(Pipeline("p", key="id", raw=same, features=stage), reference)
    assert broken(list(check.check.run(trial, "features"))) == {}
    pd.testing.assert_frame_equal(reference.frame("raw"), before)


def test_a_finding_names_keys_seed_and_what_to_look_for() -> None:
    (finding,) = [
        e for e in events_of(lambda f: clean(f).assign(r=f["x"].rank()), seed=5)
        if isinstance(e, Finding) and e.cause == "batch-dependent"
    ]  # fmt: skip
    assert finding.column == "r"
    assert finding.evidence["seed"] == 5
    assert finding.evidence["worst_keys"][0].startswith("t-")
    assert finding.evidence["compared"] == 240
    assert "rank" in finding.advice
    assert "'r' differs in 2" in finding.message
    assert "seed 5" in finding.message


# --- benign ----------------------------------------------------------------------------------------------


def test_a_clean_stage_passes_with_the_number_of_compared_cells() -> None:
    events = events_of(clean)
    assert broken(events) == {}
    (evaluated,) = [e for e in events if isinstance(e, Evaluated)]
    alone = 240 * 5
    assert evaluated.compared == alone + (240 * 2 + 50) * (4 + 5), "repeated alone, and varied in the chain"
    assert not [e for e in events if isinstance(e, NotEvaluated)]


def test_benign_changes_pass_over_eight_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variations, "SAMPLE_REQUESTS", 5)

    def vectorised(frame):
        out = clean(frame)
        return out[["double", *[c for c in out if c != "double"]]].iloc[::-1]

    def loop(frame):
        return clean(frame).assign(double=[2 * x for x in frame["x"]])

    reference = capture(Pipeline("p", key="id", raw=same, features=loop), requests())
    pipeline = Pipeline("p", key="id", raw=same, features=vectorised)
    for seed in range(8):
        assert broken(list(check.check.run(Trial(pipeline, reference, seed=seed), "features"))) == {}, seed


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_blas_noise_between_batch_sizes_passes_over_eight_seeds(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variations, "SAMPLE_REQUESTS", 5)
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 40)).astype(dtype)
    y = (x @ rng.normal(size=40) + rng.normal(size=300) > 0).astype(int)
    names = [f"x{i}" for i in range(40)]
    frame = pd.DataFrame(x, columns=names).assign(id=np.arange(300))
    models = [LogisticRegression().fit(x, y), MLPClassifier((32,), max_iter=30, random_state=0, tol=1.0).fit(x, y)]

    def predict(frame):
        inputs = frame[names].to_numpy()
        return frame[["id"]].assign(**{f"s{i}": m.predict_proba(inputs)[:, 1] for i, m in enumerate(models)})

    pipeline = Pipeline("p", key="id", raw=same, prediction=predict)
    reference = capture(pipeline, frame)
    exact = StagePolicy(tolerances={"s0": Tolerance(rtol=0.0, atol=0.0), "s1": Tolerance(ulp=0)})
    for seed in range(8):
        policy = Policy({"prediction": exact if dtype == "float64" else StagePolicy()})
        trial = Trial(pipeline, reference, seed=seed, policy=policy)
        assert broken(list(check.check.run(trial, "prediction"))) == {}, seed


def test_a_column_tolerance_of_the_stage_holds_here_too() -> None:
    def stage(frame):
        return clean(frame).assign(near=frame["x"] + 1e-4 * (len(frame) == 1))

    assert broken(events_of(stage)) == {"row-dependent": "near"}
    policy = Policy({"features": StagePolicy(tolerances={"near": Tolerance(atol=1e-3)})})
    assert broken(events_of(stage, policy=policy)) == {}


def test_noise_recorded_at_capture_is_allowed() -> None:
    rng = np.random.default_rng(0)

    def stage(frame):
        return clean(frame).assign(jitter=rng.uniform(0, 1e-3, len(frame)))

    pipeline = Pipeline("p", key="id", raw=same, features=stage)
    reference = capture(pipeline, requests(), noise="record")
    events = list(check.check.run(Trial(pipeline, reference), "features"))
    assert broken(events) == {}


def test_a_type_that_depends_on_the_batch_is_information_and_fails_nothing() -> None:
    def stage(frame):
        rows = [{"id": i, "n": None if x > 1 else int(x)} for i, x in zip(frame["id"], frame["x"], strict=True)]
        return pd.DataFrame(rows)

    events = events_of(stage)
    assert broken(events) == {}
    (finding,) = [e for e in events if isinstance(e, Finding) and e.cause == "type-by-batch"]
    assert (finding.column, finding.severity) == ("n", Severity.INFO)


def test_categories_inferred_from_the_batch_are_a_warning() -> None:
    events = events_of(lambda f: clean(f).assign(country=f["country"].astype("category")))
    (finding,) = [e for e in events if isinstance(e, Finding) and e.cause == "type-by-batch"]
    assert (finding.column, finding.severity) == ("country", Severity.WARNING)
    assert broken(events) == {}


# --- not evaluated ---------------------------------------------------------------------------------------


class Store:
    def rates(self, countries):
        return pd.Series({c: len(c) * 1.0 for c in sorted(set(countries))}).rename_axis("country")


def test_lookups_by_key_are_replayed_in_any_batch() -> None:
    def stage(frame, store):
        return clean(frame).assign(rate=frame["country"].map(store.rates(frame["country"])))

    store = Dependency("store", url="memory:", connect=lambda _: Store())
    pipeline = Pipeline("p", key="id", dependencies=[store], raw=same, features=stage)
    events = list(check.check.run(Trial(pipeline, capture(pipeline, requests())), "features"))
    assert broken(events) == {}
    assert not [e for e in events if isinstance(e, NotEvaluated)]


def test_a_call_recorded_as_a_whole_cannot_be_replayed_in_parts_and_is_not_evaluated() -> None:
    class Whole:
        def total(self, ids, countries):
            return len(ids)

    def whole(frame, store):
        return clean(frame).assign(total=store.total(list(frame["id"]), list(frame["country"])))

    store = Dependency("store", url="memory:", connect=lambda _: Whole())
    pipeline = Pipeline("p", key="id", dependencies=[store], raw=same, features=whole)
    events = list(check.check.run(Trial(pipeline, capture(pipeline, requests())), "features"))
    not_evaluated = [e for e in events if isinstance(e, NotEvaluated)]
    assert len(not_evaluated) == 3
    assert "not recorded" in not_evaluated[0].reason
    assert broken(events) == {}
    verdict = run(pipeline, capture(pipeline, requests()), [check.check])
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_a_failure_on_an_input_without_rows_is_told_and_a_row_for_it_is_a_warning() -> None:
    def refuses(frame):
        if not len(frame):
            raise ValueError("no rows")
        return clean(frame)

    def invents(frame):
        return clean(frame) if len(frame) else clean(requests()).head(1)

    for stage, severity in ((refuses, Severity.INFO), (invents, Severity.WARNING)):
        events = events_of(stage)
        (finding,) = [e for e in events if isinstance(e, Finding) and e.cause == "empty-batch"]
        assert finding.severity is severity
        assert broken(events) == {}


def test_a_stage_that_raises_on_its_whole_input_fails_the_run() -> None:
    def stage(frame):
        raise ValueError

    reference = capture(Pipeline("p", key="id", raw=same, features=clean), requests())
    verdict = run(Pipeline("p", key="id", raw=same, features=stage), reference, [check.check])
    assert verdict.outcome is Outcome.FAIL
    assert verdict.first_failing_stage == "features"


def test_a_pipeline_without_a_file_reports_once_that_no_fresh_process_was_run() -> None:
    reference = capture(Pipeline("p", key="id", raw=same, features=clean), requests())
    trial = Trial(Pipeline("p", key="id", raw=same, features=clean), reference)
    events = [e for stage in ("raw", "features") for e in check.check.run(trial, stage)]
    findings = [e for e in events if isinstance(e, Finding)]
    assert [(e.cause, e.severity) for e in findings] == [("process-not-run", Severity.INFO)]
    assert run(trial.pipeline, reference, ["invariants"]).outcome is Outcome.PASS


# --- the pieces ------------------------------------------------------------------------------------------


def test_the_sample_holds_nulls_rare_categories_and_extremes() -> None:
    frame = requests(5000)
    frame.loc[4321, "country"] = "ZZ"
    rows = choose(frame, np.arange(len(frame)), 50, np.random.default_rng(0))
    sample = frame.iloc[rows]
    assert len(rows) == len(set(rows)) == 50
    assert sample["amount"].isna().any()
    assert "ZZ" in set(sample["country"])
    assert sample["x"].max() == frame["x"].max()


def test_the_sample_stays_small_on_wide_and_odd_frames() -> None:
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 300)))
    wide[300] = [[1]] * 200
    wide[301] = None
    rows = choose(wide, np.arange(200), 50, np.random.default_rng(0))
    assert len(rows) == len(set(rows)) == 50
    assert choose(wide.iloc[:3], np.arange(3), 50, np.random.default_rng(0)) == [0, 1, 2]


@pytest.mark.parametrize(
    "kind",
    [
        pa.large_list(pa.large_string()), pa.list_(pa.float64(), 2), pa.struct([("a", pa.int64())]),
        pa.map_(pa.string(), pa.int64()), pa.large_binary(), pa.decimal128(5, 2), pa.duration("s"), pa.time64("us"),
        pa.dictionary(pa.int8(), pa.string()), pa.null(),
    ],
    ids=str,
)  # fmt: skip
def test_the_sample_is_drawn_from_columns_of_each_type_of_arrow(kind: pa.DataType) -> None:
    """Lists, structs and maps of Arrow have no codes, and say so by another error than lists of Python."""
    frame = pd.DataFrame({"a": pd.array([None] * 100, dtype=pd.ArrowDtype(kind))})
    assert len(choose(frame, np.arange(100), 50, np.random.default_rng(0))) == 50
    nested = {"large_list": ["x"], "fixed_size_list": [1.0, 2.0], "struct": {"a": 1}, "map": [("k", 1)]}
    some = next((cell for name, cell in nested.items() if str(kind).startswith(name)), None)
    frame.loc[:, "a"] = pd.Series([some] * 100, dtype=pd.ArrowDtype(kind))
    assert len(choose(frame, np.arange(100), 50, np.random.default_rng(0))) == 50


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 1000])
def test_the_parts_hold_every_row_once(rows: int) -> None:
    parts = in_parts(pd.DataFrame({"a": range(rows)}), np.arange(rows), np.random.default_rng(0))
    assert np.concatenate(parts).tolist() == list(range(rows))
    assert len(parts) == min(rows, 3) or rows < 7


def test_pieces_are_cast_only_where_no_value_changes() -> None:
    whole = pd.DataFrame({"f": [1.0, None], "i": [1, 2], "s": ["1", "2"], "b": [True, False]})
    pieces = [
        pd.DataFrame({"f": [1], "i": [1.5], "s": [1], "b": [1]}),
        pd.DataFrame({"f": [None], "i": [2.0], "s": [2], "b": [0]}),
    ]
    together, retyped = assemble(pieces, whole)
    assert list(retyped) == ["f"]
    assert together["f"].dtype == "float64"
    assert together["i"].tolist() == [1.5, 2.0]
    assert together["s"].tolist() == [1, 2]
    assert together["b"].dtype == "int64"
