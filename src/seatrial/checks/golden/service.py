"""Golden over the wire: compare the live service's answers with the reference and with the path in process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks.exchanges import keep_differing
from seatrial.checks.golden.alone import right_alone
from seatrial.checks.golden.divergence import service_differences
from seatrial.checks.golden.others import answers_of_others
from seatrial.checks.golden.streams import streamed_answers
from seatrial.checks.golden.unanswered import explained
from seatrial.checks.grouping import grouped
from seatrial.checks.judged import not_compared, of_sample
from seatrial.checks.serving.answers import key_id
from seatrial.checks.serving.comparison import ComparedAnswers, ServiceComparison, compare_both_modes, comparison_of
from seatrial.checks.serving.refused import all_refused, rate_limited
from seatrial.checks.serving.requests import BATCHES, NAMED, ServiceAnswers, answer_key
from seatrial.checks.serving.service import LiveService, keep_log_so_far, live_service, remarks
from seatrial.checks.side_by_side import keep_rows
from seatrial.errors import AnswerError, PipelineError, TargetError
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.formatting import part_of, plural
from seatrial.io import frame_json
from seatrial.parity.keys import BETWEEN
from seatrial.pipeline import SERVICE
from seatrial.targets.pacing import RATE_LIMIT
from seatrial.targets.sending import FAILURES
from seatrial.trial import Trial

EXIT_SECONDS = 3.0  # from a broken connection to the end of its process


def run_service(trial: Trial, name: str) -> Iterator[Event]:
    """Compare the live service's answers to the reference requests with the recorded answers."""
    try:
        service = live_service(trial)
        comparison = comparison_of(trial, service)
    except AnswerError as error:
        yield Finding(
            name, SERVICE, str(error), cause="service-broke", advice="Start the service by hand with the same command."
        )
        yield Evaluated(name, SERVICE, compared=1)
        return
    except TargetError as error:
        yield NotEvaluated(name, SERVICE, str(error))
        return
    yield from not_compared(trial, comparison.stage, name, "chained" if comparison.whole_path else "isolated", SERVICE)
    asked = sum(map(len, comparison.rows))
    yield from of_sample(trial, SERVICE, name, "The answers of the service were compared", asked)
    modes = compare_both_modes(comparison, service)
    yield from remarks(name, service)
    if reason := all_refused(service, [mode.received for mode in modes]):
        yield NotEvaluated(name, SERVICE, reason)
        return
    limited = rate_limited(service, [mode.received for mode in modes])
    for received in (mode.received for mode in modes):
        yield from _failures(name, received, comparison, service)
        yield from _closed(name, received, len(comparison.keys), service)
    keep_log_so_far(trial, service, name)
    for mode in modes:
        keep_differing(trial, name, mode)
        how = f"requests sent {mode.received.mode}"
        keep_rows(trial, name, SERVICE, mode.recorded, comparison.recorded, mode.answers, how)
    yield from answers_of_others(name, comparison, service, modes)
    found = service_differences(name, comparison, modes, right_alone(comparison, service, modes))
    yield from grouped(found, single=1)
    yield from streamed_answers(name, comparison, service)
    yield from _degraded(name, modes, comparison)
    yield from _wide_integers(name, modes, trial.policy.golden.wide_integers)
    yield from _absent_varying(name, modes, comparison)
    compared = sum(len(mode.answers) * max(1, len(mode.recorded.columns)) for mode in modes)
    for mode in modes:
        yield Measurement(name, SERVICE, f"answers {mode.received.mode}", len(mode.answers), "rows")
        if mode.received.retried:
            yield Measurement(name, SERVICE, f"retried {mode.received.mode}", mode.received.retried, "rows")
    unreachable = [mode.received.unreachable for mode in modes if mode.received.unreachable]
    unsent = sum(mode.received.unsent for mode in modes)
    if limited:
        yield NotEvaluated(name, SERVICE, limited)
    elif unreachable and service.ended() is None:
        yield NotEvaluated(name, SERVICE, unreachable[0])
    elif unsent and not any(mode.received.failures or mode.received.unreachable for mode in modes):
        yield NotEvaluated(name, SERVICE, f"{plural(unsent, 'request')} could not be sent in time")
    else:
        failed = any(
            mode.received.failures or mode.received.degraded or mode.received.others for mode in modes
        ) or bool(unreachable)
        yield Evaluated(name, SERVICE, compared=max(compared, int(failed)))


