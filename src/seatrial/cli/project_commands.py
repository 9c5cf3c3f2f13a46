"""The commands that write or renew a project: init, demo, upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seatrial.cli.version_commands import Flag
from seatrial.errors import EXIT_FAIL, EXIT_PASS


def init(directory: Path, *, quiet: Flag = False) -> int:
    """Write a new project with an example pipeline that validates as it is.

    Args:
        directory: of the new project; it must not exist, or be empty.
        quiet: print nothing.
    """
    from seatrial.cli.scaffold import init as command

    command(directory, quiet=quiet)
    return EXIT_PASS


def demo(directory: Path = Path("seatrial-demo"), *, quiet: Flag = False) -> int:
    """Train a model and validate it; then release one with training-serving skew, and see it fail.

    Args:
        directory: of the demo's own project, written anew. Nothing outside it is changed.
        quiet: print the two verdicts and nothing else.
    """
    from seatrial.cli.demo import demo as command

    return command(directory, quiet=quiet)


def upgrade(
    *,
    copy: Annotated[list[Literal["flows", "deployments"]] | None, Parameter(consume_multiple=True, negative="")] = None,
    force: Flag = False,
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Renew the project's own copies of flows and deployment files, and show what changed since they were copied.

    A project needs no copies. Exit code 1 where an edited file is outdated and was left as it is.

    Args:
        copy: first copy these into the project, to change them: flows, deployments, or both.
        force: also replace files that were edited.
        project: the project's directory.
        quiet: print nothing.
    """
    from seatrial.orchestration.upgrade import upgrade as command

    def on_line(line: str) -> None:
        if not quiet:
            print(line)  # noqa: T201

    return EXIT_PASS if command(project, copy=copy or [], force=force, on_line=on_line) else EXIT_FAIL
