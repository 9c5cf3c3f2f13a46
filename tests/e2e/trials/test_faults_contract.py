"""Faults of answers and contract, injected into the payments service, fail the version there, with their cause."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial import Outcome, Pipeline, Policy, Service
from seatrial.checks.contract.check import check
from seatrial.checks.engine import plan, run_case, verdict_of
from seatrial.checks.serving.service import LiveService, serve
from seatrial.checks.serving.target import target_of
from seatrial.events import Attachment, Severity
from seatrial.pipeline import SERVICE
from seatrial.policy.service import Contract
from seatrial.reference.champion import ChampionContract
from seatrial.targets.http import Http
from seatrial.trial import Trial

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="module")
def running(payments, url):
    """Every variant of the service, started once."""
    service = Service(
        [sys.executable, "-m", "uvicorn", "payments_variants:app", "--app-dir", str(HERE), "--host", "127.0.0.1",
         "--port", "{port}", "--log-level", "warning"],
        predict="/clean/score", cwd=ROOT, ready_seconds=240,
        env={"MODEL_PATH": "{model.path}", "PAYMENTS_STORE_URL": "{store.url}", "STORE_SECONDS": "20"},
    )  # fmt: skip
    pipeline = with_service(payments, service)
    with serve(Trial(pipeline, payments.reference), model_path=payments.versions["2"]) as started:
        yield started


def with_service(payments, service, **stages):
    return Pipeline(
        "payments", key="transaction_id", model=payments.example.learnt.load_model, dependencies=[payments.store],
        service=service, **{**payments.stages, **stages},
    )  # fmt: skip


def service_of(variant, batch=False):
    return Service(
        ["never", "{port}"], predict=f"/{variant}/score", openapi=f"/{variant}/openapi.json",
        batch=f"/{variant}/score/batch" if batch else None,
    )  # fmt: skip


@pytest.fixture
def verdict_on(payments, running, before):
    """Return the verdict of the contract check on one variant, and its events."""

    def go(variant, *, champion=True, examples=True, champion_contract=None, stages=None, **contract):
        service = service_of(variant, batch=variant in ("clean", "broken"))
        pipeline = with_service(payments, service, **(stages or {}))
        policy = Policy.load(ROOT / "expectations", pipeline)
        moved = [replace(e, path=f"/{variant}{e.path}") for e in policy.pinned.examples] if examples else []
        settings = Contract(**{"generated_requests": 20, "coercion": "error", "unknown_fields": "error", **contract})
        service = policy.service.model_copy(update={"contract": settings})
        policy = replace(policy, service=service, pinned=replace(policy.pinned, examples=moved))
        trial = Trial(
            pipeline, payments.reference, policy=policy, model=payments.model, model_path=payments.versions["2"],
            champion_contract=champion_contract or (ChampionContract("1", before) if champion else None), seed=7,
        )  # fmt: skip
        with trial:
            here = LiveService(pipeline.service, running, trial.hold(target_of(pipeline, running)))
            trial.once("live service", lambda: here)
            ((planned, case),) = plan([check], trial)
            events = run_case(planned, trial, case)
            return verdict_of(events, trial, [case]), events

    return go


@pytest.fixture(scope="module")
def before(running):
    """The OpenAPI of the champion: that of the clean service."""
    with Http(running.url) as http:
        return http.send(path="/clean/openapi.json", method="GET").json()


def errors_of(verdict):
    return [f for f in verdict.findings if f.severity is Severity.ERROR]


def named(verdict):
    """Every field, or None, with the cause of an error; more than three fields of one cause share a finding."""
    return {(field, f.cause) for f in errors_of(verdict) for field in f.evidence.get("fields") or [f.column]}


def test_a_clean_service_passes_without_a_finding(verdict_on):
    """It passes each time, and every part of the check compares something."""
    for _ in range(2):
        verdict, events = verdict_on("clean")
        assert verdict.outcome is Outcome.PASS, (verdict.findings, verdict.not_evaluated)
        assert verdict.findings == ()
    counts = {m.name: m.value for m in verdict.measurements}
    assert counts["probes"] > 80
    assert counts["consumer examples"] == 3
    assert counts["openapi operations compared"] == 3
    assert counts["generated requests, seed 7"] >= 15
    assert "openapi.json" in {e.name for e in events if isinstance(e, Attachment)}


FAULTS = {
    # variant: (column, cause) that must be among the findings
    "nan": [("customer_id", "status-500")],
    "number": [("transaction_id", "json-integer"), ("transaction_id", "openapi-type")],
    "removed": [("decision", "openapi-removed"), ("decision", "missing-field")],
    "renamed": [("decision", "openapi-renamed"), ("decision", "missing-field")],
    "ignoring": [(None, "unknown-field"), ("device", "unknown-field"), ("customer_id", "unknown-field")],
    "coercing": [("amount", "dtype-coercion"), ("card_present", "dtype-coercion"), ("cardholder", "dtype-coercion")],
    "broken": [(None, "status-500")],
    "hidden": [(None, "error-as-success")],
    "reshaped": [(None, "error-shape")],
    "moved": [(None, "error-status")],
    "percent": [("probability", "openapi-scale"), ("probability", "openapi-limit")],
}  # fmt: skip


@pytest.mark.parametrize("variant", FAULTS)
def test_a_fault_is_found_at_the_service(variant, verdict_on):
    """The verdict is fail, its first failing place is the service, and field and cause are named."""
    verdict, _ = verdict_on(variant)
    assert verdict.outcome is Outcome.FAIL, (verdict.findings, verdict.not_evaluated)
    assert verdict.first_failing_stage == SERVICE
    assert set(FAULTS[variant]) <= named(verdict), errors_of(verdict)


def test_a_changed_meaning_is_found_where_no_schema_shows_it(payments, before, verdict_on):
    """The champion's recorded answers are compared with this version's answers to the same payments."""

    def respond(frame):
        made = payments.stages["response"](frame)
        decision, band = made["decision"].str.upper(), made["band"].mask(made["band"] == "low")
        return made.assign(probability=1 - made["probability"], decision=decision, band=band)

    champion_contract = ChampionContract("1", before, reference=payments.reference.root)
    verdict, _ = verdict_on(
        "clean", examples=False, generated_requests=0, champion_contract=champion_contract, stages={"response": respond}
    )
    assert verdict.outcome is Outcome.FAIL
    moved = {(f.column, f.cause): f for f in verdict.findings}
    assert set(moved) == {("probability", "class-order"), ("decision", "labels"), ("band", "null-meaning")}
    assert {f.stage for f in moved.values()} == {SERVICE}
    assert moved["band", "null-meaning"].severity is Severity.WARNING
    assert all("the champion's recorded answers" in f.message for f in moved.values())


def test_a_champion_without_a_document_is_information(verdict_on):
    """Nothing was compared, and the finding has the reason; it fails nothing."""
    verdict, _ = verdict_on(
        "clean", examples=False, generated_requests=0, champion_contract=ChampionContract("1", reason="none is stored")
    )
    assert verdict.outcome is Outcome.PASS
    (finding,) = verdict.findings
    assert (finding.cause, finding.severity) == ("nothing-to-compare", Severity.INFO)
    assert "champion version 1 has no stored document: none is stored." in finding.message


@pytest.mark.parametrize("variant", ["nan", "number", "ignoring", "coercing", "broken", "hidden", "reshaped", "moved"])
def test_a_fault_is_found_without_a_champion_and_without_examples(variant, verdict_on):
    """The fixed probes alone find errors that are not a change from the champion."""
    verdict, _ = verdict_on(variant, champion=False, examples=False, generated_requests=0)
    causes = {f.cause for f in errors_of(verdict)}
    wanted = {cause for _, cause in FAULTS[variant] if not cause.startswith("openapi")}
    assert wanted <= causes


def test_the_policy_sets_the_severity_of_a_coercion(verdict_on):
    """With warnings alone the version passes; a status 500 is an error under every policy."""
    quiet = {"coercion": "warning", "unknown_fields": "allow", "generated_requests": 0}
    verdict, _ = verdict_on("coercing", champion=False, examples=False, **quiet)
    assert verdict.outcome is Outcome.PASS
    told = {(f.severity, f.cause) for f in verdict.findings}
    assert told == {(Severity.WARNING, "dtype-coercion"), (Severity.INFO, "unread-field")}
    verdict, _ = verdict_on("ignoring", champion=False, examples=False, **quiet)
    assert {f.severity for f in verdict.findings} == {Severity.INFO}
    verdict, _ = verdict_on("broken", champion=False, examples=False, **quiet)
    assert verdict.outcome is Outcome.FAIL


def test_a_coercion_is_shown_by_the_answers(verdict_on):
    """The finding states that the answer is that to the correct value, and what the path in process does."""
    verdict, _ = verdict_on("coercing", champion=False, examples=False, generated_requests=0)
    (finding,) = (f for f in errors_of(verdict) if f.cause == "dtype-coercion")
    assert "amount" in finding.evidence["fields"]
    assert "the answer is the same for the value of the declared type" in finding.message
    assert "the number sent as text" in finding.message
    verdict, _ = verdict_on("ignoring", champion=False, examples=False, generated_requests=0)
    (ignored,) = (f for f in errors_of(verdict) if f.column == "device")
    assert "the answer is the same without the field" in ignored.message
    assert "'devcie'" in ignored.message or "in place of 'device'" in ignored.message


def test_generated_requests_alone_find_a_status_500_and_state_their_seed(verdict_on):
    """Requests from schemathesis find a refusal with status 500, and the finding has the seed."""
    verdict, _ = verdict_on("broken", champion=False, examples=False)
    found = [f for f in errors_of(verdict) if f.evidence.get("seed") == 7]
    assert {f.cause for f in found} == {"status-500"}
    assert all("seed 7" in f.message for f in found)


def test_without_a_service_the_check_has_no_case(payments):
    """A pipeline without a service has no case of this check."""
    trial = Trial(payments.build(dict(payments.stages), payments.store), payments.reference)
    assert check.stages(trial) == ()
