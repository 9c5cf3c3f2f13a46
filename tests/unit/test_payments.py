"""The example pipeline: what a stage promises, and that its second release is skewed in one column only."""

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest

from seatrial.io.loading import load_file
from seatrial.parity.compare import compare
from tests.support.paths import EXAMPLE

HERE = EXAMPLE
ROWS = 300


@pytest.fixture(scope="module")
def payments(tmp_path_factory):
    """The example's modules, a filled store, a fitted model and every stage's frame of some held-out requests."""
    url = f"sqlite:///{tmp_path_factory.mktemp('payments') / 'store.db'}"
    names = ["train", "pipeline", "payments_model", "payments_traffic", "payments_store"]
    train, serving, learnt, traffic, store = (load_file(HERE / f"{name}.py") for name in names)
    store.fill_store(url, traffic.make_customers(), traffic.make_history())
    past = traffic.make_payments(6_000, seed=1)
    model = learnt.fit(train.training_features(past), past["is_fraud"])
    requests = traffic.make_requests(ROWS, seed=5)
    clients = {"store": serving.FeatureStore(url)}
    here = SimpleNamespace(
        train=train, serving=serving, traffic=traffic, store=store, model=model, requests=requests, clients=clients
    )
    here.frames = run(here, requests)
    return here


def run(payments, requests, clients=None):
    frames, frame = {}, requests
    for stage in payments.serving.pipeline.stages:
        step = payments.serving.pipeline.step(stage, model=payments.model, clients=clients or payments.clients)
        frames[stage] = frame = step(frame)
    return frames


def exactly(expected, actual):
    """The columns in which two frames differ at all."""
    parity = compare(expected, actual, key="transaction_id", distributions=False)
    structure = [*parity.missing_columns, *parity.extra_columns]
    return structure + [c.column for c in parity.columns if c.mismatches or c.max_abs_diff or not c.dtype_ok]


def test_every_stage_keeps_every_key_in_order(payments):
    """No stage loses, adds or moves a row, and nothing is degraded while the store answers."""
    keys = [f"t5-{n:06d}" for n in range(ROWS)]
    assert list(payments.frames) == ["raw", "features", "prediction", "postprocess", "response"]
    for frame in payments.frames.values():
        assert frame["transaction_id"].tolist() == keys
    assert not payments.frames["response"]["degraded"].any()


def test_an_answer_does_not_depend_on_the_other_rows(payments):
    """Row by row, in small batches and shuffled, every stage gives bit for bit what it gives in one batch."""
    few = payments.requests.iloc[:25]
    ways = {
        "row by row": [few.iloc[[n]] for n in range(len(few))],
        "in batches": [payments.requests.iloc[n : n + 37] for n in range(0, ROWS, 37)],
        "shuffled": [payments.requests.sample(frac=1, random_state=3)],
    }
    for way, parts in ways.items():
        runs = [run(payments, part) for part in parts]
        for stage, whole in payments.frames.items():
            joined = pd.concat([r[stage] for r in runs], ignore_index=True)
            expected = whole[whole["transaction_id"].isin(joined["transaction_id"])]
            assert exactly(expected, joined) == [], (way, stage)


def test_no_requests_are_no_answers(payments):
    """A batch of no rows comes back empty from every stage, with the columns and types of any other."""
    for stage, frame in run(payments, payments.requests.iloc[:0]).items():
        assert len(frame) == 0, stage
        assert frame.dtypes.equals(payments.frames[stage].dtypes), stage


def test_the_same_seed_gives_the_same_requests(payments):
    """Requests are a function of rows and seed."""
    make = payments.traffic.make_requests
    assert make(50, seed=9).equals(make(50, seed=9))
    assert not make(50, seed=9).equals(make(50, seed=10))


@pytest.mark.parametrize(
    ("currency", "minor", "whole"), [("JPY", 1500, "1500"), ("EUR", 1999, "19.99"), ("KWD", 12_345, "12.345")]
)
def test_minor_units_follow_the_currency(payments, currency, minor, whole):
    """Yen have no minor unit, euros a hundred, dinars a thousand."""
    raw = payments.serving.parse(_request(amount=minor, currency=currency))
    assert raw["amount"].tolist() == [Decimal(whole)]


def test_text_survives_parsing(payments):
    """Namibia is a country, postcodes keep their zeros, an id above 2^53 its last digit, a name its letters."""
    raw = payments.serving.parse(_request(customer_id=9_007_199_254_740_993, cardholder="Zoe\u0308 Mu\u0308ller"))
    row = raw.iloc[0]
    assert (row["country"], row["postcode"], int(row["customer_id"])) == ("NA", "01067", 9_007_199_254_740_993)
    assert row["cardholder"] == "Zoë Müller"
    assert row["time"] == pd.Timestamp("2025-03-04T22:45:00Z")
    assert pd.isna(row["device"])
    assert (payments.frames["raw"]["country"] == "NA").sum() > 0


def test_training_and_serving_agree_in_release_1_and_part_in_the_hour_in_release_2(payments):
    """The warehouse's features equal the service's bit for bit; release 2 changes the hour and nothing else."""
    held_out = payments.traffic.make_payments(ROWS, seed=5)
    features = payments.frames["features"]
    assert exactly(payments.train.training_features(held_out, release=1), features) == []
    assert exactly(payments.train.training_features(held_out, release=2), features) == ["hour"]


def test_the_model_has_learnt_something(payments):
    """On payments it has not seen it ranks fraud well above the rest, and its probabilities add up."""
    from sklearn.metrics import roc_auc_score

    frames = run(payments, payments.traffic.make_requests(3_000, seed=6))
    is_fraud = payments.traffic.make_labels(3_000, seed=6)["is_fraud"]
    assert 0.02 < is_fraud.mean() < 0.05
    assert roc_auc_score(is_fraud, frames["prediction"]["score"]) > 0.83
    assert np.isclose(frames["postprocess"]["probability"].mean(), is_fraud.mean(), atol=0.01)
    assert set(frames["response"]["decision"]) == {"approve", "review", "decline"}


def test_without_the_store_only_those_who_asked_it_are_degraded(payments):
    """A lost store marks every row with a customer; guests get the answer they always get."""
    store = payments.clients["store"]

    class Gone:
        def customers(self, ids):
            raise payments.serving.StoreUnavailable("gone")

    assert len(store.customers(pd.Series([1, 2]))) == 0
    answers = run(payments, payments.requests, clients={"store": Gone()})["response"]
    guest = payments.frames["raw"]["customer_id"].isna()
    assert 0 < guest.sum() < ROWS
    assert (answers["degraded"] == ~guest).all()
    assert exactly(payments.frames["response"][guest], answers[guest]) == []


def test_a_store_that_was_never_filled_is_refused(payments, tmp_path):
    """Connecting to an empty database says what to run, and leaves no connection to it open."""
    file = tmp_path / "empty.db"
    with pytest.raises(payments.store.StoreUnavailable, match=r"train\.py") as refused:
        payments.store.FeatureStore(f"sqlite:///{file}")
    assert refused.value.__traceback__ is not None  # it still holds the engine
    assert str(file) not in [each.path for each in psutil.Process().open_files()]


def _request(**fields):
    import json

    request = {
        "transaction_id": "t",
        "customer_id": None,
        "cardholder": "דנה לוי",
        "amount": 100,
        "currency": "EUR",
        "time": "2025-03-05T00:45:00+02:00",
        "country": "NA",
        "postcode": "01067",
        "merchant_category": "0763",
        "card_present": True,
    }
    return pd.DataFrame({"payload": [json.dumps({**request, **fields})]})
