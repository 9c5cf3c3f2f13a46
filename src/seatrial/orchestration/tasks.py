"""What the flows have in common: one question asked as a task of Prefect, and how the verdict is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.events import Case, Event, Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.sinks.base import LISTENERS
from seatrial.sinks.files import slug
from seatrial.sinks.markdown import findings_markdown, findings_rows

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from seatrial.isolation import IsolatedTrial
    from seatrial.registry import Fetched

TOLD = 3  # findings whose advice stands in the log; the page has them all
HEARING = threading.Lock()  # the events of one question are heard together


def promoted_model(child: IsolatedTrial, fetched: Fetched) -> Path | None:
    """Download the promoted version's model, where the policy compares with it and it is not the one on trial."""
    from seatrial import registry

    version, read = fetched.version, child.description
    best = registry.promoted(version.name, read.promote) if read.promote and read.compares else None
    if best is None or best.number == version.number:
        return None
    return registry.download_model(best, fetched.model.parent / "champion")


def evaluated(case: Case, child: IsolatedTrial, heard: list[Event], well: str) -> State[Any]:
    """Ask one question in a task of Prefect, tell everybody who listens, and return the state the task ends in.

    Args:
        question: one of those planned.
        child: the trial's process. One that ended, or broke a limit, leaves the question open, and the task red.
        heard: the events of all questions; those of this one are added together.
        well: the message of a task that found nothing.
    """
    from prefect.artifacts import create_markdown_artifact
    from prefect.states import Completed, Failed

    events = child.run(case, _shown(case))
    with HEARING:
        heard.extend(events)
        for listener in LISTENERS.get():
            for event in events:
                listener.event(event)
    findings = [e for e in events if isinstance(e, Finding)]
    if any(not f.downstream for f in findings):
        key = slug(f"{child.description.name}-{case.stage or 'path'}-{case.check}")
        create_markdown_artifact(key=key, markdown=findings_markdown(findings), description=str(case))
    if worst := [f for f in findings if f.severity is Severity.ERROR]:
        return Failed(message=f"{len(worst)} finding(s): {worst[0].message}")
    if open_ := [e for e in events if isinstance(e, NotEvaluated)]:
        return Failed(message=f"not judged: {open_[0].reason}")
    return Completed(message=f"{len(findings)} remark(s)" if findings else well)


def _shown(case: Case) -> Callable[[int, int, str], None]:
    """Return what shows how far a question is: on the dashboard, and to whoever listens."""
    from prefect.artifacts import create_progress_artifact, update_progress_artifact

    bars: list[Any] = []

    def show(done: int, of: int, what: str) -> None:
        share = 100.0 * min(1.0, max(0, done) / max(1, of))
        if bars:
            update_progress_artifact(bars[0], share, description=f"{case}: {what}")
        else:
            bars.append(create_progress_artifact(share, description=f"{case}: {what}"))
        for listener in LISTENERS.get():
            listener.progress(done, of, what)

    return show


def concluded(verdict: Verdict, about: str, *, page: str, table: str = "", more: str = "") -> State[Any]:
    """Put the verdict on the flow run's page, tell everybody who listens, and return the state the flow ends in.

    Args:
        verdict: what was found.
        about: what it is the verdict of, for people.
        page: the kind of page; the pages of this kind of one model are its history.
        table: likewise of the table of findings, where one is made.
        more: what the flow's last message says beside the reason.
    """
    from prefect import get_run_logger
    from prefect.artifacts import create_markdown_artifact, create_table_artifact
    from prefect.states import Completed, Failed

    name = slug(verdict.subject.model)
    create_markdown_artifact(key=f"{page}-{name}", markdown=findings_markdown(verdict), description=about)
    if verdict.findings and table:
        create_table_artifact(key=f"{table}-{name}", table=findings_rows(verdict.findings), description=about)
    for listener in LISTENERS.get():
        listener.verdict(verdict)
    log = get_run_logger()
    if verdict.outcome is Outcome.PASS:
        log.info("%s: %s", verdict.subject, verdict.summary)
        return Completed(message=verdict.summary)
    log.error("%s: %s", verdict.subject, verdict.summary)
    for finding in [f for f in verdict.errors if not f.downstream and f.advice][:TOLD]:
        log.error("What to do about %s: %s", finding.column or finding.stage or finding.check, finding.advice)
    return Failed(message=f"verdict {verdict.summary}{more}")
