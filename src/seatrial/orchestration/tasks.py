"""How results show in Prefect: a case as the state of its task, progress as a bar, the verdict on the run's page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from seatrial.events import Case, Event, Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.sinks.base import LISTENERS
from seatrial.sinks.files import slug
from seatrial.sinks.markdown import findings_markdown, findings_rows

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from seatrial.orchestration.judge import Judge

LOGGED_ADVICE = 3  # findings whose advice is logged; the page shows all of them
POLL_SECONDS = 0.2
_EVENTS_LOCK = threading.Lock()  # the events of one case stay together


def wait_for(futures: Sequence[Any]) -> None:
    """Wait until every Prefect future is done, in short steps: one long wait in a thread would block Ctrl-C."""
    done = threading.Semaphore(0)
    for future in futures:
        future.add_done_callback(lambda _: done.release())
    for _ in futures:
        while not done.acquire(timeout=POLL_SECONDS):
            pass


def case_state(case: Case, judge: Judge, events: list[Event]) -> State[Any]:
    """Run one case, pass its events on to the listeners, and return the state its task ends in.

    The state is Failed where the case has an error finding or was not evaluated.

    Args:
        case: one of those planned.
        judge: of the version. Where its worker ended or exceeded a limit, the case is not evaluated.
        events: of all cases so far; those of this one are appended.
    """
    from prefect.artifacts import create_markdown_artifact
    from prefect.states import Completed, Failed

    for listener in LISTENERS.get():
        listener.started(str(case))
    new = judge.run(case, _progress_bar(case))
    with _EVENTS_LOCK:
        events.extend(new)
        for listener in LISTENERS.get():
            for event in new:
                listener.event(event)
    findings = [e for e in new if isinstance(e, Finding)]
    if any(not f.downstream for f in findings):
        key = slug(f"{judge.pipeline.name}-{case.stage or 'path'}-{case.check}")
        create_markdown_artifact(key=key, markdown=findings_markdown(findings), description=str(case))
    if errors := [f for f in findings if f.severity is Severity.ERROR]:
        return Failed(message=f"{counted(len(errors), 'finding')}: {errors[0].message}")
    if not_evaluated := [e for e in new if isinstance(e, NotEvaluated)]:
        return Failed(message=f"not evaluated: {not_evaluated[0].reason}")
    return Completed(message=f"passed with {counted(len(findings), 'remark')}" if findings else "passed")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one.

    Example:
        >>> counted(1, "case"), counted(1200, "case")
        ('1 case', '1,200 cases')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _progress_bar(case: Case) -> Callable[[int, int, str], None]:
    """Return a callback that shows a case's progress on the dashboard and passes it on to the listeners."""
    from prefect.artifacts import create_progress_artifact, update_progress_artifact

    bars: list[Any] = []

    def on_progress(done: int, of: int, what: str) -> None:
        percent = 100.0 * min(1.0, max(0, done) / max(1, of))
        if bars:
            update_progress_artifact(bars[0], percent, description=f"{case}: {what}")
        else:
            bars.append(create_progress_artifact(percent, description=f"{case}: {what}"))
        for listener in LISTENERS.get():
            listener.progress(done, of, what)

    return on_progress


def verdict_state(verdict: Verdict, title: str, *, page: str, table: str = "", note: str = "") -> State[Any]:
    """Put the verdict on the flow run's page, pass it on to the listeners, and return the state the flow ends in.

    Args:
        verdict: of the whole run.
        title: of the artifacts.
        page: the kind of page; the pages of one kind and model form a history.
        table: the kind of the table of findings; no table where it is empty.
        note: appended to the message of a state that is not a pass.
    """
    from prefect import get_run_logger
    from prefect.artifacts import create_markdown_artifact, create_table_artifact
    from prefect.states import Completed, Failed

    name = slug(verdict.subject.model)
    create_markdown_artifact(key=f"{page}-{name}", markdown=findings_markdown(verdict), description=title)
    if verdict.findings and table:
        create_table_artifact(key=f"{table}-{name}", table=findings_rows(verdict.findings), description=title)
    for listener in LISTENERS.get():
        listener.verdict(verdict)
    log = get_run_logger()
    if verdict.outcome is Outcome.PASS:
        log.info("%s: %s", verdict.subject, verdict.summary)
        return Completed(message=verdict.summary)
    log.error("%s: %s", verdict.subject, verdict.summary)
    for finding in [f for f in verdict.errors if not f.downstream and f.advice][:LOGGED_ADVICE]:
        log.error("What to do about %s: %s", finding.column or finding.stage or finding.check, finding.advice)
    return Failed(message=f"verdict {verdict.summary}{note}")
