"""``seatrial demo``: a good version and a subtly wrong one."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from seatrial.cli.commands import _validate
from seatrial.errors import EXIT_INCONCLUSIVE, EXIT_PASS, UsageError
from seatrial.orchestration.runner import prefect_server
from seatrial.project import Project
from seatrial.sinks.text import neutral

EXAMPLE_MODULES = ("circuitbreaker", "sklearn", "skops")  # of the extra "demo"


def demo(directory: Path, *, quiet: bool = False) -> int:
    """Validate a good release and a subtly wrong one in a project of its own; 0 when both end as they must."""
    from seatrial.cli.scaffold import init
    from seatrial.events import Outcome

    if missing := [name for name in EXAMPLE_MODULES if find_spec(name) is None]:
        raise UsageError(f"The demo's payments service needs {', '.join(missing)}: pip install 'seatrial[demo]'.")
    elsewhere = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PREFECT_API_URL", "SEATRIAL_LEDGER_URL")
    for name in (*elsewhere, "PAYMENTS_STORE_URL"):
        os.environ.pop(name, None)  # a demo registers models: never where real ones are
    out = Console()

    def tell(text: str) -> None:
        if not quiet:
            out.print(f"\n{text}", style="bold", markup=False, highlight=False)

    directory = directory.resolve()
    if not (directory / "pyproject.toml").is_file():
        init(directory, quiet=True)
    shutil.rmtree(directory / ".seatrial", ignore_errors=True)
    project = Project.find(directory)
    project.settle()
    verdicts = []
    with prefect_server(project) as wait:
        from seatrial.io.loading import load_file

        tell(f"A payments team trains its fraud model in {directory} and registers version 1 with its reference.")
        train = load_file(project.pipeline_file.parent / "train.py").train
        train(release=1)
        tell("Version 1 goes to sea.")
        verdicts.append(_validate(project, {"model_uri": "models:/payments/1"}, wait, quiet=quiet))
        tell("Training now takes the hour on the customer's clock. Nobody told the service. Version 2 goes to sea.")
        train(release=2)
        verdicts.append(_validate(project, {"model_uri": "models:/payments/2"}, wait, quiet=quiet))
    first, second = verdicts
    expected = (
        first.outcome is Outcome.PASS and second.outcome is Outcome.FAIL and second.first_failing_stage == "features"
    )
    tell(f"Version 1: {first.outcome.value}. Version 2: {second.outcome.value} at stage {second.first_failing_stage}.")
    if not quiet:
        _next_steps(out, project)
    if expected:
        return EXIT_PASS
    print("seatrial: the demo did not end as it must: pass, then fail at stage features.", file=sys.stderr)  # noqa: T201
    return EXIT_INCONCLUSIVE


def _next_steps(out: Console, project: Project) -> None:
    where = neutral(project.root, 400)
    lines = [
        "",
        "Where to look next:",
        f"  the report of version 2   {where}/.seatrial/reports/payments-2/report.html",
        f"  the runs in MLflow        mlflow ui --backend-store-uri sqlite:///{where}/.seatrial/mlflow.db",
        f"  the flows in Prefect      PREFECT_HOME={where}/.seatrial/prefect prefect server start",
        f"  what to change first      {where}/README.md",
    ]
    out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
