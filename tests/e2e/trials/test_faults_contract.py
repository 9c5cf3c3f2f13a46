"""Faults of response and contract, put into the payments service, fail the version at the service, with the cause."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial import Outcome, Pipeline, Policy, Service
from seatrial.checks.contract.check import check
from seatrial.checks.serving.service import LiveService, serve, target_of
from seatrial.engine import plan, run_case, verdict_of
from seatrial.events import Attachment, Severity
from seatrial.pipeline import SERVICE
from seatrial.targets.http import Http
from seatrial.trial import ChampionContract, Trial

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
    with serve(pipeline, model_path=payments.versions["2"]) as started:
        yield started


def with_service(ground, service, **stages):
    return Pipeline(
        "payments", key="transaction_id", model=ground.example.learnt.load_model, dependencies=[ground.store],
        service=service, **{**ground.stages, **stages},
    )  # fmt: skip


def service_of(variant, batch=False):
    return Service(
        ["never", "{port}"], predict=f"/{variant}/score", openapi=f"/{variant}/openapi.json",
        batch=f"/{variant}/score/batch" if batch else None,
    )  # fmt: skip


@pytest.fixture
def sail(payments, running, before):
    """Return the verdict of the contract check on one variant, and its events."""

    def go(variant, *, champion=True, examples=True, champion_contract=None, stages=None, **contract):
        service = service_of(variant, batch=variant in ("clean", "broken"))
        pipeline = with_service(payments, service, **(stages or {}))
        policy = Policy.load(ROOT / "expectations", pipeline)
        moved = [replace(e, path=f"/{variant}{e.path}") for e in policy.pinned.examples] if examples else []
        settings = {"generated": 20, **contract}
        policy = replace(
            policy, service={**policy.service, "contract": settings}, pinned=replace(policy.pinned, examples=moved)
        )
        trial = Trial(
            pipeline, payments.reference, policy=policy, model=payments.model, model_path=payments.versions["2"],
            champion_contract=champion_contract or (ChampionContract("1", before) if champion else None), seed=7,
        )  # fmt: skip
        with trial:
            here = LiveService(pipeline.service, running, trial.hold(target_of(pipeline, running)))
            trial.once("live service", lambda: here)
            ((asked, case),) = plan([check], trial)
            events = run_case(asked, trial, case)
            return verdict_of(events, trial, [case]), events

    return go


@pytest.fixture(scope="module")
def before(running):
    """The OpenAPI of the promoted version: that of the clean service."""
    with Http(running.url) as http:
        return http.send(path="/clean/openapi.json", method="GET").json()


def born(verdict):
    return [f for f in verdict.findings if f.severity is Severity.ERROR]


def test_a_clean_service_passes_without_a_remark(sail):
    """Five times out of five, and every part of the check has looked at something."""
    for _ in range(5):
        verdict, events = sail("clean")
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
def test_a_fault_is_found_at_the_service(variant, sail):
    """The verdict is fail, its first failing place is the service, and field and cause are named."""
    verdict, _ = sail(variant)
    assert verdict.outcome is Outcome.FAIL, (verdict.findings, verdict.not_evaluated)
    assert verdict.first_failing_stage == SERVICE
    assert set(FAULTS[variant]) <= {(f.column, f.cause) for f in born(verdict)}, born(verdict)


def test_a_meaning_that_moved_is_found_where_no_schema_shows_it(payments, before, sail):
    """What the promoted version was recorded to answer to the same payments is held against this one's answers."""

    def respond(frame):
        made = payments.stages["response"](frame)
        decision, band = made["decision"].str.upper(), made["band"].mask(made["band"] == "low")
        return made.assign(probability=1 - made["probability"], decision=decision, band=band)

    champion_contract = ChampionContract("1", before, reference=payments.reference.root)
    verdict, _ = sail(
        "clean", examples=False, generated=0, champion_contract=champion_contract, stages={"response": respond}
    )
    assert verdict.outcome is Outcome.FAIL
    moved = {(f.column, f.cause): f for f in verdict.findings}
    assert set(moved) == {("probability", "class-order"), ("decision", "labels"), ("band", "null-meaning")}
    assert {f.stage for f in moved.values()} == {SERVICE}
    assert moved["band", "null-meaning"].severity is Severity.WARNING
    assert all("recorded to answer" in f.message for f in moved.values())


def test_a_promoted_version_without_a_document_is_told(sail):
    """Nothing was compared, and the remark says why; it fails nothing."""
    verdict, _ = sail(
        "clean", examples=False, generated=0, champion_contract=ChampionContract("1", why="none is stored")
    )
    assert verdict.outcome is Outcome.PASS
    (remark,) = verdict.findings
    assert (remark.cause, remark.severity) == ("nothing-to-compare", Severity.INFO)
    assert "version 1, the promoted one: none is stored" in remark.message


@pytest.mark.parametrize("variant", ["nan", "number", "ignoring", "coercing", "broken", "hidden", "reshaped", "moved"])
def test_a_fault_is_found_without_a_promoted_version_and_without_examples(variant, sail):
    """The fixed probes find by themselves what is not a change but wrong."""
    verdict, _ = sail(variant, champion=False, examples=False, generated=0)
    causes = {f.cause for f in born(verdict)}
    wanted = {cause for _, cause in FAULTS[variant] if not cause.startswith("openapi")}
    assert wanted <= causes


def test_the_policy_says_what_a_coercion_weighs(sail):
    """As warnings they are told and the version passes; a 500 is an error whatever the policy says."""
    quiet = {"coercion": "warning", "unknown_fields": "allow", "generated": 0}
    verdict, _ = sail("coercing", champion=False, examples=False, **quiet)
    assert verdict.outcome is Outcome.PASS
    assert {f.severity for f in verdict.findings} == {Severity.WARNING}
    verdict, _ = sail("ignoring", champion=False, examples=False, **quiet)
    assert {f.severity for f in verdict.findings} == {Severity.INFO}
    verdict, _ = sail("broken", champion=False, examples=False, **quiet)
    assert verdict.outcome is Outcome.FAIL


def test_a_coercion_is_shown_and_not_only_suspected(sail):
    """The finding says that the answer is that of the right value, and what the path in process does."""
    verdict, _ = sail("coercing", champion=False, examples=False, generated=0)
    (finding,) = (f for f in born(verdict) if (f.column, f.cause) == ("amount", "dtype-coercion"))
    assert "answered as the right value is" in finding.message
    assert "the number as text" in finding.message
    (ignored,) = (
        f for f in born(sail("ignoring", champion=False, examples=False, generated=0)[0]) if f.column == "device"
    )
    assert "it is ignored" in ignored.message
    assert "'devcie'" in ignored.message or "for 'device'" in ignored.message


def test_generated_requests_alone_find_a_500_and_say_their_seed(sail):
    """A refusal that is a 500 is found by what schemathesis makes, and the seed is in the finding."""
    verdict, _ = sail("broken", champion=False, examples=False)
    found = [f for f in born(verdict) if f.evidence.get("seed") == 7]
    assert {f.cause for f in found} == {"status-500"}
    assert all("seed 7" in f.message for f in found)


def test_without_a_service_nothing_is_asked(payments):
    """A pipeline without a service has no question of this check."""
    trial = Trial(payments.build(dict(payments.stages), payments.store), payments.reference)
    assert check.stages(trial) == ()
