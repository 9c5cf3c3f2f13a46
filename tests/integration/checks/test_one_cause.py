"""One cause planted, one origin found, at its place: in stages and service together, or in the service alone."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import httpx
import pytest

from seatrial import Outcome, Pipeline, Policy, Reference, Service, capture, run
from seatrial.events import Finding, Severity, Verdict
from seatrial.policy.service import service_settings
from seatrial.targets.inprocess import InProcessService
from tests.support import churn

FRAMEWORK = {
    "not-a-number": "The framework repeats NaN in its own error, which JSON cannot hold.",
    "text with a lone surrogate": "The framework cannot write it as UTF-8.",
}
WHOLE = ("expectations", "golden", "invariants", "contract")
SHORT = ("expectations", "golden")


@cache
def reference() -> Reference:
    return capture(Pipeline("churn", key="id", **churn.stages()), churn.requests())


def validate(cause: str, checks: tuple[str, ...] = WHOLE, *, process: bool = False, **settings: object) -> Verdict:
    """Validate the path and its service with what was planted; the service is a function here, or a process."""
    served = InProcessService(
        httpx.ASGITransport(churn.application(cause), raise_app_exceptions=False), path="/predict", key="id"
    )
    file = Path(churn.__file__)
    service = Service([sys.executable, str(file), "{port}", cause], predict="/predict", cwd=file.parent)
    shared = "+".join(each for each in cause.split("+") if not each.startswith("served-"))
    contract = {"generated_requests": 12, "allow": FRAMEWORK}
    return run(
        Pipeline("churn", key="id", service=service, **churn.stages(shared)),
        reference(),
        checks,
        policy=Policy(service=service_settings({"contract": contract, **settings})),
        service=None if process else served,
    )


def origins(verdict: Verdict) -> list[tuple[str | None, str | None, str | None]]:
    return [(f.stage, f.column, f.cause) for f in verdict.errors if not f.downstream]


def after(verdict: Verdict) -> list[Finding]:
    return [f for f in verdict.errors if f.downstream]


@pytest.mark.parametrize(
    ("cause", "origin", "checks"),
    [
        ("renamed", ("features", "months", "renamed-column"), WHOLE),
        ("dropped", ("features", "log_spend", "missing-column"), SHORT),
        ("stamp-raw+stamp-features+stamp-response", ("raw", "stamp", "extra-column"), SHORT),
        ("renamed-answer", ("response", "risk", "renamed-column"), WHOLE),
        ("dtype", ("raw", "days", "dtype-coercion"), SHORT),
        ("raises", ("prediction", None, "stage-broke"), WHOLE),
        ("one-class-raises", ("features", None, "stage-broke"), WHOLE),
        ("unit", ("features", "months", "column-swap"), SHORT),
        ("integer-division", ("features", "months", "integer-division"), SHORT),
        ("classes", ("prediction", "p_leave", "column-swap"), SHORT),
        ("rounding", ("response", "risk", "rounding"), WHOLE),
        ("batch-mean", ("features", "log_spend", "batch-dependent"), WHOLE),
        ("served-rounding", ("service", "risk", "rounding"), WHOLE),
        ("served-unit", ("service", "risk", None), SHORT),
        ("served-one-class-raises", ("service", None, "status-500"), WHOLE),
        ("served-renamed-answer", ("service", "risk", "renamed-column"), SHORT),
    ],
)
def test_one_cause_is_one_origin_at_its_place(
    cause: str, origin: tuple[str, str | None, str | None], checks: tuple[str, ...]
) -> None:
    """Everything else that it breaks is downstream of it, and says so."""
    verdict = validate(cause, checks)
    assert verdict.outcome is Outcome.FAIL
    assert origins(verdict) == [origin]
    assert verdict.numbered[1].stage == verdict.first_failing_stage == origin[0]
    assert {f.evidence.get("follows") for f in after(verdict)} <= {1}


def test_without_a_cause_nothing_is_found() -> None:
    """The same pipeline and service pass."""
    verdict = validate("none")
    assert verdict.outcome is Outcome.PASS, (verdict.errors, verdict.not_evaluated)


@pytest.mark.parametrize(
    ("causes", "places"),
    [
        ("integer-division+log10", [("features", "months"), ("features", "log_spend")]),  # one stage, two columns
        ("log10+rounding", [("features", "log_spend"), ("response", "risk")]),  # two stages
        ("log10+served-one-class-raises", [("features", "log_spend"), ("service", None)]),  # a stage and the service
    ],
)
def test_two_causes_are_two_origins(causes: str, places: list[tuple[str, str | None]]) -> None:
    """What one of them does never hides the other."""
    assert [(stage, column) for stage, column, _ in origins(validate(causes, SHORT))] == places


def test_golden_alone_names_an_origin_too() -> None:
    """Without the check that tells a cause best, the first difference of the path stands for it."""
    verdict = validate("rounded-early", ("golden",))
    assert origins(verdict) == [("prediction", "p_leave", "rounding")]
    assert "Start with" not in verdict.errors[0].advice


@pytest.mark.server
def test_what_is_wrong_without_load_is_no_finding_of_load() -> None:
    """A service in a process of its own that rounds and fails for one kind of customer does so under load as well."""
    slo = {"limit_ms": 1_000, "rate": 10, "percentile": 0.5}
    load = {"runs": 1, "requests": 60, "budget_seconds": 60}
    verdict = validate("served-one-class-raises", (*SHORT, "load"), process=True, slo=slo, load=load)
    assert origins(verdict) == [("service", None, "status-500")]
    assert {f.check for f in verdict.errors} >= {"golden"}
    assert all(f.severity is Severity.ERROR for f in after(verdict))
