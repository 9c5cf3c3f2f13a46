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


def _printer(quiet: bool = False) -> Callable[[str], None]:
    from rich.console import Console

    from seatrial.sinks.text import neutral

    out = Console()

    def lines(text: str) -> None:
        for line in [] if quiet else text.split("\n"):
            out.print(neutral(line, 1_000), markup=False, highlight=False, soft_wrap=True)

    return lines
