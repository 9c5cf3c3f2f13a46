"""Which cases of a validation an earlier run has answered, and what this one leaves for later runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seatrial import checks, registry
from seatrial.errors import SeatrialError
from seatrial.events import Attachment, Case, Event, Finding, Severity
from seatrial.events.local import LocalEvidence, relevant
from seatrial.formatting import plural
from seatrial.io.bundle import MANIFEST, directory_digest, sha256
from seatrial.isolation.evidence import WORKER
from seatrial.isolation.launch import Launch, launch_of
from seatrial.isolation.opening.project import ENVIRONMENTS
from seatrial.orchestration.judge import Judge, OnProgress
from seatrial.orchestration.results import kept
from seatrial.orchestration.results.ahead import taken
from seatrial.orchestration.results.asked import ASKED
from seatrial.orchestration.results.inputs import Inputs, digest_of, surroundings
from seatrial.orchestration.results.plan import Plan
from seatrial.orchestration.results.recalled import Recalled
from seatrial.orchestration.results.store import Store
from seatrial.pipeline import SERVICE, Pipeline
from seatrial.policy.digest import policy_digest
from seatrial.project import MEBIBYTE, MODEL_PYTHON, Project
from seatrial.promotion.keyring import private_key
from seatrial.reference.snapshot import Reference
from seatrial.registry import Fetched
from seatrial.sinks.retention import CACHE, DAY, EVERY, Retention, delete, unused

ALONE = "none"  # in the place of a champion's digest


@dataclass(frozen=True)
class Place:
    """Where the results of one validation are kept: the folder of what they follow from, and the plan in it."""

    launch: Launch
    around: Inputs
    folder: str
    plan: str


@dataclass
class Earlier:
    """The earlier results of one validation. Its method ``run`` may be called from several threads.

    Attributes:
        project: whose version it is.
        judge: runs the cases that have no earlier result.
        found: the events of the cases that have one.
    """

    project: Project
    judge: Judge
    found: dict[Case, list[Event]] = field(default_factory=dict)
    _ran: dict[Case, list[Event]] = field(default_factory=dict)
    _place: Place | None = None
    _plan: Plan | None = None
    _champion: str = ALONE

    @property
    def reused(self) -> bool:
        """Whether earlier results are used: a command says so, or the project's settings for every run."""
        asked = ASKED.get()
        return self.project.cache == "always" if asked is None else asked.reused

    def look(self, fetched: Fetched, options: Mapping[str, Any]) -> str:
        """Find what an earlier run answered of a validation with these options, and return what was found.

        Args:
            fetched: the version.
            options: ``only``, ``skip``, ``live``, ``target`` and ``seed``.
        """
        if options["target"]:
            return "No earlier result is used: a service that runs elsewhere is tested."
        if not self.reused and self.project.cache == "never":
            return "No earlier result is used, and none is kept: 'cache' of [tool.seatrial] is 'never'."
        try:
            launch = self._launch(fetched.model)
            around = taken(self.project, launch, self._written())
        except SeatrialError as reason:
            return f"No earlier result is used, and none is kept: {str(reason).rstrip('.')}."
        version = fetched.version
        own = Inputs({
            "version": digest_of([version.registry, version.name, version.number, version.created, fetched.digest]),
            "reference": sha256(fetched.reference.root / MANIFEST),
            "seed": str(options["seed"]),
        })  # fmt: skip
        folder = f"{around.digest}/{own.digest}"
        chosen = [name for name in options["only"] or sorted(checks.names()) if name not in options["skip"]]
        self._place = Place(launch, around, folder, f"{folder}/plan-{digest_of([chosen, options['live']])}")
        if self.reused and (store := _store(self.project)) is not None:
            self._recall(store, self._place, fetched)
        found = plural(len(self.found), "earlier result")
        return f"{found} used." if self.reused else "No earlier result is used: every case runs."

    @property
    def pipeline(self) -> str:
        """The name of the pipeline."""
        return self._plan.pipeline if self._plan is not None else self.judge.pipeline.name

    def whole(self, left_out: Callable[[Case], bool]) -> bool:
        """Return whether every planned case that is not left out has an earlier result."""
        return self._plan is not None and all(case in self.found or left_out(case) for case in self._plan.cases)

    def recalled(self, reference: Reference, seed: int) -> Recalled:
        """Return what stands in for the judge where every case has an earlier result."""
        assert self._plan is not None, "there is no earlier plan"
        digest = policy_digest(self.project.expectations)
        return Recalled(self._plan, self.found, reference.digest, digest, seed, LocalEvidence(0))

    def answered(self) -> set[str]:
        """Return the checks of which no case has to run."""
        planned = self._plan.cases if self._plan is not None else ()
        return {case.check for case in planned} - {case.check for case in planned if case not in self.found}

    def compared_with(self, champion: Path | None) -> None:
        """Note which champion's model is compared with; None where there is none. Results with another one are none."""
        digest = ALONE if champion is None else directory_digest(champion)
        if self._plan is not None and digest != self._champion:
            self.found = {case: events for case, events in self.found.items() if case not in self._plan.compared}
        self._champion = digest

    def run(self, case: Case, on_progress: OnProgress | None = None) -> list[Event]:
        """Return the earlier events of a case; without them run it."""
        if (events := self.found.get(case)) is not None:
            return events
        self._ran[case] = events = self.judge.run(case, on_progress)
        return events

    def keep(self, events: Sequence[Event], fetched: Fetched, service: str, run: str) -> str:
        """Keep what passed for later runs, and return what was kept, or why nothing is, as a sentence.

        Args:
            events: of the whole validation.
            fetched: the version.
            service: the folder of the service's code below the root.
            run: what this run is called.
        """
        place, store = self._place, _store(self.project)
        if place is None or store is None or not self._ran or self.judge.broken:
            return "No further result is kept."
        pipeline = self.judge.pipeline
        if reason := varies(pipeline, fetched.reference):
            return f"No result is kept: {reason}"
        changed = surroundings(self.project, place.launch, without=self._written()).changed_from(place.around)
        if changed:
            return f"No result is kept: what it follows from changed meanwhile ({', '.join(changed)})."
        plan = self._planned(pipeline, events, service)
        store.write(place.plan, plan.written())
        ended, count = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {run}", 0
        for case in plan.reusable:
            if case in self._ran and _is_kept(self._ran[case], self.judge.local):
                count += kept.keep(store, self._entry(place, case, plan), self._ran[case], ended)
        limits = self.project.retention
        limit = Retention(EVERY, limits.days * DAY, limits.cache_mb * MEBIBYTE)
        delete(unused(self.project.state, limit, time.time()))
        return f"{plural(count, 'result')} kept for later runs."

    def _recall(self, store: Store, place: Place, fetched: Fetched) -> None:
        try:
            plan = Plan.read(store.read(place.plan))
        except (KeyError, TypeError):
            return
        self._plan = plan
        if plan.champion:
            self.compared_with(registry.champion_model(fetched, plan.champion))
        for case in plan.reusable:
            if events := kept.recall(store, self._entry(place, case, plan)):
                self.found[case] = events
        store.touch(place.around.digest)

    def _planned(self, pipeline: Pipeline, events: Sequence[Event], service: str) -> Plan:
        known = {check.name: check for check in checks.named({case.check for case in self.judge.planned})}
        served = any(case.stage == SERVICE for case in self.judge.planned)
        reusable = tuple(
            case for case in self.judge.planned
            if known[case.check].reusable and (case.stage is None or case.stage in pipeline.stages)
        )  # fmt: skip
        policy = self.judge.policy
        return Plan(
            pipeline=pipeline.name,
            cases=self.judge.planned,
            reusable=reusable,
            compared=tuple(case for case in reusable if known[case.check].compares),
            path=(*pipeline.path, *([SERVICE] if served else [])),
            dependencies=tuple(pipeline.dependencies),
            optional=tuple(policy.service.verdict.optional),
            champion=(policy.promote or "") if self.judge.compares_quality else "",
            service=service,
            worker=next((e.content.decode() for e in events if isinstance(e, Attachment) and e.name == WORKER), ""),
        )

    def _entry(self, place: Place, case: Case, plan: Plan) -> str:
        champion = self._champion if case in plan.compared else ALONE
        return f"{place.folder}/{digest_of([case.check, case.stage, champion])}"

    def _launch(self, model: Path) -> Launch:
        if self.project.python != MODEL_PYTHON:
            return launch_of(self.project)
        from seatrial.isolation.environments.build import model_environment

        return launch_of(self.project, str(model_environment(model, cache=self.project.state / ENVIRONMENTS).python))

    def _written(self) -> tuple[Path, ...]:
        asked = ASKED.get()
        return () if asked is None else asked.written


def varies(pipeline: Pipeline, reference: Reference) -> str:
    """Return why the results of a pipeline do not follow from its inputs alone; empty where they do."""
    for name in pipeline.stages:
        stage = pipeline.stage(name)
        if stage.samples is not None or reference.manifest["noise"].get(name):
            return f"stage '{name}' answers differently each time."
        if stage.calls is not None:
            return f"stage '{name}' bounds its calls, so what it calls may answer differently each time."
    return ""


def _is_kept(events: Sequence[Event], local: LocalEvidence) -> bool:
    """Return whether a case passed without a warning that has values to look into, which later runs would not have."""
    findings = [event for event in events if isinstance(event, Finding) and event.severity is not Severity.INFO]
    return kept.passed(events) and not any(relevant(finding, local.records) for finding in findings)


def _store(project: Project) -> Store | None:
    """Return the project's results; None where it has no key yet, or one that cannot be used."""
    try:
        return Store(project.state / CACHE, private_key(project.state).read_bytes())
    except (SeatrialError, OSError):
        return None
