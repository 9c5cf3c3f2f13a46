"""What the commands do: the project's flow with a Prefect server around it and a console that listens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from seatrial.errors import EXIT_FAIL, EXIT_PASS, SeatrialError, UsageError
from seatrial.io.files import atomic_write
from seatrial.orchestration.runner import prefect_server
from seatrial.project import Project
from seatrial.sinks.text import neutral

if TYPE_CHECKING:
    from seatrial.events import Verdict


def validate(
    directory: Path,
    model_uri: str,
    *,
    chosen: Mapping[str, Any] | None = None,
    seed: int = 0,
    extra: Mapping[str, Path | None] | None = None,
    quiet: bool = False,
    flow: str = "validate",
) -> Verdict:
    """Run the project's validate or stress flow on one version, show the verdict and return it.

    ``chosen`` are parameters of the flow, such as ``only`` and ``skip``; those left out keep the flow's own.
    """
    project = Project.find(directory)
    project.settle()
    parameters = {name: value for name, value in (chosen or {}).items() if value}
    with prefect_server(project) as wait:
        parameters = {"model_uri": model_uri, "seed": seed, **parameters}
        return _validate(project, parameters, wait, extra=extra, quiet=quiet, flow=flow)


def _validate(
    project: Project,
    parameters: Mapping[str, Any],
    wait: Callable[[], str],
    *,
    extra: Mapping[str, Path | None] | None = None,
    quiet: bool = False,
    flow: str = "validate",
) -> Verdict:
    """Run the flow while its server starts, and show what comes of it."""
    from seatrial import checks
    from seatrial.isolation import prestarted
    from seatrial.orchestration.runner import run_flow
    from seatrial.sinks.console import Progress, show
    from seatrial.sinks.files import JSON, JUNIT, REPORT, directory_for

    checks.known([*parameters.get("only", []), *parameters.get("skip", [])])
    out = Console()
    keep = _keeper()
    sinks = [keep] if quiet else [keep, Progress(Console(stderr=True))]
    parameters = {**parameters, "project": str(project.root)}
    with prestarted(project):  # the trial's process imports what is heavy while the server and this process do
        run_flow(project.flows / f"{flow}.py", flow, parameters, wait, sinks)
    verdict: Verdict | None = keep.kept
    if verdict is None:
        raise SeatrialError("The flow ended without a verdict. Its log is on the Prefect dashboard; run with --debug.")
    results = directory_for(project.state, verdict.subject, "" if flow == "validate" else flow)
    for name, made in (("json", JSON), ("junit", JUNIT), ("report", REPORT)):
        if target := (extra or {}).get(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(target, (results / made).read_bytes())
    if quiet:
        out.print(neutral(f"{verdict.subject}: {verdict.summary}"), markup=False, highlight=False, soft_wrap=True)
    else:
        show(verdict, out)
        out.print(f"Report: {results / REPORT}", markup=False, highlight=False, soft_wrap=True)
    return verdict


def reconcile(directory: Path, *, every: float = 0.0, model: str = "", most: int = 0, quiet: bool = False) -> int:
    """Run the project's reconcile flow once, or again and again, and say what came of it.

    Returns 0; 1 when an alias stands on a version that did not earn it. With ``every`` it ends by Ctrl-C alone: a
    registry that is down now may be up in a minute.
    """
    project = Project.find(directory)
    project.settle()
    out = Console()
    parameters = {"project": str(project.root), "model": model, "most": most}
    with prefect_server(project) as wait:
        from seatrial.orchestration.runner import run_flow

        while True:
            begin, told = time.monotonic(), ""
            try:
                well, told = run_flow(project.flows / "reconcile.py", "reconcile", parameters, wait, ())
            except Exception as error:
                if not every:
                    raise
                print(f"seatrial: {error}", file=sys.stderr, flush=True)  # noqa: T201
            if told and not quiet and not (every and told == "0 new"):
                for line in told.split("; "):
                    out.print(neutral(line, 400), markup=False, highlight=False, soft_wrap=True)
            if not every:
                return EXIT_PASS if well else EXIT_FAIL
            time.sleep(max(0.0, every - (time.monotonic() - begin)))


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
            raise UsageError(f"--given '{part}' is not STAGE=FILE, such as --given features=training.parquet.")
        frames[stage] = str(Path(file).resolve())
    project = Project.find(directory)
    project.settle()
    with prefect_server(project) as wait:
        from seatrial.orchestration.runner import run_flow

        parameters = {
            "model_uri": model_uri, "requests": str(requests.resolve()), "project": str(project.root), "given": frames,
            "labels": str(labels.resolve()) if labels else None, "seed": seed,
        }  # fmt: skip
        run_flow(project.flows / "capture.py", "capture_reference", parameters, wait, ())
    if not quiet:
        Console().print(f"The reference of {model_uri} is stored beside its model.", markup=False, highlight=False)


def _keeper() -> Any:
    """Return a sink that keeps the verdict a flow tells its listeners; made late, for what it builds on is heavy."""
    from seatrial.sinks.base import Sink

    class Keeper(Sink):
        kept: Verdict | None = None

        def verdict(self, verdict: Verdict) -> None:
            self.kept = verdict

    return Keeper()
