"""Run the project's flows for the commands, with a Prefect server around them and their results on the console."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from seatrial.errors import EXIT_FAIL, EXIT_PASS, SeatrialError, UsageError
from seatrial.orchestration.own_files import outdated_flows
from seatrial.orchestration.runner import prefect_server
from seatrial.project import Project
from seatrial.sinks.text import neutral

if TYPE_CHECKING:
    from seatrial.events import Verdict
    from seatrial.sinks.base import Guarded
    from seatrial.sinks.links import Link


def validate(
    directory: Path,
    model_uri: str,
    *,
    chosen: Mapping[str, Any] | None = None,
    seed: int = 0,
    sinks: Sequence[str] = (),
    quiet: bool = False,
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
        flow: ``validate`` or ``stress``.

    Raises:
        UsageError: a check or a sink is not known, with the nearest name.
        SeatrialError: the flow ended without a verdict; or a sink failed, and the verdict was shown and stands.
    """
    from seatrial import checks
    from seatrial.pipeline.address import check_url
    from seatrial.sinks.base import requested

    project = Project.find(directory)
    project.activate()
    parameters = {name: value for name, value in (chosen or {}).items() if value}
    checks.known([*parameters.get("only", []), *parameters.get("skip", [])])
    if target := parameters.get("target"):
        check_url(target)
    written = requested(sinks)
    _warn_outdated(project)
    with prefect_server(project) as wait:
        parameters = {"model_uri": model_uri, "seed": seed, **parameters}
        return run_and_show(project, parameters, wait, written=written, quiet=quiet, flow=flow)


def run_and_show(
    project: Project,
    parameters: Mapping[str, Any],
    wait: Callable[[], str],
    *,
    written: Sequence[Guarded] = (),
    quiet: bool = False,
    flow: str = "validate",
) -> Verdict:
    """Run the flow while its server starts, show the verdict and return it; see :func:`validate`."""
    from seatrial.isolation.prestart import prestarted
    from seatrial.orchestration.runner import run_flow
    from seatrial.sinks.console import Progress, show
    from seatrial.sinks.files import REPORT
    from seatrial.sinks.links import links_text

    out = Console()
    recorder = _verdict_recorder()
    sinks = [recorder, *written] if quiet else [recorder, *written, Progress(Console(stderr=True))]
    parameters = {**parameters, "project": str(project.root)}
    with prestarted(project):  # the trial's process imports what is heavy while the server and this process do
        run_flow(project, flow, parameters, wait, sinks)
    verdict: Verdict | None = recorder.recorded
    if verdict is None:
        raise SeatrialError(
            f"Flow '{flow}' ended without a verdict. Its log is on the Prefect dashboard. For the traceback, run the "
            "command again with --debug."
        )
    from seatrial.orchestration.validation import LEAVING_OUT  # loaded by the flow; slow before it

    partial = flow == "validate" and any(parameters.get(name) for name in LEAVING_OUT)
    if quiet:
        out.print(neutral(f"{verdict.subject}: {verdict.summary}"), markup=False, highlight=False, soft_wrap=True)
    else:
        show(verdict, out)
        if partial:
            out.print("Partial validation: the verdict of the version is unchanged.", markup=False, highlight=False)
        out.print(f"Report: {recorder.directory / REPORT}", markup=False, highlight=False, soft_wrap=True)
        for line in links_text(recorder.shown):
            out.print(neutral(line, 1_000), markup=False, highlight=False, soft_wrap=True)
    if failures := [sink.failure for sink in written if sink.failure]:
        raise SeatrialError("\n".join(failures))
    return verdict


def reconcile(directory: Path, *, every: float = 0.0, model: str = "", most: int = 0, quiet: bool = False) -> int:
    """Run the project's reconcile flow once, or repeatedly, and print its results.

    Returns 0, or 1 if an alias is on a version that did not pass. With ``every`` it ends only by Ctrl-C: a registry
    that is down now may be up in a minute.
    """
    project = Project.find(directory)
    project.activate()
    _warn_outdated(project)
    out = Console()
    parameters = {"project": str(project.root), "model": model, "most": most}
    with prefect_server(project) as wait:
        from seatrial.orchestration.runner import run_flow

        while True:
            start, message = time.monotonic(), ""
            try:
                completed, message = run_flow(project, "reconcile", parameters, wait, ())
            except Exception as error:
                if not every:
                    raise
                print(f"seatrial: {error}", file=sys.stderr, flush=True)  # noqa: T201
            if message and not quiet and not (every and message == "0 new versions"):
                for line in message.split("; "):
                    out.print(neutral(line, 400), markup=False, highlight=False, soft_wrap=True)
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
    _warn_outdated(project)
    with prefect_server(project) as wait:
        from seatrial.orchestration.runner import run_flow

        parameters = {
            "model_uri": model_uri, "requests": str(requests.resolve()), "project": str(project.root), "given": frames,
            "labels": str(labels.resolve()) if labels else None, "seed": seed,
        }  # fmt: skip
        run_flow(project, "capture", parameters, wait, ())
    if not quiet:
        Console().print(f"The reference of {model_uri} is stored with its model.", markup=False, highlight=False)


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
