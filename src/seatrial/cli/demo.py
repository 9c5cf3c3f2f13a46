"""``seatrial demo``: a good version, and one with training-serving skew."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from seatrial.cli.commands import run_and_show
from seatrial.errors import EXIT_INCONCLUSIVE, EXIT_PASS, UsageError
from seatrial.orchestration.runner import prefect_server
from seatrial.project import Project
from seatrial.sinks.text import neutral

EXAMPLE_MODULES = ("circuitbreaker", "sklearn", "skops")  # of the extra "demo"
DEMO = "demo"  # the file in a project's state by which the demo knows its own project


def demo(directory: Path, *, quiet: bool = False) -> int:
    """Validate a good release, then one with training-serving skew, in a separate project.

    Returns 0 where the first passes and the second fails at stage ``features``, else 2.
    """
    from seatrial.cli.scaffold import init
    from seatrial.events import Outcome

    if missing := [name for name in EXAMPLE_MODULES if find_spec(name) is None]:
        raise UsageError(f"The demo's payments service needs {', '.join(missing)}: pip install 'seatrial[demo]'.")
    out = Console()

    def say(text: str) -> None:
        if not quiet:
            out.print(f"\n{text}", style="bold", markup=False, highlight=False)

    directory = directory.resolve()
    state = directory / ".seatrial"
    if not (directory / "pyproject.toml").is_file():
        init(directory, quiet=True)
    elif not (state / DEMO).is_file():
        raise UsageError(
            f"{directory} has a project that is not the demo's, and the demo starts with empty state. "
            "Name another directory: seatrial demo DIRECTORY"
        )
    servers = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PREFECT_API_URL", "SEATRIAL_LEDGER_URL")
    for name in (*servers, "PAYMENTS_STORE_URL"):
        os.environ.pop(name, None)  # the demo registers models, never beside real ones
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    (state / DEMO).touch()
    project = Project.find(directory)
    os.environ["PREFECT_API_URL"] = ""  # nor beside the runs of a server that a profile of Prefect names
    project.activate()
    verdicts = []
    with prefect_server(project) as wait:
        from seatrial.io.loading import load_file

        say(f"A payments team trains its fraud model in {directory} and registers version 1 with its reference.")
        train = load_file(project.pipeline_file.parent / "train.py").train
        train(release=1)
        say("seatrial validates version 1.")
        verdicts.append(run_and_show(project, {"model_uri": "models:/payments/1"}, wait, quiet=quiet))
        say(
            "Training now uses the hour in the customer's time zone; the service does not. "
            "seatrial validates version 2."
        )
        train(release=2)
        verdicts.append(run_and_show(project, {"model_uri": "models:/payments/2"}, wait, quiet=quiet))
    first, second = verdicts
    expected = (
        first.outcome is Outcome.PASS and second.outcome is Outcome.FAIL and second.first_failing_stage == "features"
    )
    say(f"Version 1: {first.outcome.value}. Version 2: {second.outcome.value} at stage {second.first_failing_stage}.")
    if not quiet:
        _next_steps(out, project)
    if expected:
        return EXIT_PASS
    unexpected = "The demo did not end as expected: version 1 passes, version 2 fails at stage 'features'."
    print(f"seatrial: {unexpected}", file=sys.stderr)  # noqa: T201
    return EXIT_INCONCLUSIVE


def _next_steps(out: Console, project: Project) -> None:
    where = neutral(project.root, 400)
    lines = [
        "",
        "Where to look next:",
        f"  the report of version 2   {where}/.seatrial/reports/payments-2/latest/report.html",
        "  the runs in MLflow        "
        f"MLFLOW_DISABLE_TELEMETRY=true mlflow ui --backend-store-uri sqlite:///{where}/.seatrial/mlflow.db",
        "  the flows in Prefect      "
        f"PREFECT_HOME={where}/.seatrial/prefect PREFECT_SERVER_ANALYTICS_ENABLED=false prefect server start",
        f"  what to change first      {where}/README.md",
    ]
    out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
