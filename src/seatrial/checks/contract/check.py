"""Contract: the live service keeps its contract with its consumers, and refuses invalid requests.

Its OpenAPI is compared with the champion's, consumer examples are replayed, the model's signature is compared with the
model's input, and fixed probes and generated requests are sent. Golden and this check share one live service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.base import Check
from seatrial.checks.contract import compatibility
from seatrial.checks.contract.consumers import replay_examples
from seatrial.checks.contract.fuzz import send_generated
from seatrial.checks.contract.meaning.model import compare_meaning, compare_signature
from seatrial.checks.contract.send import send_probes
from seatrial.checks.contract.session import Session, fetch_openapi
from seatrial.checks.serving.refused import refusal
from seatrial.checks.serving.service import LiveService, can_serve, keep_log_so_far, live_service, remarks
from seatrial.errors import AnswerError, TargetError
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.pipeline import SERVICE
from seatrial.targets.http import Http
from seatrial.targets.pacing import RATE_LIMIT
from seatrial.trial import Trial

NAME = "contract"
ADVICE = "Let the client have it, or set openapi=None in Service(...)."


def run(trial: Trial, _: str | None) -> Iterator[Event]:
    """Compare the live service with its contract, and send it probes and generated requests."""
    try:
        service = live_service(trial)
    except AnswerError as error:
        yield Finding(
            NAME, SERVICE, str(error), cause="service-broke", advice="Start the service by hand with the same command."
        )
        yield Evaluated(NAME, SERVICE, compared=1)
        return
    except TargetError as error:
        yield NotEvaluated(NAME, SERVICE, str(error))
        return
    events: list[Event] = []
    before = service.pace.told if service.pace is not None else ""
    with service.root(seconds=trial.policy.contract.timeout_seconds) as http:
        try:
            for event in _all_parts(trial, service, http):
                events.append(event)
                yield event
        except TargetError as error:
            exit_status = service.stopped()
            if exit_status is None and not isinstance(error, AnswerError):
                yield NotEvaluated(NAME, SERVICE, str(error))
                return
            if exit_status:
                yield _exited(service, exit_status)
            else:
                yield Finding(
                    NAME, SERVICE, str(error), cause="no-answer",
                    advice="Send the request by hand and read the service's log.",
                )  # fmt: skip
            yield Evaluated(NAME, SERVICE, compared=1)
            return
    keep_log_so_far(trial, service, NAME)
    incomplete = any(isinstance(e, NotEvaluated) for e in events)
    exit_status = service.stopped() if incomplete else service.ended()
    if exit_status and not any(isinstance(e, Finding) and e.cause == "service-died" for e in events):
        yield _exited(service, exit_status)
    yield from remarks(NAME, service, before)
    if not incomplete:
        yield Evaluated(NAME, SERVICE, compared=_compared(events))


def _all_parts(trial: Trial, service: LiveService, http: Http) -> Iterator[Event]:
    path = service.service.openapi
    document, reason, status = fetch_openapi(http, path) if path else (None, "", 0)
    session = Session.of(trial, service, http, document)
    if refused := _refused(session):
        yield NotEvaluated(NAME, SERVICE, refused)
        return
    if refusal(service, 1, status) or status == RATE_LIMIT:
        yield NotEvaluated(NAME, SERVICE, f"The OpenAPI was not compared: {reason} {ADVICE}")
    else:
        yield from compatibility.compare_documents(NAME, trial, document, reason)
    yield Measurement(
        NAME, SERVICE, "openapi operations compared", compatibility.compared(trial, document), "operations"
    )
    yield from compare_signature(NAME, trial, SERVICE)
    yield from compare_meaning(NAME, trial, SERVICE)
    yield from replay_examples(NAME, session)
    yield Measurement(NAME, SERVICE, "consumer examples", len(trial.policy.pinned.examples), "requests")
    if session.path is None:
        yield Finding(
            NAME, SERVICE, "No probes were sent, because the target of this service has no probe plan.",
            severity=Severity.INFO, cause="not-probed",
            advice="Implement probe_plan in the target to have its protocol probed.",
        )  # fmt: skip
        return
    yield from send_probes(NAME, session)
    yield from send_generated(NAME, session)


def _refused(session: Session) -> str:
    """Return what to do where a service that runs already refuses the client, and not the request; or nothing."""
    valid = session.valid_requests()
    if session.live.elsewhere is None or not valid:
        return ""
    try:
        return refusal(session.live, 1, session.ask(valid[0]).status)
    except AnswerError:  # told by the probes
        return ""


def _exited(service: LiveService, exit_status: str) -> Finding:
    return Finding(
        NAME, SERVICE, f"The service ended with {exit_status}. {service.tail()}", cause="service-died",
        advice="Look for the cause of the exit: memory, a limit, or a request that crashes the service.",
    )  # fmt: skip


def _compared(events: Sequence[Event]) -> int:
    """Return how many requests, operations and columns were compared."""
    counted = ("requests", "operations", "columns")
    measured = sum(int(e.value) for e in events if isinstance(e, Measurement) and e.unit in counted)
    return measured or int(any(isinstance(e, Finding) and e.severity is Severity.ERROR for e in events))


def stages(trial: Trial) -> Sequence[str]:
    """Return the live service where the pipeline has one that can be started here."""
    return (SERVICE,) if can_serve(trial) else ()


check = Check(NAME, run=run, stages=stages, order=50)
