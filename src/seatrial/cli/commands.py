"""Run the project's flows for the commands, with a Prefect server around them and their results on the console."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from seatrial.cli.fleet.reconciling import LinePerVersion, catch_up
from seatrial.cli.preflight import before
from seatrial.cli.preflight.sketch import Sketch
from seatrial.errors import EXIT_FAIL, EXIT_PASS, SeatrialError, UsageError
from seatrial.orchestration.own_files import outdated_flows
from seatrial.orchestration.results.asked import asked
from seatrial.orchestration.runner import prefect_server
from seatrial.project import Project
from seatrial.sinks.github import commands_stopped, github_sinks, on_github, relative
from seatrial.sinks.progress.log import progress_shown
from seatrial.sinks.text import neutral

if TYPE_CHECKING:
    from seatrial.events import Verdict
    from seatrial.sinks.base import Guarded, Sink
    from seatrial.sinks.links import Link


def validate(
    directory: Path,
    model_uri: str,
    *,
    chosen: Mapping[str, Any] | None = None,
    seed: int = 0,
    sinks: Sequence[str] = (),
    quiet: bool = False,
    cache: bool | None = None,
    flow: str = "validate",
) -> Verdict:
    """Run the project's validate or stress flow on one version, show the verdict and return it.

    Args:
        directory: of the project.
        model_uri: the version.
        chosen: parameters of the flow, such as ``only`` and ``skip``; those that are empty keep the flow's default.
        seed: random seed.
        sinks: files to write besides those in the project's state, each as ``NAME=FILE``.
        quiet: print only the one-line verdict.
        cache: use results of earlier, identical runs; as the project's settings say by default.
        flow: ``validate`` or ``stress``.

    Raises:
        UsageError: a check or a sink is not known, with the nearest name.
        SeatrialError: the flow ended without a verdict; or a sink failed, and the verdict was shown and stands.
    """
    from seatrial import checks
    from seatrial.sinks.base import requested

    project = Project.find(directory)
    project.activate()
    parameters = {name: value for name, value in (chosen or {}).items() if value}
    checks.known([*parameters.get("only", []), *parameters.get("skip", [])])
    if target := parameters.get("target"):
        from seatrial.pipeline.address import check_url  # pandas

        check_url(target)
    written = requested(sinks)
    sketch = before.validation(project, model_uri, parameters, flow)
    if on_github():
        written = github_sinks(written, lambda stage: _place(project, sketch, stage))
    _warn_outdated(project)
    reused = flow == "validate" and (project.cache != "never" if cache is None else cache)
    files = [Path(each.partition("=")[2]).absolute() for each in sinks]
    with asked(reused, files), progress_shown(quiet=quiet) as shown, prefect_server(project) as wait:
        parameters = {"model_uri": model_uri, "seed": seed, **parameters}
        return run_and_show(project, parameters, wait, sinks=shown, written=written, quiet=quiet, flow=flow)


def run_and_show(
    project: Project,
    parameters: Mapping[str, Any],
    wait: Callable[..., str],
    *,
    sinks: Sequence[Sink] = (),
    written: Sequence[Guarded] = (),
    quiet: bool = False,
    flow: str = "validate",
) -> Verdict:
    """Run the flow while its server starts, show the verdict and return it; see :func:`validate`."""
    from seatrial.isolation.prestart import prestarted
    from seatrial.orchestration.results.ahead import reading_ahead
    from seatrial.orchestration.runner import JUDGED_WITH, NEEDED_LATER, run_flow
    from seatrial.sinks.console import show
    from seatrial.sinks.files import REPORT
    from seatrial.sinks.links import links_text

    out = Console()
    recorder = _verdict_recorder()
    parameters = {**parameters, "project": str(project.root)}
    with reading_ahead(project, wanted=flow == "validate" and not parameters.get("target")) as known:
        judges = (name for name in NEEDED_LATER if known is None or name != JUDGED_WITH or not known())
        fresh = _fresh_processes(flow, parameters)
        with prestarted(project, known, fresh) as check:  # they import while the server and this process do
            run_flow(project, flow, parameters, partial(wait, check, judges), [recorder, *written, *sinks])
    verdict: Verdict | None = recorder.recorded
    if verdict is None:
        raise SeatrialError(
            f"Flow '{flow}' ended without a verdict. Its log is on the Prefect dashboard. For the traceback, run the "
            "command again with --debug."
        )
    from seatrial.orchestration.validation import LEAVING_OUT  # loaded by the flow; slow before it

    in_part = flow == "validate" and any(parameters.get(name) for name in LEAVING_OUT)
    with commands_stopped():
        if quiet:
            out.print(neutral(f"{verdict.subject}: {verdict.summary}"), markup=False, highlight=False, soft_wrap=True)
        else:
            show(verdict, out)
    if not quiet:
        if in_part:
            out.print("Partial validation: the verdict of the version is unchanged.", markup=False, highlight=False)
        out.print(f"Report: {recorder.directory / REPORT}", markup=False, highlight=False, soft_wrap=True)
        if verdict.findings:
            name = f"{verdict.subject.model}/{verdict.subject.version}"
            shown = neutral(f"The values behind a finding: seatrial show {name} NUMBER")
            out.print(shown, markup=False, highlight=False, soft_wrap=True)
        for line in links_text(recorder.shown):
            out.print(neutral(line, 1_000), markup=False, highlight=False, soft_wrap=True)
    if failures := [sink.failure for sink in written if sink.failure]:
        raise SeatrialError("\n".join(failures))
    return verdict


def _fresh_processes(flow: str, parameters: Mapping[str, Any]) -> list[int]:
    """Return the hash seeds of the fresh processes that a flow will ask."""
    from seatrial.checks.invariants.seeds import hash_seeds

    only, skip = parameters.get("only") or ["invariants"], parameters.get("skip") or []
    return hash_seeds(parameters.get("seed", 0)) if flow == "validate" and "invariants" in {*only} - {*skip} else []


def reconcile(
    directory: Path, *, every: float = 0.0, model: str = "", most: int = 0, since: str = "", quiet: bool = False
) -> int:
    """Run the project's reconcile flow once, or repeatedly, and print its results.

    Returns 0, or 1 if an alias is on a version that did not pass. With ``every`` it ends only by Ctrl-C: a registry
    that is down now may be up in a minute.
    """
    project = Project.find(directory)
    project.activate()
    before.reconciliation(project, model)
    if since:
        catch_up(project, since)
    _warn_outdated(project)
    out = Console()
    parameters = {"project": str(project.root), "model": model, "most": most}
    results = LinePerVersion(out)
    with progress_shown(quiet=quiet) as shown, prefect_server(project) as wait:
        from seatrial.orchestration.runner import run_flow

        while True:
            start, message = time.monotonic(), ""
            try:
                sinks = [] if quiet else [results, *shown]
                completed, message = run_flow(project, "reconcile", parameters, wait, sinks)
            except Exception as error:
                if not every:
                    raise
                print(f"seatrial: {error}", file=sys.stderr, flush=True)  # noqa: T201
            if message and not quiet and not (every and message == "0 new versions"):
                results.rest(message.split("; "))
            if not every:
                return EXIT_PASS if completed else EXIT_FAIL
            time.sleep(max(0.0, every - (time.monotonic() - start)))


def capture(
    directory: Path,
    model_uri: str,
    requests: Path,
    *,
    given: Sequence[str] = (),
    labels: Path | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> None:
    """Run the project's capture flow for a registered version."""
    frames = {}
    for part in given:
        stage, equals, file = part.partition("=")
        if not equals:
            raise UsageError(f"--given '{part}' is not STAGE=FILE. Example: --given features=training.parquet")
        frames[stage] = str(Path(file).resolve())
    project = Project.find(directory)
    project.activate()
    before.capture(project, model_uri, requests, frames, labels)
    _warn_outdated(project)
    read = before.requests_at(requests)  # what cannot be read is refused before a server starts
    if not quiet:
        Console().print(neutral(read, 1_000), markup=False, highlight=False, soft_wrap=True)
    with progress_shown(quiet=quiet, phase="capturing the reference") as shown, prefect_server(project) as wait:
        from seatrial.orchestration.runner import run_flow

        parameters = {
            "model_uri": model_uri, "requests": str(requests.resolve()), "project": str(project.root), "given": frames,
            "labels": str(labels.resolve()) if labels else None, "seed": seed,
        }  # fmt: skip
        run_flow(project, "capture", parameters, wait, shown)
    if not quiet:
        Console().print(f"The reference of {model_uri} is stored with its model.", markup=False, highlight=False)


def _place(project: Project, sketch: Sketch, stage: str | None) -> tuple[str, int | None]:
    """Return the pipeline's file, and the line of a stage where it is known without running the file."""
    return relative(project.pipeline_file), (sketch.stages or {}).get(stage or "")


def _warn_outdated(project: Project) -> None:
    """Print one line where the project's own flows came from another release."""
    if warning := outdated_flows(project):
        print(f"seatrial: {warning}", file=sys.stderr)  # noqa: T201


def _verdict_recorder() -> Any:
    """Return a sink that records the verdict of a flow; defined late, because what it builds on is slow to import."""
    from seatrial.sinks.base import Sink

    class VerdictRecorder(Sink):
        recorded: Verdict | None = None
        directory = Path()
        shown: Sequence[Link] = ()

        def links(self, links: Sequence[Link]) -> None:
            self.shown = links

        def verdict(self, verdict: Verdict) -> None:
            self.recorded = verdict

        def results(self, directory: Path) -> None:
            self.directory = directory

    return VerdictRecorder()
