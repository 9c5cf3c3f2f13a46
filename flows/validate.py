"""Take one registered model version to sea: every stage and check a task, the verdict in MLflow.

The flow run is Failed unless the verdict is pass. Checks run side by side in threads; each is red where it failed.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from seatrial import Trial, checks, registry
from seatrial.engine import ask, loaded, plan, verdict_of
from seatrial.events import Event, Finding, Outcome, Question, Severity, Unjudged, Verdict
from seatrial.keep import keep
from seatrial.local import wait_for
from seatrial.pipeline import SERVICE
from seatrial.project import Project
from seatrial.results import directory_for, slug, write_results
from seatrial.sinks.markdown import findings_markdown, findings_rows
from seatrial.trial import LISTENERS, Check

HEARING = threading.Lock()  # the events of one question are heard together


@task(task_run_name="resolve {uri}", cache_policy=NO_CACHE)
def resolve(uri: str) -> registry.Version:
    """Ask the registry which version is meant, now."""
    return registry.resolve(uri)


@task(task_run_name="fetch model and reference", cache_policy=NO_CACHE)
def fetch(version: registry.Version, into: Path) -> registry.Fetched:
    """Download the version's files and verify its reference."""
    return registry.fetch(version, into)


@task(task_run_name="load model", cache_policy=NO_CACHE)
def load(project: Project, fetched: registry.Fetched, live: list[str], seed: int) -> Trial:
    """Load pipeline, policy, model and, where one is promoted, its champion and what that promises."""
    pipeline = project.pipeline()
    policy = project.policy(pipeline)
    fetched.reference.matches(pipeline)
    champion = None
    alias = policy.promote
    if alias and any(p.quality for p in policy.stages.values()):
        best = registry.promoted(fetched.version.name, alias)
        if best and best.number != fetched.version.number:
            champion = loaded(pipeline, registry.download_model(best, fetched.model.parent / "champion"))
    beside = fetched.model.parent / "promised"
    promised = registry.promised(fetched.version, alias or registry.VALIDATED, beside) if pipeline.service else None
    return Trial(
        pipeline,
        fetched.reference,
        policy=policy,
        model=loaded(pipeline, fetched.model),
        model_path=str(fetched.model),
        live=live or policy.live,
        champion=champion,
        promised=promised,
        seed=seed,
    )


@task(task_run_name="{question}", cache_policy=NO_CACHE)
def judge(question: Question, check: Check, trial: Trial, heard: list[Event]) -> State[Any]:
    """Ask one question; the task is red where the answer is not as it should be."""
    events = ask(check, trial, question)
    with HEARING:
        heard.extend(events)
        for listener in LISTENERS.get():
            for event in events:
                listener.event(event)
    findings = [e for e in events if isinstance(e, Finding)]
    open_ = [e for e in events if isinstance(e, Unjudged)]
    if any(not f.propagated for f in findings):
        key = slug(f"{trial.pipeline.name}-{question.stage or 'path'}-{question.check}")
        create_markdown_artifact(key=key, markdown=findings_markdown(findings), description=str(question))
    worst = [f for f in findings if f.severity is Severity.ERROR]
    if worst:
        return Failed(message=f"{len(worst)} finding(s): {worst[0].message}")
    if open_:
        return Failed(message=f"not judged: {open_[0].reason}")
    return Completed(message=f"{len(findings)} remark(s)" if findings else "as in training")


@task(task_run_name="verdict", cache_policy=NO_CACHE)
def conclude(verdict: Verdict, events: list[Event], here: Project, fetched: registry.Fetched, whole: bool) -> str:
    """Write the verdict's files and keep it: in the ledger, and from there in MLflow."""
    directory = directory_for(here.state, verdict.subject)
    write_results(verdict, events, directory)
    return keep(here, verdict, fetched, directory, whole=whole)


@flow(
    name="validate",
    flow_run_name="{model_uri}",
    description=__doc__,
    task_runner=ThreadPoolTaskRunner(max_workers=4),  # type: ignore[arg-type]
    validate_parameters=False,
)
def validate(
    model_uri: str,
    project: str = ".",
    only: list[str] | None = None,
    skip: list[str] | None = None,
    live: list[str] | None = None,
    in_process: bool = False,
    seed: int = 0,
) -> State[Any]:
    """Validate one version. A run that leaves something out is logged and leaves no verdict on the version.

    Args:
        model_uri: the version, such as models:/payments/1 or models:/payments@champion.
        project: the directory of the seatrial project.
        only: checks to ask; all by default.
        skip: checks to leave out.
        live: dependencies to ask again beside their recorded answers.
        in_process: ask nothing of the live service.
        seed: of every random choice.
    """
    begin = time.perf_counter()
    here = Project.find(project)
    here.settle()
    chosen = checks.named(only, skip=skip or [])
    version = resolve(model_uri)
    fetched = fetch(version, here.state / "versions" / slug(f"{version.name}-{version.number}"))
    trial = load(here, fetched, live or [], seed)
    questions = [(c, q) for c, q in plan(chosen, trial) if not (in_process and on_the_service(q))]
    whole = not (only or skip or in_process)
    planned = [question for _, question in questions]
    for listener in LISTENERS.get():
        listener.planned(planned)
    heard: list[Event] = []
    with trial:  # a service that a check started ends here
        # What takes longest begins first; what is asked of the one live service is asked by itself, at the end.
        side_by_side = [(c, q) for c, q in questions if not on_the_service(q)]
        side_by_side.sort(key=lambda pair: pair[0].name != "invariants")
        asked = [judge.submit(question, check, trial, heard) for check, question in side_by_side]
        wait_for(asked)
        for check, question in questions:
            if on_the_service(question):
                wait_for([judge.submit(question, check, trial, heard)])
    events = in_order(heard, planned)
    verdict = verdict_of(events, trial, planned, subject=fetched.subject, seconds=time.perf_counter() - begin)
    conclude(verdict, events, here, fetched, whole)
    told, name = f"Verdict of {verdict.subject}", slug(verdict.subject.model)
    create_markdown_artifact(key=f"verdict-{name}", markdown=findings_markdown(verdict), description=told)
    if verdict.findings:
        create_table_artifact(key=f"findings-{name}", table=findings_rows(verdict.findings), description=told)
    for listener in LISTENERS.get():
        listener.verdict(verdict)
    get_run_logger().info("%s: %s", verdict.subject, verdict.summary)
    if verdict.outcome is Outcome.PASS:
        return Completed(message=verdict.summary)
    return Failed(message=f"verdict {verdict.summary}")


def on_the_service(question: Question) -> bool:
    """Say whether a question is asked of the live service, which answers one at a time."""
    return question.stage == SERVICE or question.check == "resilience"


def in_order(events: list[Event], planned: list[Question]) -> list[Event]:
    """Return the events in the order of the questions, whichever thread was first."""
    place = {(q.check, q.stage): n for n, q in enumerate(planned)}
    return sorted(events, key=lambda e: place.get((e.check, e.stage), len(place)))
