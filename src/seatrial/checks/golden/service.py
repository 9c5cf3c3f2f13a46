"""Golden over the wire: the live service's answers against the record and against the path in process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.findings import share
from seatrial.checks.golden.divergence import parted
from seatrial.checks.serving.comparison import Observed, Sides, ask_both, sides_of
from seatrial.checks.serving.requests import NAMED, Answers
from seatrial.checks.serving.service import Live, live
from seatrial.errors import AnswerError, PipelineError, TargetError
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.io import frame_json
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial

LAST_SECONDS = 3.0  # from a connection that broke to the end of its process


def run_service(trial: Trial, name: str) -> Iterator[Event]:
    """Compare what the live service answers to the reference's requests with what training saw."""
    try:
        service = live(trial)
        sides = sides_of(trial, service)
    except AnswerError as error:
        yield Finding(
            name, SERVICE, str(error), cause="service-broke", advice="Start it by hand with the same command."
        )
        yield Evaluated(name, SERVICE, compared=1)
        return
    except TargetError as error:
        yield NotEvaluated(name, SERVICE, str(error))
        return
    ways = ask_both(sides, service)
    for told in (way.told for way in ways):
        yield from _troubles(name, told, len(sides.requests), service)
    yield from parted(name, sides, ways)
    yield from _degraded(name, ways, sides)
    yield from _wide(name, ways, trial.policy.golden.wide_integers)
    yield from _undeclared(name, ways, sides)
    compared = sum(len(way.answers) * max(1, len(way.recorded.columns)) for way in ways)
    for way in ways:
        yield Measurement(name, SERVICE, f"answers {way.told.way}", len(way.answers), "rows")
        if way.told.again:
            yield Measurement(name, SERVICE, f"asked again {way.told.way}", way.told.again, "rows")
    away = [way.told.away for way in ways if way.told.away]
    unsent = sum(way.told.unsent for way in ways)
    if away and service.running.ended() is None:
        yield NotEvaluated(name, SERVICE, away[0])
    elif unsent and not any(way.told.troubles or way.told.away for way in ways):
        yield NotEvaluated(name, SERVICE, f"{unsent:,} requests could not be sent in time")
    else:
        broken = any(way.told.troubles or way.told.degraded for way in ways) or bool(away)
        yield Evaluated(name, SERVICE, compared=max(compared, int(broken)))


def _troubles(name: str, told: Answers, asked: int, service: Live) -> Iterator[Finding]:
    for trouble in told.troubles.values():
        status = trouble.status
        yield Finding(
            name, SERVICE,
            f"Asked {told.way}, {share(len(trouble.keys), asked)} got no answer that can be used. {trouble.message}",
            cause=f"status-{status}" if status else "no-answer",
            advice="Send one of these requests by hand and read the service's log."
            if status >= 500 or not status
            else "The service refuses what training was given: look at what it validates.",
            evidence={"rows": asked, "missing": len(trouble.keys), "keys": [str(k) for k in trouble.keys[:NAMED]]},
        )  # fmt: skip
    how = service.running.ended(LAST_SECONDS) if told.away or told.unsent else None
    if how is not None:
        yield Finding(
            name, SERVICE,
            f"The service ended with {how} after {len(told.answers):,} answers {told.way}. {service.running.tail()}",
            cause="service-died", advice="Look for what ended it: memory, a limit, or a request it did not survive.",
            evidence={"rows": asked, "missing": told.unsent},
        )  # fmt: skip


def _degraded(name: str, ways: Sequence[Observed], sides: Sides) -> Iterator[Event]:
    """Say so where answers stayed degraded; whose fault it is depends on whether the dependencies can be reached."""
    for way in ways:
        if way.told.again and not way.told.degraded:
            yield Finding(
                name, SERVICE,
                f"Asked {way.told.way}, {way.told.again:,} answers were degraded at first and whole when asked again.",
                severity=Severity.INFO, cause="degraded", evidence={"rows": way.told.again},
                advice="A dependency was slow for a moment: the resilience check says what that may cost.",
            )  # fmt: skip
    lasting = next((way for way in ways if way.told.degraded), None)
    if lasting is None:
        return
    keys = [str(answer[sides.trial.pipeline.key]) for answer in lasting.told.degraded]
    said = f"Asked {lasting.told.way}, {share(len(keys), len(sides.requests))} stay degraded, and were not at training."
    for dependency in sides.trial.pipeline.dependencies:
        try:
            sides.trial.pipeline.connect(dependency)
        except PipelineError as error:
            yield NotEvaluated(name, SERVICE, f"{said} {error}")
            return
    yield Finding(
        name, SERVICE, said, cause="degraded", evidence={"missing": len(keys), "keys": keys[:NAMED]},
        advice="The dependencies can be reached from here: look at the address, the time limit and the credentials "
        "that the service has for them.",
    )  # fmt: skip


def _wide(name: str, ways: Sequence[Observed], allowed: Sequence[str]) -> Iterator[Finding]:
    found = frame_json.beyond_safe(answer for way in ways for answer in way.told.answers)
    for column, count in found.items():
        if column not in allowed:
            yield Finding(
                name, SERVICE,
                f"'{column}' is sent as a JSON number beyond 2^53 in {count:,} answers: every reader of doubles, "
                "browsers among them, loses its last digits.",
                column=column, cause="json-integer", evidence={"rows": count},
                advice=f"Send '{column}' as text, or name it in [golden] wide_integers of service.toml if every "
                "consumer reads whole integers.",
            )  # fmt: skip


def _undeclared(name: str, ways: Sequence[Observed], sides: Sides) -> Iterator[Finding]:
    """Say which field declared as varying never came: it may be misspelt."""
    golden = sides.trial.policy.golden
    there = {c for way in ways for answer in way.told.answers[:100] for c in answer}
    there |= set(sides.trial.reference.frame(sides.stage).columns)
    for missing in (c for c in golden.varying if there and c not in there):
        yield Finding(
            name, SERVICE, f"'{missing}' is declared to vary and is in no answer.", column=missing,
            severity=Severity.WARNING, cause="policy", advice="Correct [golden] varying in service.toml.",
        )  # fmt: skip
