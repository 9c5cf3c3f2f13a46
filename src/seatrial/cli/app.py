"""The command line. Each command calls one library function. Exit codes: 0 pass, 1 fail, 2 not evaluated."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from cyclopts import App, CycloptsError, Group

from seatrial import __version__
from seatrial.cli import project_commands, server_commands, version_commands
from seatrial.errors import EXIT_INCONCLUSIVE, EXIT_PASS, SeatrialError
from seatrial.io.loading import import_sooner

DEBUG = "--debug"

app = App(
    name="seatrial",
    version=__version__,
    help="Integration tests and a promotion gate for machine-learning services.",
    help_epilogue=f"Exit codes: 0 pass, 1 fail, 2 not evaluated. {DEBUG} also prints the traceback of an error.",
    suppress_keyboard_interrupt=False,  # main reports the interruption
)
VERSIONS = Group.create_ordered("Model versions")
SERVERS = Group.create_ordered("Servers")
PROJECTS = Group.create_ordered("Projects and data")

COMMANDS: dict[Group, tuple[Callable[..., int], ...]] = {
    VERSIONS: (version_commands.validate, version_commands.stress, version_commands.capture, version_commands.verify),
    SERVERS: (server_commands.up, server_commands.deploy, server_commands.webhook, server_commands.reconcile),
    PROJECTS: (project_commands.init, project_commands.demo, project_commands.upgrade),
}
for group, commands in COMMANDS.items():
    for command in commands:
        app.command(command, group=group)
app.command(  # these are imported when they are called
    "seatrial.cli.mutate_app:mutate", name="mutate", group=VERSIONS,
    help="Measure by mutation tests how many faults in the pipeline its reference and policy detect.",
)  # fmt: skip
app.command(
    "seatrial.cli.fixtures_app:app", name="fixtures", group=PROJECTS,
    help="Make, check and show the reference data that expectations/fixtures.toml declares.",
)  # fmt: skip
app.command(
    "seatrial.cli.plugins:plugins", name="plugins", group=PROJECTS,
    help="List every check, target, fault, sink, registry and fixture source that is installed, with its package.",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; an error is one message, below its traceback with ``--debug``.

    Args:
        arguments: of the command line; those of this process by default.
    """
    import_sooner()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in words
    try:
        code = app(
            [word for word in words if word != DEBUG], exit_on_error=False, print_error=True,
            result_action="return_value",
        )  # fmt: skip
    except CycloptsError:
        code = EXIT_INCONCLUSIVE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  every error ends as one message
        if debug:
            traceback.print_exception(error)
        print(f"seatrial: {_message(error)}", file=sys.stderr)  # noqa: T201
        code = getattr(error, "exit_code", EXIT_INCONCLUSIVE)
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else EXIT_PASS)


def _message(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. No verdict was written."
    if isinstance(error, SeatrialError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {error.filename or os.getcwd()}. No verdict was written."
    from seatrial.pipeline import describe

    return (
        f"seatrial failed with an internal error: {describe(error)}. No verdict was written. "
        f"Run the command again with {DEBUG} for the traceback, and please report it."
    )
