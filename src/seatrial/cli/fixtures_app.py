"""``seatrial fixtures``: generate, check and show declared fixtures, and select and replace golden requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from seatrial.cli.conventions import SUCCESS, Flag, exit_codes
from seatrial.cli.preflight import before

app = App(
    name="fixtures",
    help="Generate, check and show the fixtures that expectations/fixtures.toml declares.",
    help_epilogue=SUCCESS,
)


@app.command
def make(
    name: str | None = None,
    *,
    model: str | None = None,
    predict_with: str | None = None,
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Generate one fixture, or all declared ones, and store them in the project and with the model.

    Args:
        name: fixture name; all by default.
        model: version whose reference is imitated, as models:/NAME/VERSION or models:/NAME@ALIAS; by default that of
            --predict-with.
        predict_with: version, such as models:/NAME@champion, whose predictions on the fixture are recorded, for
            'seatrial validate --fixture'. A pass then proves sameness, not correctness.
        project: project directory.
        quiet: print nothing.
    """
    before.fixture(project, name, model or predict_with)
    from seatrial.cli.fixtures import make as command  # slow to import

    return command(project, name, _printer(quiet), model_uri=model, predict_uri=predict_with)


@app.command(help_epilogue=exit_codes("0 the fixtures are the same, 2 drift or error"))
def check(name: str | None = None, *, model: str | None = None, project: Path = Path()) -> int:
    """Regenerate fixtures from their manifests and report drift, with its reasons.

    Args:
        name: fixture name; all by default.
        model: version whose reference they were generated from, as models:/NAME/VERSION or models:/NAME@ALIAS; needed
            by fixtures that imitate a reference.
        project: project directory.
    """
    before.fixture(project, name, model)
    from seatrial.cli.fixtures import check as command  # slow to import

    return command(project, name, _printer(), model_uri=model)


@app.command
def show(name: str | None = None, *, project: Path = Path()) -> int:
    """Show the fixtures: rows, provenance, privacy, similarity to the reference, and leakage.

    Args:
        name: fixture name; all by default.
        project: project directory.
    """
    before.fixture(project, name)
    from seatrial.cli.fixtures import show as command  # slow to import

    return command(project, name, _printer())


@app.command
def select(
    requests: Path,
    *,
    to: Path,
    rows: int = 500,
    model: str | None = None,
    boundary: Annotated[list[str] | None, Parameter(negative="")] = None,
    skip_branches: Flag = False,
    seed: int = 0,
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Select the requests of a golden set from many candidates, and print what no candidate covers.

    Args:
        requests: file of candidate requests, one per row: Parquet, CSV or JSON lines.
        to: Parquet file to write the selected requests to.
        rows: maximum number of selected requests.
        model: version whose model the stages use, as models:/NAME/VERSION or models:/NAME@ALIAS.
        boundary: decision threshold, as STAGE.COLUMN=NUMBER, for example prediction.risk=0.5; may be repeated.
        skip_branches: ignore the branch coverage of the stages' code.
        seed: seed for tie-breaking.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.cli.golden import select as command

    return command(
        project, requests, to, _printer(quiet), rows=rows, model_uri=model, boundaries=boundary or [],
        by_branches=not skip_branches, seed=seed,
    )  # fmt: skip


@app.command
def refresh(
    golden: Path,
    requests: Path,
    *,
    who: str,
    why: str,
    model: str | None = None,
    seed: int = 0,
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Replace the requests of a golden set, record what the pipeline returns for them, and print the difference.

    Args:
        golden: directory of the golden set; created if it does not exist.
        requests: file of the new requests, one per row: Parquet, CSV or JSON lines.
        who: person who changes the set; recorded in its manifest.
        why: reason for the change; recorded in its manifest.
        model: version whose model the stages use, as models:/NAME/VERSION or models:/NAME@ALIAS.
        seed: random seed with which the requests were sampled.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.cli.golden import refresh as command

    return command(project, golden, requests, _printer(quiet), who=who, why=why, model_uri=model, seed=seed)


def _printer(quiet: bool = False) -> Callable[[str], None]:
    from rich.console import Console

    from seatrial.sinks.text import neutral

    out = Console()

    def lines(text: str) -> None:
        for line in [] if quiet else text.split("\n"):
            out.print(neutral(line, 1_000), markup=False, highlight=False, soft_wrap=True)

    return lines
