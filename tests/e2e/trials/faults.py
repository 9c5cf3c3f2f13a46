"""Faults of the kinds that reach production, each one function that puts it into a pipeline under trial.

A fault says where it is born (the place that a verdict must name first), the column it shows in, and the slug of its
cause where a comparison can tell it.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

import seatrial
from seatrial import Dependency, Pipeline, Policy, Reference, Verdict
from seatrial.io import bundle
from tests.e2e.trials import linear

# Every check but invariants, which ask a stage about itself: a wrong answer that is always the same passes them.
PLACING = ("expectations", "golden", "quality", "environment")


@dataclass(frozen=True)
class Ground:
    """A pipeline that is in order, with all that a trial of it needs."""

    example: SimpleNamespace
    stages: Mapping[str, Callable[..., pd.DataFrame]]
    build: Callable[[dict[str, Callable[..., pd.DataFrame]], Dependency], Pipeline]
    store: Dependency
    model: Any
    reference: Reference
    policy: Policy
    versions: Mapping[str, str]
    preparation: linear.Preparation | None = None

    def changed(self, **stages: Callable[..., pd.DataFrame]) -> Attempt:
        """With other stages in the place of some."""
        return Attempt(self, stages)

    def after(self, stage: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Attempt:
        """With something done to what a stage returns."""
        return self.changed(**{stage: then(self.stages[stage], change)})

    def operated(self, **operators: Any) -> Attempt:
        """With other operators in the preparation of the hand-written path."""
        return self.changed(
            **{"features": linear.stages(self.example.serving, self.preparation, **operators)["features"]}
        )

    def with_model(self, model: Any) -> Attempt:
        """With another model, loaded or by the path of its files."""
        return Attempt(self, model=model)

    def with_store(self, tmp_path: Path, *statements: str) -> Attempt:
        """With a copy of the store to which SQL was done, asked live."""
        copy = tmp_path / "store.db"
        shutil.copy(sa.make_url(self.store.url).database, copy)
        engine = sa.create_engine(f"sqlite:///{copy}")
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
        engine.dispose()
        return Attempt(self, store=replace(self.store, url=f"sqlite:///{copy}"), live=("store",))


@dataclass(frozen=True)
class Attempt:
    """What is sent to sea: a ground, and what is different from it."""

    ground: Ground
    stages: Mapping[str, Callable[..., pd.DataFrame]] = field(default_factory=dict)
    store: Dependency | None = None
    model: Any = None
    reference: Reference | None = None
    live: Sequence[str] = ()

    @property
    def pipeline(self) -> Pipeline:
        return self.ground.build({**self.ground.stages, **self.stages}, self.store or self.ground.store)

    def run(self, **settings: Any) -> Verdict:
        """Take it to sea with the checks that place a fault; ``checks=None`` asks every one."""
        settings = {"checks": PLACING, **settings}
        return seatrial.run(
            self.pipeline,
            self.reference or self.ground.reference,
            model=self.ground.model if self.model is None else self.model,
            policy=self.ground.policy,
            live=self.live,
            **settings,
        )


@dataclass(frozen=True)
class Fault:
    """One fault of the list, and what a verdict must say of it."""

    name: str
    place: str
    inject: Callable[[Ground, Path], Attempt]
    column: str | None = None
    cause: str | None = None
    ground: str = "payments"


FAULTS: list[Fault] = []


def fault(name: str, place: str, **told: str) -> Callable[..., Any]:
    """Put a function on the list."""

    def listed(inject: Callable[[Ground, Path], Attempt]) -> Callable[[Ground, Path], Attempt]:
        FAULTS.append(Fault(name, place, inject, **told))
        return inject

    return listed


def then(stage: Callable[..., pd.DataFrame], change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[..., Any]:
    """Return the stage with something done to its answer; it still asks for what it asked for."""

    @wraps(stage)
    def changed(frame: pd.DataFrame, **needs: Any) -> pd.DataFrame:
        return change(stage(frame, **needs))

    return changed


@fault("01-raw-na-country", "raw", column="country", cause="null-handling")
def na_country(ground, tmp_path):
    """The parsed rows pass through a CSV file that is read with the default missing-value strings."""

    def through_csv(frame):
        text = frame[["country"]].to_csv(index=False)
        return frame.assign(country=pd.read_csv(io.StringIO(text), dtype={"country": "string"})["country"])

    return ground.after("raw", through_csv)


@fault("03-raw-ids-through-float", "raw", column="customer_id", cause="dtype-coercion")
def ids_through_float(ground, tmp_path):
    """Guests' nulls turn the column of ids into float64 before the cast to Int64."""

    def parse(requests):
        frame = ground.stages["raw"](requests)
        ids = [json.loads(payload)["customer_id"] for payload in requests["payload"]]
        return frame.assign(customer_id=pd.Series(ids, dtype="float64").astype("Int64").to_numpy(na_value=None)).astype(
            {"customer_id": "Int64"}
        )

    return ground.changed(raw=parse)


