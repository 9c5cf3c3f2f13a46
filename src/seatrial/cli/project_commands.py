"""The commands that create, examine or update a project: init, doctor, demo, upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seatrial.cli.conventions import Flag
from seatrial.errors import EXIT_FAIL, EXIT_PASS, UsageError


def init(
    directory: Path | None = None,
    *,
    here: Flag = False,
    example: str | None = None,
    app: str | None = None,
    model: str | None = None,
    key: str | None = None,
    target: str | None = None,
    quiet: Flag = False,
) -> int:
    """Make a project: of an existing repository, a new one, or an example. Existing files stay as they are;
    pyproject.toml gets a table at its end.

    Args:
        directory: directory to create; with --here, the repository, by default the current directory.
        here: add seatrial to a repository: its application, models and features are found by reading its code.
        example: copy this example instead, such as payments.
        app: FastAPI or Flask application that serves the model, as module:name, where there are several.
        model: name of the registered model.
        key: field that identifies a request.
        target: address of a service that runs already, such as http://127.0.0.1:8000; its OpenAPI document is read.
        quiet: print nothing.
    """
    if directory is None and not here:
        raise UsageError("Name a directory to create: seatrial init my-project. In a repository: seatrial init --here")
    if example is not None:
        from seatrial.cli.scaffold import init as copy

        if here or directory is None:
            raise UsageError(
                f"An example is copied to a directory of its own: seatrial init {example} --example {example}"
            )
        copy(directory, example, quiet=quiet)
        return EXIT_PASS
    from seatrial.cli.start.init import init as command

    def say(line: str) -> None:
        if not quiet:
            print(line)  # noqa: T201

    command(
        directory or Path(), here=here, app=app or "", model=model or "", key=key or "", target=target or "", say=say
    )
    return EXIT_PASS


def doctor(project: Path = Path()) -> int:
    """Say what a validation needs, what of it is here, and what to type for the rest; in two seconds.

    The project's code is read and not run. Servers are asked once, for at most a second.

    Args:
        project: project directory.
    """
    from seatrial.cli.start.doctor.command import doctor as command

    return command(project)


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
