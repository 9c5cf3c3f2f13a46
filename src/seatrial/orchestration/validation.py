"""One validation or stress test of a registered version, from its files to its verdict; the flows' tasks share it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from seatrial import checks, registry
from seatrial.checks.engine import side_by_side
from seatrial.checks.serving.service import STRESS_CHECKS, begin_service, uses_service
from seatrial.errors import Interrupted, SeatrialError
from seatrial.events import Case, Event, Outcome, Verdict
from seatrial.io.files import full_disk, workplace
from seatrial.isolation.evidence import worker_record
from seatrial.orchestration.deployments.notify import tell_change
from seatrial.orchestration.judge import Judge, judging
from seatrial.orchestration.results.earlier import Earlier
from seatrial.orchestration.results.local import keep_local
from seatrial.orchestration.results.recalled import Recalled
from seatrial.orchestration.tasks import FLOW_RUN, case_state, counted, flow_page, verdict_state
from seatrial.project import Project
from seatrial.promotion.code import Code, read_code, with_service
from seatrial.promotion.commit import commit_verdict
from seatrial.reference.provenance import provenance_findings
from seatrial.reference.snapshot import Reference
from seatrial.registry.pages import pages
from seatrial.sinks.base import LISTENERS
from seatrial.sinks.files import new_directory, write_results
from seatrial.sinks.links import Link

Kind = Literal["validate", "stress"]
LEAVING_OUT = ("only", "skip", "in_process", "reference", "target")  # an option of these makes a validation partial


class Validation:
    """A version, its judge, and the events so far; made by :func:`open_validation`.

    Attributes:
        project: its project.
        cases: what is run, once the model is loaded.
        events: of all cases run so far.
    """

    def __init__(
        self, project: Project, judge: Judge, folder: Path, kind: Kind, options: dict[str, Any], code: Code
    ) -> None:
        self.project, self._code, self.cases = project, code, list[Case]()
        self.events: list[Event] = []
        self._judge, self._folder, self._kind = judge, folder, kind
        self._earlier, self._summing = Earlier(project, judge), cast(Judge | Recalled, judge)
        self._complete = not any(options[name] for name in LEAVING_OUT)
        self._in_process, self._reference = options.pop("in_process"), options.pop("reference")
        self._options, self._start, self._run_id = options, time.perf_counter(), ""
        self._fetched: registry.Fetched | None = None
        self._verdict: Verdict | None = None

    @property
    def fetched(self) -> registry.Fetched:
        """The version's files on this disk."""
        assert self._fetched is not None, "fetch the version first"
        return self._fetched

    @property
    def verdict(self) -> Verdict:
        """The verdict, once it is summed up."""
        assert self._verdict is not None, "sum up the events first"
        return self._verdict

    @property
    def concurrent_cases(self) -> list[Case]:
        """The cases that can run side by side, in the order in which they begin."""
        return side_by_side([case for case in self.cases if not uses_service(case)])

    @property
    def service_cases(self) -> list[Case]:
        """The cases that use the one live service, and run one after the other."""
        return [c for c in self.cases if uses_service(c)]

    def fetch(self, version: registry.Version) -> None:
        """Download the version's files, and verify its reference or the one given in its place."""
        self._fetched = registry.fetch(version, self._folder)
        if self._reference:
            self._fetched = replace(self._fetched, reference=Reference.load(self._reference))
            self.events += provenance_findings(self._fetched.reference)

    def load(self) -> State[Any]:
        """Load the model, its champion and the contract, unless earlier runs have all results; Failed if it fails."""
        judge, fetched, earlier = self._judge, self.fetched, self._earlier
        if self._kind == "validate":
            get_run_logger().info(earlier.look(fetched, self._options))
        if earlier.whole(self._left_out):
            recalled = self._summing = earlier.recalled(fetched.reference, self._options["seed"])
            self._code = with_service(self.project, self._code, recalled.plan.service or None)
            self.events.append(recalled.record)
            return Completed(message=f"{counted(len(earlier.found), 'case')} of earlier runs; nothing was loaded")
        if reason := judge.open(fetched.model):
            return Failed(message=reason)
        service = judge.pipeline.service
        self._code = with_service(
            self.project, self._code, judge.pipeline.folder / service.cwd if service and service.cwd else None
        )
        contract = None
        if service and self._kind == "validate":
            beside = fetched.model.parent / "champion-reference"
            contract = registry.champion_contract(fetched.version, judge.policy.promote or registry.VALIDATED, beside)
        champion = registry.champion_model(fetched, judge.policy.promote or "") if judge.compares else None
        earlier.compared_with(champion if judge.compares_quality else None)
        options = {**self._options, "champion": champion, "champion_contract": contract, "known": earlier.answered()}
        if self._kind == "stress":
            options["only"] = options["only"] or list(STRESS_CHECKS)
        if reason := judge.load(fetched.model, fetched.reference, **options):
            return Failed(message=reason)
        self.events.append(worker_record(judge.replayer))
        return Completed(message=counted(len(judge.planned), "case"))

    def plan(self, loaded: State[Any]) -> None:
        """Plan the cases. A model that could not be loaded has none, and gets the verdict `error`.

        Raises:
            Exception: whatever else stopped the loading, such as a reference that does not fit the pipeline.
        """
        loaded.result(raise_on_failure=self._judge.broken is None)
        self.cases = [c for c in self._summing.planned if not self._left_out(c)]
        begin_service(self._judge.trial, self.cases)
        for reason in self._judge.not_run if self._kind == "stress" else ():
            get_run_logger().warning("Not run: %s", reason)
        for listener in LISTENERS.get():
            listener.planned(self.cases)

    def run(self, case: Case) -> State[Any]:
        """Run one case; Failed where it has an error finding or was not evaluated."""
        return case_state(case, self._earlier, self.events)

    def _left_out(self, case: Case) -> bool:
        return self._in_process and uses_service(case)

    def sum_up(self) -> None:
        """Sum the events up to the verdict, in the order of the cases, whichever thread was first.

        Raises:
            Interrupted: what runs the cases was away; or a disk was full, and the version did not pass.
        """
        ran = {(event.check, event.stage) for event in self.events}
        if missed := [str(case) for case in self.cases if (case.check, case.stage) not in ran]:
            away = self._judge.trial and self._judge.trial.away
            raise self._interrupted(away or f"Prefect did not run {', '.join(missed)}. Is its server up?")
        place = {(case.check, case.stage): number for number, case in enumerate(self.cases)}
        self.events.sort(key=lambda event: place.get((event.check, event.stage), len(place)))
        seconds = time.perf_counter() - self._start
        subject = replace(self.fetched.subject, code_digest=self._code.digest)
        self._verdict = self._summing.verdict(self.events, self.cases, subject=subject, seconds=seconds)
        full = full_disk(self._folder, Path(tempfile.gettempdir()))
        if full and self._verdict.outcome is not Outcome.PASS:
            raise self._interrupted(f"The disk of '{full}' is full: {self._verdict.summary}. Free some space.")

    def _interrupted(self, why: str) -> Interrupted:
        return Interrupted(f"{why} There is no verdict. Then: seatrial validate {self.fetched.version.uri}")

    def commit(self) -> str:
        """Write the verdict's files and commit it to ledger and registry; a stress test is logged and commits none."""
        validates = self._kind == "validate"
        kind = self._kind if not validates else "" if self._complete else "partial"  # which replaces no verdict's
        directory = new_directory(self.project.state, self.verdict.subject, kind)
        write_results(self.verdict, self.events, directory)
        if problem := keep_local(self.project, directory, self._summing.local):
            get_run_logger().warning(problem)
        for listener in LISTENERS.get():
            listener.results(directory)
        page = flow_page()
        self._run_id = (
            commit_verdict(
                self.project, self.verdict, self.fetched, directory, code=self._code, whole=self._complete, page=page
            )
            if validates
            else registry.record(self.verdict, self.fetched, directory, page)
        )
        if validates and self._complete:
            tell_change(self.project, self.verdict, page)
        if validates:
            note = self._earlier.keep(self.events, self.fetched, self._code.service, self._run_id or directory.name)
            get_run_logger().info(note)
        return self._run_id

    def state(self) -> State[Any]:
        """Return the state of the flow run: Completed on a pass, else Failed with the reason."""
        version, links = self.fetched.version, list[Link]()
        with contextlib.suppress(SeatrialError):  # a registry that is down now has the verdict nevertheless
            links += pages(version, self._run_id)
        if page := flow_page():
            links.append(Link(FLOW_RUN, page))
        shown = partial(verdict_state, self.verdict, uri=version.uri, links=links)
        if self._kind == "validate":
            return shown(f"Verdict of {self.verdict.subject}", page="verdict", table="findings")
        skipped = self._judge.not_run if not self.cases else ()
        note = f" ({'; '.join(skipped)})" if skipped else ""
        return shown(f"Load and resilience of {self.verdict.subject}", page="stress", note=note)