@fault("05-raw-day-month", "raw", column="time", cause="day-month-swap")
def day_and_month(ground, tmp_path):
    """Shops send 03/04/2025 for the fourth of March and it is parsed with the day first."""

    def swapped(frame):
        text = frame["time"].dt.strftime("%m/%d/%Y %H:%M:%S")
        first = pd.to_datetime(text, dayfirst=True, format="mixed", utc=True)
        return frame.assign(time=first.astype(frame["time"].dtype))

    return ground.after("raw", swapped)


@fault("07-raw-unit-slice", "raw", column="amount", cause="unit-factor")
def unit_of_a_slice(ground, tmp_path):
    """One kind of merchant sends thousandths: their amounts, and no others, are 1000 times too high."""

    def in_thousandths(frame):
        there = frame["merchant_category"] == "5812"
        return frame.assign(amount=frame["amount"].mask(there, frame["amount"] * 1000))

    return ground.after("raw", in_thousandths)


@fault("09-raw-fan-out", "raw", cause="stage-broke")
def fan_out(ground, tmp_path):
    """A table of currencies is merged in, and one currency stands in it twice."""
    rates = ground.example.serving.EUR_RATES
    table = pd.DataFrame({"currency": [*rates, "GBP"]}, dtype="string")
    return ground.after("raw", lambda frame: frame.merge(table, on="currency"))


@fault("11-features-no-scaler", "features", column="log_amount", cause="scaling", ground="array_path")
def no_scaler(ground, tmp_path):
    """The hand-written path forgets to scale the amount."""
    return ground.operated(scales=False)


@fault("13-features-imputer", "features", column="account_age", cause="default-fill", ground="array_path")
def other_constant(ground, tmp_path):
    """Training filled unknown account ages with the median, serving fills them with 0."""
    return ground.operated(age=0.0)


@fault("15-features-unknown-category", "features", column="device", cause="default-fill", ground="array_path")
def unknown_is_first(ground, tmp_path):
    """A device that was never seen gets the index of the first one, ``.get(x, 0)``."""
    return ground.operated(unknown_device=0)


@fault("17-features-column-order", "features", column="hour", cause="column-swap", ground="array_path")
def column_order(ground, tmp_path):
    """The features are taken in alphabetical order into an array that has no names."""
    return ground.operated(array=lambda frame: frame[sorted(frame.columns)].to_numpy("float64"))


@fault("19-features-leak", "features", column="amount_ratio")
def leak(ground, tmp_path):
    """The customer's average already holds the payment that is to be judged."""

    def with_this_one(frame):
        amount, n = frame["amount_eur"], frame["payments_30d"]
        average = (amount / frame["amount_ratio"] * n + amount) / (n + 1)
        return frame.assign(amount_ratio=amount / average)

    return ground.after("features", with_this_one)


