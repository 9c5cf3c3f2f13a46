"""What a golden file leaves out: the features by themselves, the scores, the latency, an outage, the worth."""

import os
import time

import features
import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import free_port, running
from sklearn.metrics import roc_auc_score


@pytest.fixture(scope="session")
def recorded():
    return pd.read_csv("recorded/reference_served.csv")


@pytest.fixture(scope="session")
def built():
    asked = pd.read_json("recorded/reference_requests.jsonl", lines=True, convert_dates=False)
    return features.build(features.parse(asked), features.Store(os.environ["STORE_URL"]))


@pytest.mark.parametrize("column", features.COLUMNS)
def test_feature(column, built, recorded):
    pd.testing.assert_series_equal(built[column], recorded[column], check_dtype=False, rtol=1e-9)


def test_prediction(recorded):
    scored = features.predict(recorded, joblib.load("model.pkl"))
    np.testing.assert_allclose(scored["leaves"], recorded["risk"], rtol=1e-9)


def test_quality(recorded):
    assert roc_auc_score(recorded["left"], recorded["risk"]) >= 0.88


def test_latency(golden, service):
    seconds = []
    for request, _ in golden[:50]:
        begin = time.perf_counter()
        service.post("/predict", json=request)
        seconds.append(time.perf_counter() - begin)
    assert np.quantile(seconds, 0.95) < 0.6


def test_outage(golden):
    with running(f"http://127.0.0.1:{free_port()}") as service:
        answers = [service.post("/predict", json=request) for request, _ in golden[:10]]
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json()["degraded"] for answer in answers)