def _failures(
    name: str, received: ServiceAnswers, comparison: ServiceComparison, service: LiveService
) -> Iterator[Finding]:
    sent = len(comparison.keys)
    for failure in received.failures.values():
        status = failure.status
        if status == RATE_LIMIT:  # a limit of the server and no fault of the version: see rate_limited
            continue
        unanswered = Finding(
            name, SERVICE,
            f"Requests sent {received.mode}: {part_of(len(failure.keys), sent, 'requests')} got no usable answer. "
            f"{failure.message}",
            cause=f"status-{status}" if status else "no-answer",
            advice="Send one of these requests by hand and read the service's log."
            if status >= 500 or not status
            else "Check what the service validates: it refuses requests of the reference.",
            evidence={"rows": sent, "missing": len(failure.keys), "keys": [str(k) for k in failure.keys[:NAMED]]},
        )  # fmt: skip
        yield explained(unanswered, comparison, failure.keys)
    how = service.ended(EXIT_SECONDS) if received.unreachable or received.unsent else None
    if how is not None:
        yield Finding(
            name, SERVICE,
            f"The service ended with {how} after {plural(len(received.answers), 'answer')} {received.mode}. "
            f"{service.tail()}",
            cause="service-died",
            advice="Look for the cause of the exit: memory, a limit, or a request that crashes the service.",
            evidence={"rows": sent, "missing": received.unsent},
        )  # fmt: skip


def _closed(name: str, received: ServiceAnswers, sent: int, service: LiveService) -> Iterator[Event]:
    """Yield what was sent again because its connection was closed, and what was not sent after too many failures."""
    if received.again:
        what = "requests" if received.mode != BATCHES else "batches"
        yield Finding(
            name, SERVICE,
            f"The service closed the connection of {received.again:,} {what}, sent {received.mode}, without an answer, "
            "and answered on a fresh one.",
            severity=Severity.WARNING, cause="closed-connection", evidence={"retried": received.again},
            advice="Look in its log for an error that nothing handles: a server closes the connection after one, and a "
            "request that is already on its way is lost.",
        )  # fmt: skip
    if received.unsent and received.failures and service.ended() is None and RATE_LIMIT not in received.statuses:
        yield NotEvaluated(
            name, SERVICE,
            f"{part_of(received.unsent, sent, 'requests')} were not sent {received.mode}: {FAILURES} in a row got no "
            "answer, or the time was over.",
        )  # fmt: skip


def _degraded(name: str, modes: Sequence[ComparedAnswers], comparison: ServiceComparison) -> Iterator[Event]:
    """Yield what stayed degraded: a finding where the dependencies answer from here, else not evaluated."""
    for mode in modes:
        if mode.received.retried and not mode.received.degraded:
            yield Finding(
                name, SERVICE,
                f"Requests sent {mode.received.mode}: {plural(mode.received.retried, 'answer')} were degraded at first "
                "and complete on a retry.",
                severity=Severity.INFO, cause="degraded", evidence={"rows": mode.received.retried},
                advice="A dependency was slow for a moment. See the resilience check for the effect.",
            )  # fmt: skip
    lasting = next((mode for mode in modes if mode.received.degraded), None)
    if lasting is None:
        return
    key = comparison.trial.pipeline.key
    keys = list(dict.fromkeys(BETWEEN.join(key_id(answer_key(a, key))) for a in lasting.received.degraded))
    message = (
        f"Requests sent {lasting.received.mode}: {part_of(len(keys), len(comparison.keys), 'answers')} stay "
        "degraded; in the reference they are complete."
    )
    for dependency in comparison.trial.pipeline.dependencies:
        answers = comparison.trial.reference.answers(dependency)
        one = [*answers.lookups, *answers.calls][:1]  # a client may connect with its first call alone
        try:
            comparison.trial.replayer.ask(dependency, one)
        except PipelineError as error:
            yield NotEvaluated(name, SERVICE, f"{message} {error}")
            return
    yield Finding(
        name, SERVICE, message, cause="degraded", evidence={"missing": len(keys), "keys": keys[:NAMED]},
        advice="Check the address, the time limit and the credentials that the service has for its dependencies; they "
        "answer from here.",
    )  # fmt: skip


def _wide_integers(name: str, modes: Sequence[ComparedAnswers], allowed: Sequence[str]) -> Iterator[Finding]:
    found = frame_json.beyond_safe(answer for mode in modes for answer in mode.received.answers)
    for column, count in found.items():
        if column not in allowed:
            yield Finding(
                name, SERVICE,
                f"Column '{column}' is sent as a JSON number beyond 2^53 in {plural(count, 'answer')}. Every reader "
                "that uses doubles, such as a browser, loses its last digits.",
                column=column, cause="json-integer", evidence={"rows": count},
                advice=f"Send '{column}' as text. If every consumer reads whole integers, name it in [golden] "
                "wide_integers of service.toml.",
            )  # fmt: skip


def _absent_varying(name: str, modes: Sequence[ComparedAnswers], comparison: ServiceComparison) -> Iterator[Finding]:
    """Yield the fields declared as varying that no answer has: the name may be misspelt."""
    golden = comparison.trial.policy.golden
    there = {c for mode in modes for answer in mode.received.answers[:100] for c in answer}
    there |= set(comparison.trial.reference.frame(comparison.stage).columns)
    for missing in (c for c in golden.varying if there and c not in there):
        yield Finding(
            name, SERVICE, f"Field '{missing}' is declared in [golden] varying, and no answer has it.", column=missing,
            severity=Severity.WARNING, cause="policy", advice="Correct [golden] varying in service.toml.",
        )  # fmt: skip