@fault("21-features-log", "features", column="log_amount", cause="log-transform")
def log_for_log1p(ground, tmp_path):
    """The logarithm of the amount, where training took that of the amount and one."""
    return ground.after("features", lambda f: f.assign(log_amount=np.log(f["amount_eur"].clip(1e-9))))


@fault("23-features-integer-division", "features", column="amount_ratio", cause="truncation")
def integer_division(ground, tmp_path):
    """``//`` in the place of ``/``."""
    return ground.after("features", lambda f: f.assign(amount_ratio=f["amount_ratio"] // 1))


@fault("23-features-rounding-mode", "features", column="fortnight", cause="rounding-mode", ground="array_path")
def half_to_even(ground, tmp_path):
    """numpy rounds halves to even, training rounded them up."""
    return ground.operated(rounded=np.rint)


@fault("25-store-stale", "store", column="payments_30d", cause="stale-values")
def stale(ground, tmp_path):
    """The store still serves the snapshot of the day before: a payment less for every third customer."""
    return ground.with_store(
        tmp_path,
        "UPDATE customers SET payments_30d = payments_30d - 1 - (customer_id / 10) % 2, "
        "average_amount = average_amount * (1 + 0.01 * (customer_id % 7)) WHERE customer_id % 3 = 0",
    )


@fault("27-store-feature-version", "store", column="average_amount", cause="unit-factor")
def feature_version(ground, tmp_path):
    """Version 2 of the table, in minor units, stands under the name of version 1."""
    return ground.with_store(
        tmp_path,
        "CREATE TABLE customers_v2 AS SELECT customer_id, home_country, opened_on, average_amount * 100 "
        "AS average_amount, payments_30d, chargebacks FROM customers",
        "ALTER TABLE customers RENAME TO customers_v1",
        "ALTER TABLE customers_v2 RENAME TO customers",
    )


@fault("29-store-evicted", "store", column="customer_id", cause="evicted-keys")
def evicted(ground, tmp_path):
    """One key in ten has left the store."""
    return ground.with_store(tmp_path, "DELETE FROM customers WHERE (customer_id / 2) % 10 = 0")


@fault("31-model-wrong-artifact", "prediction", column="score")
def wrong_artifact(ground, tmp_path):
    """The files of version 1 lie where those of version 2 should."""
    shutil.copytree(ground.versions["2"], tmp_path / "model")
    shutil.copytree(ground.versions["1"], tmp_path / "model", dirs_exist_ok=True)
    return ground.with_model(str(tmp_path / "model"))


@fault("33-model-mixed-versions", "prediction", column="score")
def mixed_versions(ground, tmp_path):
    """The encoder and imputer of version 1 stand before the classifier of version 2."""
    from sklearn.pipeline import Pipeline as Steps

    load = ground.example.learnt.load_model
    old, new = load(ground.versions["1"]), load(ground.versions["2"])
    return ground.with_model(Steps([old.steps[0], *new.steps[1:]]))


@fault("35-model-library-skew", "prediction", column="score")
def library_skew(ground, tmp_path):
    """Another scikit-learn than at training, under which predictions move in the fourth digit."""
    attempt = other_library(ground, tmp_path, "scikit-learn", "0.24.2")
    moved = then(
        ground.stages["prediction"], lambda f: f.assign(score=f["score"] * (1 + 1e-4 * np.sin(f["score"] * 99)))
    )
    return replace(attempt, stages={"prediction": moved})


@fault("37-model-flipped-labels", "prediction", column="score", cause="limit-missed")
def flipped_labels(ground, tmp_path):
    """A model that learnt from labels of which a fifth were flipped, with a reference of its own."""
    return own_reference(ground, tmp_path, "flipped")


@fault("39-postprocess-no-calibration", "postprocess", column="probability")
def no_calibration(ground, tmp_path):
    """The score goes out as the probability: the correction for the sampled training set is skipped."""
    score = ground.reference.frame("prediction").set_index("transaction_id")["score"]
    return ground.after("postprocess", lambda f: f.assign(probability=f["transaction_id"].map(score).astype("float64")))


@fault("39-postprocess-calibrated-twice", "postprocess", column="probability")
def calibrated_twice(ground, tmp_path):
    """The correction for the sampled training set is made twice; every rank stays what it was."""

    def decide(frame):
        once = ground.stages["postprocess"](frame)
        return ground.stages["postprocess"](frame.assign(score=once["probability"]))

    return ground.changed(postprocess=decide)


@fault("41-postprocess-early-rounding", "postprocess", column="band")
def early_rounding(ground, tmp_path):
    """The probability is rounded to two decimals before it is held against the limits."""
    serving = ground.example.serving
    limits = [-np.inf, serving.REVIEW, serving.DECLINE, np.inf]

    def rounded(frame):
        p = frame["probability"].round(2)
        band = pd.cut(p, limits, right=False, labels=["low", "elevated", "high"])
        decision = pd.cut(p, limits, right=False, labels=["approve", "review", "decline"]).astype("string")
        return frame.assign(band=band, decision=decision)

    return ground.after("postprocess", rounded)


@fault("43-postprocess-sort-direction", "postprocess", column="reasons", ground="array_path")
def ascending(ground, tmp_path):
    """The reasons are the smallest features, not the largest."""

    def explain(frame):
        return linear.explain(frame, ascending=True)

    return ground.changed(postprocess=explain)


@fault("43-postprocess-unstable-ties", "postprocess", column="reasons", ground="array_path")
def unstable_ties(ground, tmp_path):
    """Equal features come in whatever order the sort leaves them: here backwards."""

    def explain(frame):
        values = -linear.in_order(frame)[:, ::-1]
        order = np.argsort(values, axis=1, kind="stable")[:, : linear.REASONS]
        names = [[linear.INPUTS[::-1][i] for i in row] for row in order]
        return linear.explain(frame).assign(reasons=pd.Series(names, index=frame.index, dtype="object"))

    return ground.changed(postprocess=explain)


@fault("45-response-nan", "response", column="amount_ratio", cause="null-handling", ground="array_path")
def nan_answers(ground, tmp_path):
    """The response model that turned NaN into a number is gone; in process the frame shows what would be a 500."""

    def respond(frame):
        return linear.answer(frame).assign(amount_ratio=frame["amount_ratio"])

    return ground.changed(response=respond)


@fault("47-response-big-integer", "response", column="case", cause="dtype-coercion", ground="array_path")
def big_integer(ground, tmp_path):
    """The case goes out as a number above 2^53, which a consumer's JSON reader rounds, and not as text."""
    return ground.changed(response=linear.numeric_case)


def other_library(ground: Ground, tmp_path: Path, library: str, version: str) -> Attempt:
    """With a reference that was captured under another version of a library."""
    shutil.copytree(ground.reference.root, tmp_path / "reference")
    manifest = bundle.open_manifest(tmp_path / "reference", "reference")
    recorded = manifest["environment"]
    libraries = {**recorded["libraries"], library: version}
    bundle.seal(tmp_path / "reference", {**manifest, "environment": {**recorded, "libraries": libraries}})
    return Attempt(ground, reference=Reference.load(tmp_path / "reference"))


def own_reference(ground: Ground, tmp_path: Path, version: str, rows: int = 3_000) -> Attempt:
    """With another version of the model and the reference that its own training run captured."""
    traffic = ground.example.traffic
    pipeline = Attempt(ground).pipeline
    reference = seatrial.capture(
        pipeline, traffic.make_requests(rows, seed=2), model=ground.versions[version],
        labels=traffic.make_labels(rows, seed=2), seed=2,
    )  # fmt: skip
    saved = Reference.load(reference.save(tmp_path / "reference"))
    return Attempt(ground, model=ground.versions[version], reference=saved)