@contextlib.contextmanager
def open_validation(
    project: Project,
    kind: Kind = "validate",
    *,
    only: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
    live: Sequence[str] | None = None,
    in_process: bool = False,
    reference: str | None = None,
    target: str | None = None,
    seed: int = 0,
) -> Iterator[Validation]:
    """Start the process that will run the model, and end it, with all that checks started, when the block ends.

    Args:
        project: of the version.
        kind: ``validate`` commits a verdict on the version; ``stress`` runs load and resilience and commits none.
        only: checks to run; all of the kind by default.
        skip: checks to leave out.
        live: dependencies to query again beside their recorded answers.
        in_process: leave out the live service.
        reference: the directory of another reference than the version's own.
        target: the address of a service that runs already, in the place of the pipeline's.
        seed: of every random choice.

    Raises:
        UsageError: ``only`` or ``skip`` names no check, with the nearest name.
    """
    checks.known([*(only or []), *(skip or [])])
    options = {
        "only": list(only) if only else None, "skip": list(skip or []), "live": list(live or []), "seed": seed,
        "in_process": in_process, "reference": reference, "target": target,
    }  # fmt: skip
    code = read_code(project)  # before the worker reads it
    with workplace(project.state / "versions") as folder, judging(project) as judge:
        yield Validation(project, judge, folder, kind, options, code)
