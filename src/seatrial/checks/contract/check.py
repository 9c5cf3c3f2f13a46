"""Contract: does the live service keep what it promises, to those who ask it today and to those who ask it wrongly?

Its OpenAPI against the promoted version's, consumers' examples replayed, the model's signature against the frame it is
fed, fixed probes and generated requests. It speaks to the service that golden asks too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.base import Check
from seatrial.checks.contract import compatibility
from seatrial.checks.contract.consumers import replay
from seatrial.checks.contract.fuzz import ask_generated
from seatrial.checks.contract.model import judge_meaning, judge_signature
from seatrial.checks.contract.send import probe_service
from seatrial.checks.contract.session import fetch_openapi, ground_of
from seatrial.checks.serving.service import LiveService, can_serve, live_service
from seatrial.errors import AnswerError, TargetError
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.pipeline import SERVICE
from seatrial.targets.http import Http
from seatrial.trial import Trial

NAME = "contract"


def run(trial: Trial, _: str | None) -> Iterator[Event]:
    """Judge the contract of the live service."""
    try:
        service = live_service(trial)
    except AnswerError as error:
        yield Finding(
            NAME, SERVICE, str(error), cause="service-broke", advice="Start it by hand with the same command."
        )
        yield Evaluated(NAME, SERVICE, compared=1)
        return
    except TargetError as error:
        yield NotEvaluated(NAME, SERVICE, str(error))
        return
    events: list[Event] = []
    with service.root(seconds=trial.policy.contract.seconds) as http:
        try:
            for event in _asked(trial, service, http):
                events.append(event)
                yield event
        except TargetError as error:
            how = service.stopped()
            if how is None and not isinstance(error, AnswerError):
                yield NotEvaluated(NAME, SERVICE, str(error))
                return
            yield _died(service, how) if how else Finding(NAME, SERVICE, str(error), cause="no-answer")
            yield Evaluated(NAME, SERVICE, compared=1)
            return
    lost = any(isinstance(e, NotEvaluated) for e in events)
    how = service.stopped() if lost else service.ended()
    if how and not any(isinstance(e, Finding) and e.cause == "service-died" for e in events):
        yield _died(service, how)
    if not lost:
        yield Evaluated(NAME, SERVICE, compared=_compared(events))


def _asked(trial: Trial, service: LiveService, http: Http) -> Iterator[Event]:
    path = service.service.openapi
    document, why = fetch_openapi(http, path) if path else (None, "")
    yield from compatibility.compare_documents(NAME, trial, document, why)
    yield Measurement(
        NAME, SERVICE, "openapi operations compared", compatibility.compared(trial, document), "operations"
    )
    yield from judge_signature(NAME, trial, SERVICE)
    yield from judge_meaning(NAME, trial, SERVICE)
    ground = ground_of(trial, service, http, document)
    yield from replay(NAME, ground)
    yield Measurement(NAME, SERVICE, "consumer examples", len(trial.policy.pinned.examples), "requests")
    if ground.path is None:
        yield Finding(
            NAME, SERVICE, "The fixed probes are JSON records, and this service's protocol has none: none was sent.",
            severity=Severity.INFO, cause="not-probed",
        )  # fmt: skip
        return
    yield from probe_service(NAME, ground)
    yield from ask_generated(NAME, ground)


def _died(service: LiveService, how: str) -> Finding:
    return Finding(
        NAME, SERVICE, f"The service ended with {how}. {service.tail()}", cause="service-died",
        advice="Look for what ended it: memory, a limit, or a request it did not survive.",
    )  # fmt: skip


def _compared(events: Sequence[Event]) -> int:
    """Return how many things were really looked at."""
    counted = ("requests", "operations", "columns")
    measured = sum(int(e.value) for e in events if isinstance(e, Measurement) and e.unit in counted)
    return measured or int(any(isinstance(e, Finding) and e.severity is Severity.ERROR for e in events))


def stages(trial: Trial) -> Sequence[str]:
    """Ask of the live service where the pipeline has one that can be started here."""
    return (SERVICE,) if can_serve(trial) else ()


check = Check(NAME, run=run, stages=stages, order=50)
