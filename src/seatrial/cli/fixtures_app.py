"""``seatrial fixtures``: make, check and show declared reference data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="fixtures", help="Make, check and show the reference data that expectations/fixtures.toml declares.")

Quiet = Annotated[bool, Parameter(negative="")]


@app.command
def make(
    name: str | None = None,
    *,
    model: str | None = None,
    predict_with: str | None = None,
    project: Path = Path(),
    quiet: Quiet = False,
) -> int:
    """Make one fixture, or all that are declared, and store them in the project and beside the model.

    Args:
        name: of the fixture; all by default.
        model: the version whose reference they imitate, models:/NAME/VERSION or models:/NAME@ALIAS; by default that of
            predict-with.
        predict_with: the version, such as models:/NAME@champion, whose predictions become the fixture's reference:
            'seatrial validate --fixture' compares with it. A pass proves sameness, not correctness.
        project: the project's directory.
        quiet: print nothing.
    """
    from seatrial.cli.fixtures import make as command

    return command(project, name, _printer(quiet), model_uri=model, predict_uri=predict_with)


@app.command
def check(name: str | None = None, *, model: str | None = None, project: Path = Path()) -> int:
    """Make fixtures again from their manifests: 0 when they are the same, 2 with the reasons when they drifted.

    Args:
        name: of the fixture; all by default.
        model: the version from whose reference they were made.
        project: the project's directory.
    """
    from seatrial.cli.fixtures import check as command

    return command(project, name, _printer(), model_uri=model)


@app.command
def show(name: str | None = None, *, project: Path = Path()) -> int:
    """Show the fixtures: their rows, how they were made, their privacy, quality and leaks.

    Args:
        name: of the fixture; all by default.
        project: the project's directory.
    """
    from seatrial.cli.fixtures import show as command

    return command(project, name, _printer())


@app.command
def select(
    requests: Path,
    *,
    to: Path,
    rows: int = 500,
    model: str | None = None,
    boundary: Annotated[list[str] | None, Parameter(negative="")] = None,
    skip_branches: Quiet = False,
    seed: int = 0,
    project: Path = Path(),
    quiet: Quiet = False,
) -> int:
    """Select the requests of a golden set from many candidates, and print what even all of them do not cover.

    Args:
        requests: the candidates as they arrive: Parquet, CSV or JSON lines.
        to: the Parquet file to write the selected requests to.
        rows: how many requests are selected at most.
        model: the version whose model the stages use, models:/NAME/VERSION or models:/NAME@ALIAS.
        boundary: STAGE.COLUMN=NUMBER: a threshold on which a decision depends; may be repeated.
        skip_branches: select without a search for the requests that take each branch of the stages' code.
        seed: of every choice between equals.
        project: the project's directory.
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
    quiet: Quiet = False,
) -> int:
    """Replace a golden set by new requests and what the pipeline returns for them, and print the difference.

    Args:
        golden: the directory of the golden set; made where there is none.
        requests: the new set's requests: Parquet, CSV or JSON lines.
        who: the person who changes the set; recorded in its manifest, as is why.
        why: the reason.
        model: the version whose model the stages use, models:/NAME/VERSION or models:/NAME@ALIAS.
        seed: the seed the requests were drawn with.
        project: the project's directory.
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
