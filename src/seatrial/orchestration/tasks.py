"""How results show in Prefect: a case as the state of its task, progress as a bar, the verdict on the run's page."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from seatrial.events import Case, Evaluated, Event, Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.formatting import plural, seconds, slug, without_user
from seatrial.orchestration.runner import is_temporary
from seatrial.sinks.base import LISTENERS
from seatrial.sinks.links import Link, links_markdown, links_text
from seatrial.sinks.markdown import findings_markdown, findings_rows, headline, show_command
from seatrial.sinks.secrets import without_secrets
from seatrial.sinks.text import neutral

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from seatrial.orchestration.results.earlier import Earlier

LOGGED = 20  # findings of a verdict that are logged; the page shows all of them
LEVELS = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.INFO: logging.INFO}
POLL_SECONDS = 0.2
FLOW_RUN = "Flow run"  # the title of the link to the flow run's own page
_EVENTS_LOCK = threading.Lock()  # the events of one case stay together


class Redacting(logging.Filter):
    """Takes the credentials of this process out of every record, before a terminal or Prefect's server gets it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; none is left out."""
        record.msg, record.args = without_secrets(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = without_secrets(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def redact_logs() -> None:
    """Have what Prefect logs in this process redacted; often called, done once."""
    known = [logger for name, logger in logging.root.manager.loggerDict.items() if name.split(".")[0] == "prefect"]
    for logger in [logging.root, *known]:
        for handler in getattr(logger, "handlers", ()):
            if not any(isinstance(each, Redacting) for each in handler.filters):
                handler.addFilter(Redacting())


def wait_for(futures: Sequence[Any]) -> None:
    """Wait until every Prefect future is done, in short steps: one long wait in a thread would block Ctrl-C."""
    done = threading.Semaphore(0)
    for future in futures:
        future.add_done_callback(lambda _: done.release())
    for _ in futures:
        while not done.acquire(timeout=POLL_SECONDS):
            pass


def case_state(case: Case, earlier: Earlier, events: list[Event]) -> State[Any]:
    """Run one case, pass its events on to the listeners, and return the state its task ends in.

    The state is Failed where the case has an error finding or was not evaluated, and named Cached where an earlier run
    has its result.

    Args:
        case: one of those planned.
        earlier: runs it, unless it has its result. Where the worker ended or broke a limit, it is not evaluated.
        events: of all cases so far; those of this one are appended.
    """
    from prefect import get_run_logger
    from prefect.artifacts import create_markdown_artifact
    from prefect.states import Completed, Failed

    for listener in LISTENERS.get():
        listener.started(str(case))
    log = get_run_logger()
    log.info("%s: started", case)
    new = earlier.run(case, _progress_bar(case))
    with _EVENTS_LOCK:
        events.extend(new)
        for listener in LISTENERS.get():
            for event in new:
                listener.event(event)
    findings = [e for e in new if isinstance(e, Finding)]
    for finding in findings:
        log.log(logging.INFO if finding.downstream else LEVELS[finding.severity], "%s", _told(finding))
    log.info("%s: %s", case, _ended(new))
    if any(not f.downstream for f in findings):
        key = slug(f"{earlier.pipeline}-{case.stage or 'path'}-{case.check}")
        create_markdown_artifact(key=key, markdown=findings_markdown(findings), description=str(case))
    if errors := [f for f in findings if f.severity is Severity.ERROR]:
        return Failed(message=f"{counted(len(errors), 'finding')}: {errors[0].message}")
    if not_evaluated := [e for e in new if isinstance(e, NotEvaluated)]:
        return Failed(message=f"not evaluated: {not_evaluated[0].reason}")
    passed = f"passed with {counted(len(findings), 'remark')}" if findings else "passed"
    if runs := _runs(new):
        return Completed(name="Cached", message=f"{passed}: {runs}")
    return Completed(message=passed)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one.

    Example:
        >>> counted(1, "case"), counted(1200, "case")
        ('1 case', '1,200 cases')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _told(finding: Finding) -> str:
    """Return a finding as a line of the log: where it is, what it is, and what to do about it."""
    place = " · ".join(name for name in (finding.stage or finding.check, finding.column) if name)
    advice = f" What to do: {finding.advice}" if finding.advice and not finding.downstream else ""
    return neutral(f"{'downstream: ' if finding.downstream else ''}{place}: {finding.message}{advice}", 1_000)


def _ended(events: Sequence[Event]) -> str:
    """Return how a case ended: its findings, comparisons and time, or why it was not evaluated."""
    if not_evaluated := [e for e in events if isinstance(e, NotEvaluated)]:
        return neutral(f"not evaluated: {not_evaluated[0].reason}")
    ends = [e for e in events if isinstance(e, Evaluated)]
    findings = sum(isinstance(e, Finding) for e in events)
    took = _runs(events) or seconds(sum(e.seconds for e in ends))
    found = plural(findings, "finding") if findings else "passed"
    return f"{found}, {plural(sum(e.compared for e in ends), 'comparison')}, {took}"


def _runs(events: Sequence[Event]) -> str:
    """Return which earlier run a result is of; empty where it is of this one."""
    runs = dict.fromkeys(e.run for e in events if isinstance(e, Evaluated) and e.cached)
    return f"cached from the run of {', '.join(runs)}" if runs else ""


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


def flow_page() -> str:
    """Return the address of this flow run's page, without who may see it; empty where there is none that lasts."""
    from prefect.runtime import flow_run
    from prefect.settings import PREFECT_API_URL
    from prefect.utilities.urls import url_for

    api = PREFECT_API_URL.value()
    return "" if not api or is_temporary(api) else without_user(url_for("flow-run", flow_run.id) or "")


def verdict_state(
    verdict: Verdict,
    title: str,
    *,
    page: str,
    table: str = "",
    note: str = "",
    uri: str = "",
    links: Sequence[Link] = (),
) -> State[Any]:
    """Put the verdict on the flow run's page, pass it on to the listeners, and return the state the flow ends in.

    The page has the verdict, links, and the table of findings; Prefect orders them as it likes. The run is named for
    its verdict.

    Args:
        verdict: of the whole run.
        title: of the artifacts.
        page: the kind of page; the pages of one kind and model form a history.
        table: the kind of the table of findings; no table where it is empty.
        note: appended to the message of a state that is not a pass.
        uri: of the version.
        links: to other pages that show the verdict.
    """
    from prefect import get_run_logger
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
    from prefect.states import Completed, Failed

    name = slug(verdict.subject.model)
    if verdict.findings and table:
        create_table_artifact(key=f"{table}-{name}", table=findings_rows(verdict), description=title)
    other = [link for link in links if links_markdown([link]) and link.title != FLOW_RUN]
    for link in other:
        key = f"{link.title.lower().replace(' ', '-')}-{name}"
        create_link_artifact(link.address, link_text=link.title, key=key, description=f"{link.title}: {title}")
    written = f"{findings_markdown(verdict, uri=uri)}\n{links_markdown(other)}\n"
    create_markdown_artifact(key=f"{page}-{name}", markdown=written, description=title)
    for listener in LISTENERS.get():
        listener.links(links)
        listener.verdict(verdict)
    log = get_run_logger()
    _name_run(verdict, log)
    passed = verdict.outcome is Outcome.PASS
    for number, finding in [(n, f) for n, f in verdict.numbered.items() if not f.downstream][:LOGGED]:
        log.log(LEVELS[finding.severity], "Finding %d: %s", number, _told(finding))
    log.log(logging.INFO if passed else logging.ERROR, "%s: %s", verdict.subject, verdict.summary)
    if command := show_command(verdict, uri):
        log.info("To look into a finding, on the machine that validated: %s", command)
    for line in links_text(links):
        log.info("%s", line)
    return Completed(message=verdict.summary) if passed else Failed(message=f"verdict {verdict.summary}{note}")


def _name_run(verdict: Verdict, log: Any) -> None:
    """Name the flow run for its verdict, and tag it with model and outcome; a server that refuses costs no verdict."""
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException
    from prefect.runtime import flow_run

    tags = dict.fromkeys([*(flow_run.tags or []), neutral(verdict.subject.model, 80), verdict.outcome.value])
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=headline(verdict), tags=list(tags))
    except (HTTPError, PrefectException) as error:
        log.warning("The flow run was not named for its verdict: %s", error)
