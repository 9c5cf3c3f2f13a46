"""What the trials share: one store, one training, one capture a session, through the front door."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial import Dependency, Pipeline, Policy, Reference, capture
from seatrial.io.loading import load_file
from tests.e2e.trials import linear
from tests.e2e.trials.faults import Ground
from tests.e2e.trials.toy import kind, toy  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "payments"
TRAINED, REFERENCE = 3_000, 800  # payments to train on; requests in the reference, 27 of them fraud


@pytest.fixture(scope="session")
def example():
    """The modules of the payments example."""
    names = ["train", "pipeline", "payments_model", "payments_traffic", "payments_store"]
    train, serving, learnt, traffic, store = (load_file(EXAMPLE / f"{name}.py") for name in names)
    return SimpleNamespace(train=train, serving=serving, learnt=learnt, traffic=traffic, store=store)


@pytest.fixture(scope="session")
def url(example, tmp_path_factory):
    """A SQLite feature store, filled."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'payments.db'}"
    example.store.fill_store(url, example.traffic.make_customers(), example.traffic.make_history())
    return url


@pytest.fixture(scope="session")
def past(example):
    """The payments of training, and the features that training made of them."""
    payments = example.traffic.make_payments(TRAINED, seed=1)
    return payments, example.train.training_features(payments)


@pytest.fixture(scope="session")
def versions(example, past, tmp_path_factory):
    """The model's files by version: 1 is older and saw less, 3 saw more than 2; flipped learnt from wrong labels."""
    import mlflow.sklearn
    import numpy as np

    payments, features = past
    root = tmp_path_factory.mktemp("models")
    few = slice(0, TRAINED // 2)
    flipped = payments["is_fraud"] ^ (np.random.default_rng(0).random(TRAINED) < 0.2)
    more = example.traffic.make_payments(4 * TRAINED, seed=3)
    sets = {
        "1": (features.iloc[few], payments["is_fraud"].iloc[few]),
        "2": (features, payments["is_fraud"]),
        "3": (example.train.training_features(more), more["is_fraud"]),
        "flipped": (features, flipped),
    }
    for name, (seen, labels) in sets.items():
        model = example.learnt.fit(seen.reset_index(drop=True), labels.reset_index(drop=True))
        trusted = example.learnt.TRUSTED
        mlflow.sklearn.save_model(model, root / name, skops_trusted_types=trusted, pip_requirements=["scikit-learn"])
    return {name: str(root / name) for name in sets}


def captured(pipeline, path, example, *, rows=REFERENCE, model=None, given=None, seed=2):
    """Capture, save, and load again: what is tried is what came back from storage."""
    requests, labels = example.traffic.make_requests(rows, seed), example.traffic.make_labels(rows, seed)
    made = capture(pipeline, requests, model=model, given=given, labels=labels, seed=seed)
    return Reference.load(made.save(path))


@pytest.fixture(scope="session")
def payments(example, url, versions, tmp_path_factory):
    """The payments pipeline with its own model, reference and policy."""
    made = example.serving.pipeline
    stages = {name: made.stage(name).function for name in made.stages}

    def build(functions, store):
        return Pipeline("payments", key=made.key, model=made.model, dependencies=[store], **functions)

    store = Dependency("store", url, example.store.FeatureStore)
    pipeline = build(stages, store)
    held_out = example.traffic.make_payments(REFERENCE, seed=2)
    path = tmp_path_factory.mktemp("reference") / "payments"
    given = {"features": example.train.training_features(held_out)}
    reference = captured(pipeline, path, example, model=versions["2"], given=given)
    policy = Policy.load(ROOT / "expectations", pipeline)
    return Ground(example, stages, build, store, made.model(versions["2"]), reference, policy, versions)


@pytest.fixture(scope="session")
def array_path(example, url, past, tmp_path_factory):
    """The payments-like path of :mod:`tests.e2e.trials.linear`."""
    from sklearn.linear_model import LogisticRegression

    payments, features = past
    preparation = linear.Preparation.fitted(features)
    model = LogisticRegression(max_iter=2_000).fit(linear.in_order(preparation(features)), payments["is_fraud"])
    store = Dependency("store", url, example.store.FeatureStore)
    stages = linear.stages(example.serving, preparation)
    path = tmp_path_factory.mktemp("reference") / "linear"
    reference = captured(linear.make(stages, store), path, example, model=model)
    return Ground(example, stages, linear.make, store, model, reference, Policy(), {}, preparation)
