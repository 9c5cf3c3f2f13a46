"""Send the fixed probes to the live service, and yield what their answers show."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from seatrial.checks.contract.allowances import allowed, misspelt_allowances
from seatrial.checks.contract.findings import findings
from seatrial.checks.contract.judge import Exchange, problems_of
from seatrial.checks.contract.session import Session
from seatrial.checks.exchanges import keep_exchange
from seatrial.checks.serving.chat import answer_in, chat_findings
from seatrial.errors import AnswerError, TargetError
from seatrial.events import Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.formatting import part_of, plural
from seatrial.pipeline import SERVICE
from seatrial.targets.messages import Response
from seatrial.targets.pacing import is_limit
from seatrial.targets.probes.base import Expect, Probe
from seatrial.targets.shapes.openai import OpenAIChat

RETRY_DEADLINES = 5  # all retries together may take this many deadlines
BATCH_DEADLINES = 20  # all probes of one content type together may take this many


def send_probes(name: str, session: Session) -> Iterator[Event]:
    """Send requests of the reference, then every probe, and yield the findings of their answers.

    Raises:
        TargetError: the service is not reachable.
    """
    plain = [
        Probe("request", "a request of the reference", body, Expect.ACCEPT, content_type=session.content_type)
        for body in session.valid_requests()
    ]
    valid = send(session, plain)
    answered = [n for n, each in enumerate(valid) if isinstance(each.result, Response) and each.result.ok]
    if not answered:
        result = valid[0].result if valid else None
        if isinstance(result, TargetError) and not isinstance(result, AnswerError):
            raise result
        reason = f"no probes were sent, because the service answers no request of the reference ({_described(result)})"
        if session.http.pace.given_up:
            reason = (
                f"No probes were sent, because the service answers no request of the reference. {_told_limit(session)}"
            )
        yield NotEvaluated(name, SERVICE, reason)
        return
    exchanges = valid + send(session, session.probes(answered[0]))
    yield from problem_findings(name, session, exchanges)
    yield from misspelt_allowances(name, session.settings.allow, [e.probe for e in exchanges])
    if left_out := session.declared.left_out:
        yield Finding(
            name, SERVICE, f"{plural(left_out, 'declared field')} of the request were not probed, because it has many.",
            severity=Severity.INFO, cause="not-probed",
            advice="Generated requests cover them: install the extra 'contracts'.",
        )  # fmt: skip
    yield from _chat(name, session, valid)
    yield Measurement(name, SERVICE, "probes", sum(e.result is not None for e in exchanges), "requests")
    yield from _after_probes(name, session, valid[answered[0]], exchanges)


def _chat(name: str, session: Session, valid: Sequence[Exchange]) -> Iterator[Finding]:
    """Yield what is wrong with the form of the answers of a service of chats."""
    if session.plan is None or not isinstance(session.live.target, OpenAIChat):
        return
    answers = [answer_in(exchange.result) for exchange in valid]
    asked = [(None, dict(r), a) for r, a in zip(session.plan.records, answers, strict=True) if a is not None]
    yield from chat_findings(name, asked, how="one by one")


def send(session: Session, probes: Sequence[Probe], *, seconds: float | None = None) -> list[Exchange]:
    """Send probes, grouped by content type; each has the deadline of the settings.

    Args:
        session: the live service.
        probes: what is sent.
        seconds: the limit for all probes of one content type; those left are not sent.
    """
    exchanges: dict[int, Exchange] = {}
    for content_type in dict.fromkeys(p.content_type for p in probes):
        positions = [n for n, p in enumerate(probes) if p.content_type == content_type]
        results = session.connection.send_all(
            [session.payload(probes[n].body, content_type) for n in positions],
            path=session.path, headers=session.headers(content_type),
            seconds=session.settings.timeout_seconds,
            all_seconds=seconds or BATCH_DEADLINES * session.settings.timeout_seconds,
        )  # fmt: skip
        last = _read(session, results)
        exchanges |= {n: Exchange(probes[n], result) for n, result in zip(positions, last, strict=True)}
    return _retried(session, [exchanges[n] for n in range(len(probes))])


def _read(session: Session, results: Sequence[Response | TargetError | None]) -> list[Response | TargetError | None]:
    """Return the last response to each probe; None where a limit of rate is the answer: the probe was not read."""
    last = session.settled([None if is_limit(result) else result for result in results])
    return [None if is_limit(result) else result for result in last]


def _retried(session: Session, exchanges: list[Exchange]) -> list[Exchange]:
    """Send unanswered probes again, each on a separate connection: a server may close a connection after an error."""
    unanswered = [n for n, e in enumerate(exchanges) if e.result is None or isinstance(e.result, AnswerError)]
    until = time.monotonic() + RETRY_DEADLINES * session.settings.timeout_seconds
    for n in unanswered:
        if time.monotonic() > until or session.live.ended() is not None or session.http.pace.hopeless:
            break
        probe = exchanges[n].probe
        with session.separate_connection() as connection:
            try:
                payload = session.payload(probe.body, probe.content_type)
                result = connection.send(payload, path=session.path, headers=session.headers(probe.content_type))
                exchanges[n] = Exchange(probe, _read(session, [result])[0])
            except TargetError as error:
                exchanges[n] = Exchange(probe, error)
                if not isinstance(error, AnswerError):
                    break  # the service is not reachable
    return exchanges


def problem_findings(name: str, session: Session, exchanges: Sequence[Exchange]) -> Iterator[Finding]:
    """Yield the problems of all answers, one finding for each cause and field."""
    found = []
    for each in exchanges:
        for problem in problems_of(session, each):
            found.append(replace(problem, probe=each.probe.cause))
            what, column = each.probe.description, problem.field_name
            keep_exchange(session.trial, name, problem.cause, each.result, column=column, how=what)
    yield from findings(name, [allowed(problem, session.settings.allow) for problem in found])


def _after_probes(name: str, session: Session, first: Exchange, exchanges: Sequence[Exchange]) -> Iterator[Event]:
    """Yield what the probes led to: an exit of the service, probes that were not sent, another answer than before."""
    live = session.live
    unanswered = any(e.result is None or isinstance(e.result, TargetError) for e in exchanges)
    exit_status = live.stopped() if unanswered else live.ended()
    if exit_status:
        yield Finding(
            name, SERVICE, f"The service ended with {exit_status} while probes were sent. {live.tail()}",
            cause="service-died", advice="Send the probes one by one by hand to find the one that ends the service.",
        )  # fmt: skip
        return
    unsent = sum(e.result is None for e in exchanges)
    results = (e.result for e in exchanges)
    unreachable = next((r for r in results if isinstance(r, TargetError) and not isinstance(r, AnswerError)), None)
    if unreachable is not None or unsent:
        why = str(unreachable) if unreachable is not None else "The service did not answer the earlier ones in time."
        if session.http.pace.given_up:
            why = _told_limit(session)
        reason = f"{part_of(unsent, len(exchanges), 'probes')} could not be sent. {why}"
        yield NotEvaluated(name, SERVICE, reason)
        return
    again = session.ask(first.probe.body)
    assert isinstance(first.result, Response)
    if is_limit(again):
        reason = f"Whether the service answers after the probes as before was not evaluated. {_told_limit(session)}"
        yield NotEvaluated(name, SERVICE, reason)
        return
    if not again.ok or session.without_varying(again) != session.without_varying(first.result):
        yield Finding(
            name, SERVICE, "After the probes, the service gives another answer to the same request than before.",
            cause="left-behind", evidence={"status": again.status},
            advice="Name fields that differ each time in [golden] varying of service.toml; otherwise look for state "
            "that a request changes.",
        )  # fmt: skip


def _told_limit(session: Session) -> str:
    told = session.http.pace.told or "The service limits the rate of requests (status 429)."
    return f"{told} Set requests_per_second in [service] of service.toml."


def _described(result: Response | TargetError | None) -> str:
    if isinstance(result, Response):
        return f"it returns status {result.status}"
    return str(result).rstrip(".") if result is not None else "the reference has none that can be sent"
