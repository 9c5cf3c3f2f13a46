"""Heavy weather for one registered model version: load against its objective, then its dependencies broken, one by one.

Nothing runs beside anything else: what is measured is the service. The flow run is Failed unless the verdict is pass.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from seatrial import Trial, checks, registry
from seatrial.checks.resilience import why_not
from seatrial.engine import ask, loaded, plan, verdict_of
from seatrial.events import Event, Finding, Outcome, Question, Severity, Unjudged, Verdict
from seatrial.project import Project
from seatrial.results import directory_for, slug, write_results
from seatrial.sinks.markdown import findings_markdown
from seatrial.sinks.mlflow import record
from seatrial.trial import LISTENERS, Check

CHECKS = ("load", "resilience")


@task(task_run_name="fetch {model_uri}", cache_policy=NO_CACHE)
def fetch(model_uri: str, state: Path) -> registry.Fetched:
    """Ask the registry which version is meant, download its files and verify its reference."""
    version = registry.resolve(model_uri)
    return registry.fetch(version, state / "versions" / slug(f"{version.name}-{version.number}"))


@task(task_run_name="load model", cache_policy=NO_CACHE)
def load(project: Project, fetched: registry.Fetched, seed: int) -> Trial:
    """Load pipeline, policy and model."""
    pipeline = project.pipeline()
    fetched.reference.matches(pipeline)
    policy, model = project.policy(pipeline), loaded(pipeline, fetched.model)
    return Trial(pipeline, fetched.reference, policy=policy, model=model, model_path=str(fetched.model), seed=seed)


@task(task_run_name="{question}", cache_policy=NO_CACHE)
def judge(question: Question, check: Check, trial: Trial, heard: list[Event]) -> State[Any]:
    """Ask one question; the task is red where the answer is not as it should be."""
    events = ask(check, trial, question)
    heard.extend(events)
    for listener in LISTENERS.get():
        for event in events:
            listener.event(event)
    findings = [e for e in events if isinstance(e, Finding)]
    open_ = [e for e in events if isinstance(e, Unjudged)]
    if findings:
        key = slug(f"{trial.pipeline.name}-{question.stage or 'path'}-{question.check}")
        create_markdown_artifact(key=key, markdown=findings_markdown(findings), description=str(question))
    worst = [f for f in findings if f.severity is Severity.ERROR]
    if worst:
        return Failed(message=f"{len(worst)} finding(s): {worst[0].message}")
    if open_:
        return Failed(message=f"not judged: {open_[0].reason}")
    return Completed(message=f"{len(findings)} remark(s)" if findings else "held")


@task(task_run_name="verdict", cache_policy=NO_CACHE)
def conclude(verdict: Verdict, events: list[Event], fetched: registry.Fetched, state: Path) -> str:
    """Write the verdict's files and log all of it to MLflow; the version keeps the verdict of its validation."""
    directory = directory_for(state, verdict.subject).with_name(f"{directory_for(state, verdict.subject).name}-stress")
    write_results(verdict, events, directory)
    return record(verdict, fetched, directory)


@flow(name="stress", flow_run_name="{model_uri}", description=__doc__, validate_parameters=False)
def stress(
    model_uri: str,
    project: str = ".",
    only: list[str] | None = None,
    skip: list[str] | None = None,
    seed: int = 0,
) -> State[Any]:
    """Put one version under load and break what it depends on.

    Args:
        model_uri: the version, such as models:/payments/1 or models:/payments@champion.
        project: the directory of the seatrial project.
        only: load or resilience; both by default.
        skip: the one to leave out.
        seed: of every random choice.
    """
    begin = time.perf_counter()
    here = Project.find(project)
    here.settle()
    chosen = checks.named(only or list(CHECKS), skip=skip or [])
    fetched = fetch(model_uri, here.state)
    trial = load(here, fetched, seed)
    questions = plan(chosen, trial)
    planned = [question for _, question in questions]
    for why in unasked(trial):
        get_run_logger().warning("Not asked: %s", why)
    for listener in LISTENERS.get():
        listener.planned(planned)
    heard: list[Event] = []
    progress = create_progress_artifact(0.0, description=f"Heavy weather for {fetched.subject}")
    assert isinstance(progress, UUID)
    with trial:
        for n, (check, question) in enumerate(questions):
            judge(question, check, trial, heard, return_state=True)
            update_progress_artifact(progress, 100 * (n + 1) / len(questions))
    verdict = verdict_of(heard, trial, planned, subject=fetched.subject, seconds=time.perf_counter() - begin)
    conclude(verdict, heard, fetched, here.state)
    told, name = f"Heavy weather for {verdict.subject}", slug(verdict.subject.model)
    create_markdown_artifact(key=f"stress-{name}", markdown=findings_markdown(verdict), description=told)
    for listener in LISTENERS.get():
        listener.verdict(verdict)
    get_run_logger().info("%s: %s", verdict.subject, verdict.summary)
    if verdict.outcome is Outcome.PASS:
        return Completed(message=verdict.summary)
    why = "" if planned else f" ({'; '.join(unasked(trial))})"
    return Failed(message=f"verdict {verdict.summary}{why}")


def unasked(trial: Trial) -> list[str]:
    """Return what has no question in this trial, and why."""
    missing = [] if trial.policy.slo else ["load: service.toml declares no [slo]"]
    reasons = [why_not(trial, name) for name in trial.pipeline.dependencies]
    return missing + [f"resilience: {why}" for why in reasons if why]
