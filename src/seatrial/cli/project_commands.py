"""The commands that create or update a project: init, demo, upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seatrial.cli.version_commands import Flag
from seatrial.errors import EXIT_FAIL, EXIT_PASS


def init(directory: Path, *, quiet: Flag = False) -> int:
    """Create a project with an example pipeline that passes validation.

    Args:
        directory: directory to create; an existing one must be empty.
        quiet: print nothing.
    """
    from seatrial.cli.scaffold import init as command

    command(directory, quiet=quiet)
    return EXIT_PASS


def demo(directory: Path = Path("seatrial-demo"), *, quiet: Flag = False) -> int:
    """Validate two versions of an example model: the first passes, the second has training-serving skew and fails.

    Args:
        directory: directory to create; that of an earlier demo is started anew.
        quiet: print only the two verdicts.
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
    """Update the project's own copies of flows and deployment files, and show what changed since they were copied.

    A project needs no copies. An edited file that is out of date is left unchanged, with exit code 1.

    Args:
        copy: first copy these into the project, so that you can edit them: flows, deployments, or both.
        force: also overwrite edited files.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.orchestration.own_files import upgrade as command

    def on_line(line: str) -> None:
        if not quiet:
            print(line)  # noqa: T201

    return EXIT_PASS if command(project, copy=copy or [], force=force, on_line=on_line) else EXIT_FAIL
