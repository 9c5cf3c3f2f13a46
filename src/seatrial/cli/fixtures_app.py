"""``seatrial fixtures``: reference data that is declared, made, checked and shown."""

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
    label: str | None = None,
    project: Path = Path(),
    quiet: Quiet = False,
) -> int:
    """Make one fixture, or all that are declared, and keep them in the project and beside the model.

    Args:
        name: of the fixture; all of them by default.
        model: the version whose reference they imitate, models:/NAME/VERSION or models:/NAME@ALIAS; by default that of
            label.
        label: the version, such as models:/NAME@champion, whose answers 'seatrial validate --fixture' compares with.
        project: the project's directory.
        quiet: print nothing.
    """
    from seatrial.cli.fixtures import make as command

    return command(project, name, _teller(quiet), model_uri=model, label_uri=label)


@app.command
def check(name: str | None = None, *, model: str | None = None, project: Path = Path()) -> int:
    """Make fixtures again from their manifests: 0 when they are the same, 2 and the reasons when they drifted.

    Args:
        name: of the fixture; all of them by default.
        model: the version whose reference they were made from.
        project: the project's directory.
    """
    from seatrial.cli.fixtures import check as command

    return command(project, name, _teller(), model_uri=model)


@app.command
def show(name: str | None = None, *, project: Path = Path()) -> int:
    """Show what fixtures there are, how they were made, what they cost and how good they are.

    Args:
        name: of the fixture; all of them by default.
        project: the project's directory.
    """
    from seatrial.cli.fixtures import show as command

    return command(project, name, _teller())


def _teller(quiet: bool = False) -> Callable[[str], None]:
    from rich.console import Console

    from seatrial.sinks.text import neutral

    out = Console()

    def tell(text: str) -> None:
        for line in [] if quiet else text.split("\n"):
            out.print(neutral(line, 1_000), markup=False, highlight=False, soft_wrap=True)

    return tell
