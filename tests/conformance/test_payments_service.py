"""The payments service under golden: a clean one passes, and each fault put into it is found, placed and named."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial import Reference, Trial, capture
from seatrial.checks import environment
from seatrial.checks.golden import check
from seatrial.checks.serving.service import live_service
from seatrial.errors import AnswerError
from seatrial.events import Evaluated, Finding, NotEvaluated, Severity
from seatrial.io.loading import load_file
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from tests.support.paths import EXAMPLE

pytestmark = pytest.mark.server
HERE = EXAMPLE


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """A trial with its service started: a filled store, a model and the previous one, and a reference."""
    import mlflow.sklearn

    root = tmp_path_factory.mktemp("payments")
    store = f"sqlite:///{root / 'store.db'}"
    patch = pytest.MonkeyPatch()
    patch.setenv("PAYMENTS_STORE_URL", store)
    train, serving, learnt, traffic, stores = (
        load_file(HERE / f"{n}.py")
        for n in ("train", "pipeline", "payments_model", "payments_traffic", "payments_store")
    )
    stores.fill_store(store, traffic.make_customers(), traffic.make_history())
    past = traffic.make_payments(4_000, seed=1)
    for name, seed in (("model", 0), ("previous", 7)):
        model = learnt.fit(train.training_features(past), past["is_fraud"], seed)
        mlflow.sklearn.save_model(
            model, root / name, skops_trusted_types=learnt.TRUSTED, pip_requirements=[], serialization_format="skops"
        )
    command = ["uvicorn", "faulty_payments:app", "--host", "127.0.0.1", "--port", "{port}"]
    env = {
        **serving.pipeline.service.env, "PAYMENTS": str(HERE), "PREVIOUS_MODEL": str(root / "previous"),
        "STORE_SECONDS": "20",  # a busy machine is no fault
        "TZ": "JST-9", "PYTHONHASHSEED": "4",
    }  # fmt: skip
    serving.pipeline.service = replace(
        serving.pipeline.service, command=command, env=env, cwd=Path(__file__).parent / "servers", ready_seconds=180.0
    )
    reference = capture(serving.pipeline, traffic.make_requests(200, seed=5), model=str(root / "model"))
    reference = Reference.load(reference.save(root / "reference"))
    policy = Policy(service=service_settings({"golden": {"single_requests": 25, "batch_size": 50}}))
    with Trial(
        serving.pipeline,
        reference,
        policy=policy,
        model=learnt.load_model(str(root / "model")),
        champion=learnt.load_model(str(root / "previous")),
        model_path=os.fspath(root / "model"),
    ) as trial:
        live_service(trial)
        yield trial
    patch.undo()


def sail(trial, fault, run=check.run):
    """Put the fault in, ask, and take it out."""
    target = live_service(trial).target
    assert target.send(path=f"/fault/{fault}", method="PUT").ok
    try:
        return list(run(trial, "service"))
    finally:
        target.send(path="/fault/none", method="PUT")


def test_a_clean_service_passes(trial):
    """Every field of every answer matches the reference, one by one and in batches."""
    events = sail(trial, "none")
    assert not [e for e in events if isinstance(e, NotEvaluated | Finding)]
    assert next(e for e in events if isinstance(e, Evaluated)).compared == (200 + 25) * 5


@pytest.mark.parametrize(
    ("fault", "column", "cause"),
    [
        ("nulls-as-zero", "probability", "null-handling"),
        ("rounded-before-the-threshold", "probability", "rounding"),
        ("previous-model", "probability", "other-model"),
        ("percent", "probability", "unit-factor"),
        ("mixed-up-batch", "probability", "misaligned-rows"),
        ("broken", None, "status-500"),
        ("other-class", "probability", None),
        ("set-order", "probability", None),
        ("local-time", "probability", None),
        ("fallback-without-the-flag", "probability", None),
    ],
)
def test_a_fault_of_the_service_is_found_and_placed(trial, fault, column, cause):
    """The finding stands at the service and names the column, and the cause where it can be told."""
    events = sail(trial, fault)
    found = [e for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR]
    assert found
    assert {f.stage for f in found} == {"service"}
    first = next(f for f in found if f.column == column)
    assert not first.downstream
    if cause:
        assert first.cause == cause


def test_another_time_zone_is_told_and_with_other_answers_a_warning(trial):
    """Both time zones are named; where the answers differ too, the finding names them as a possible cause."""
    for fault, severity, says in (("none", Severity.INFO, False), ("local-time", Severity.WARNING, True)):
        events = sail(trial, fault, environment.run)
        assert events[-1] == Evaluated("environment", "service", compared=events[-1].compared)
        assert events[-1].compared > 8
        (zone,) = (e for e in events if isinstance(e, Finding))
        assert (zone.stage, zone.cause, zone.severity) == ("service", "timezone", severity)
        assert "time zone is JST/JST, UTC+9; the reference has " in zone.message
        assert ("this may be the cause" in zone.message) is says


def test_the_service_refuses_what_it_was_not_made_for(trial):
    """Probes of every kind get a 4xx with words, and never the value back; the next request is answered."""
    target = live_service(trial).target
    good = trial.reference.requests["payload"].iloc[0]
    for probe in (b"", b"{", b"[" * 50_000, b"null", b'{"amount": 1e999}',
                  good.replace('"amount": ', '"amount": "4')[:-1],
                  good[:-1] + ', "amuont": 1}', good[:-1] + ', "card_present": 1}', good[:-1] + ', "amount": 1.5}',
                  good[:-1] + ', "amount": NaN}', good[:-1] + ', "amount": true}', good[:-1] + ', "customer_id": 1e30}',
                  good[:-1] + ', "cardholder": "\\ud800"}', good[:-1] + ', "cardholder": "a\\u0000"}',
                  good[:-1] + ', "time": "2025-02-30T00:00:00Z"}', good[:-1] + ', "time": "2025-02-03T00:00:00"}',
                  good[:-1] + ', "time": "0001-01-01T00:00:00+14:00"}', b" " * (2**20 + 1)):  # fmt: skip
        response = target.send(probe)
        assert 400 <= response.status < 500, (probe[:80], response.status)
        assert response.json()["detail"]
    assert target.send(good, headers={"content-type": "text/plain"}).status == 422
    assert target.send(b"[]", path="/score/batch").status == 422
    assert target.send(good).ok


def test_an_answer_that_cannot_be_made_in_time_says_so(trial):
    """A deadline of the caller's own ends the call, and the service goes on."""
    with pytest.raises(AnswerError, match="did not send a complete response within"):
        live_service(trial).target.send(trial.reference.requests["payload"].iloc[0], seconds=1e-4)
    assert live_service(trial).running.ended() is None
