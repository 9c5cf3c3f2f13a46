"""The command line. Each command calls one library function. Exit codes: 0 pass, 1 fail, 2 inconclusive or error."""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Callable

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    Group,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from seatrial import __version__
from seatrial.cli import project_commands, server_commands, version_commands
from seatrial.cli.conventions import DEBUG, SUCCESS, VERDICT, exit_codes
from seatrial.errors import EXIT_INCONCLUSIVE, EXIT_PASS, SeatrialError
from seatrial.io.loading import import_sooner

app = App(
    name="seatrial",
    version=__version__,
    help="Integration tests and a promotion gate for machine-learning services.",
    help_epilogue=VERDICT,
    suppress_keyboard_interrupt=False,  # main reports the interruption
)
VERSIONS = Group.create_ordered("Model versions")
SERVERS = Group.create_ordered("Servers")
PROJECTS = Group.create_ordered("Projects and data")

COMMANDS: dict[Group, tuple[Callable[..., int], ...]] = {
    VERSIONS: (version_commands.validate, version_commands.stress, version_commands.capture, version_commands.verify),
    SERVERS: (
        server_commands.up,
        server_commands.deploy,
        server_commands.undeploy,
        server_commands.worker,
        server_commands.webhook,
        server_commands.reconcile,
        server_commands.sync,
    ),
    PROJECTS: (project_commands.init, project_commands.doctor, project_commands.demo, project_commands.upgrade),
}
EXIT_CODES: dict[Callable[..., int], str] = {  # of the others: SUCCESS
    version_commands.validate: VERDICT,
    version_commands.stress: VERDICT,
    version_commands.verify: exit_codes("0 allowed, 1 not allowed, 2 unknown or error"),
    server_commands.sync: exit_codes("0 nothing waits, 1 something still does, 2 error"),
    server_commands.reconcile: exit_codes("0 success, 1 an alias is on a version without a pass, 2 error"),
    project_commands.doctor: exit_codes("0 a validation can run, 1 something is missing, 2 error"),
    project_commands.demo: exit_codes("0 the demo ended as expected, 2 it did not, or error"),
    project_commands.upgrade: exit_codes("0 success, 1 an edited file is out of date, 2 error"),
}
EXAMPLES: dict[str, str] = {  # the arguments that each command requires
    "validate": "models:/payments/1",
    "stress": "models:/payments/1",
    "capture": "models:/payments/1 requests.parquet",
    "verify": "models:/payments/1",
    "kserve": "models:/payments/1 --storage-uri s3://models/payments/1",
    "init": "my-project",
    "schema": "service",
    "diff": "A.parquet B.parquet --key id",
    "trace": "models:/payments/1 --key t-00017",
    "evidence": "models:/payments/1 --html evidence.html",
    "history": "models:/payments/1",
    "rerun": "models:/payments/1",
    "cancel": "models:/payments/1",
    "fixtures select": "candidates.parquet --to golden.parquet",
    "fixtures refresh": "golden requests.parquet --who Ada --why 'night payments added'",
}
TYPES: dict[object, str] = {int: "an integer", float: "a number"}
for group, commands in COMMANDS.items():
    for command in commands:
        app.command(command, group=group, help_epilogue=EXIT_CODES.get(command, SUCCESS))
app.command(  # these are imported when they are called
    "seatrial.cli.mutate_app:mutate", name="mutate", group=VERSIONS,
    help="Run a mutation test: how many faults in the pipeline do its reference and expectations detect?",
    help_epilogue=exit_codes("0 the mutation score reaches the minimum, 1 it does not, 2 inconclusive or error"),
)  # fmt: skip
app.command(
    "seatrial.cli.kserve.app:kserve", name="kserve", group=VERSIONS,
    help="Render a version for KServe, and raise its share of the traffic while 'seatrial verify' allows it.",
    help_epilogue=exit_codes("0 applied, 1 not allowed: rolled back, 2 unknown or error"),
)  # fmt: skip
app.command(
    "seatrial.cli.inspect.show:show", name="show", group=VERSIONS,
    help="Show the findings of a validation on this machine, or one of them with the values behind it.",
    help_epilogue=SUCCESS,
)  # fmt: skip
app.command(
    "seatrial.cli.inspect.trace:trace", name="trace", group=VERSIONS,
    help="Run one recorded request through every stage, and show reference and result side by side.",
    help_epilogue=exit_codes("0 same, 1 different, 2 not compared or error"),
)  # fmt: skip
app.command(
    "seatrial.cli.evidence.app:evidence", name="evidence", group=VERSIONS,
    help="Show which results of a signed verdict support which subcategory of the NIST AI RMF, and the ML Test Score.",
    help_epilogue=exit_codes("0 success, 1 what is stored is not what was signed, 2 unknown or error"),
)  # fmt: skip
app.command(
    "seatrial.cli.fleet.status:status", name="status", group=SERVERS,
    help="Show every version with its verdict, and what waits, is parked, or is out of date.",
    help_epilogue=SUCCESS,
)  # fmt: skip
app.command(
    "seatrial.cli.fleet.history:history", name="history", group=SERVERS,
    help="Show every validation of a version: when, the verdict, by which code and policy, and what it changed.",
    help_epilogue=SUCCESS,
)  # fmt: skip
app.command(
    "seatrial.cli.fleet.steer:rerun", name="rerun", group=SERVERS,
    help="Validate versions again at the next 'seatrial reconcile', whatever their verdict.",
    help_epilogue=SUCCESS,
)  # fmt: skip
app.command(
    "seatrial.cli.fleet.steer:cancel", name="cancel", group=SERVERS,
    help="Close the open validation of a version without a verdict.",
    help_epilogue=exit_codes("0 cancelled, 1 there was none, 2 error"),
)  # fmt: skip
app.command(
    "seatrial.cli.fleet.steer:prune", name="prune", group=SERVERS,
    help="Delete old results, downloaded models, leftovers of killed processes, and old flow runs of this project.",
    help_epilogue=SUCCESS,
)  # fmt: skip
app.command(
    "seatrial.cli.diff.app:diff", name="diff", group=PROJECTS,
    help="Compare two files row by row by their key: Parquet, CSV, Arrow or Feather.",
    help_epilogue=exit_codes("0 same, 1 different, 2 not compared or error"),
)  # fmt: skip
app.command(
    "seatrial.cli.fixtures_app:app", name="fixtures", group=PROJECTS,
    help="Generate, check and show the fixtures that expectations/fixtures.toml declares.",
)  # fmt: skip
app.command(
    "seatrial.cli.plugins:plugins", name="plugins", group=PROJECTS,
    help="List the installed extensions: checks, targets, faults, sinks, registries, trackers, fixture sources.",
    help_epilogue=SUCCESS,
)  # fmt: skip
app.command(
    "seatrial.cli.schema:show", name="schema", group=PROJECTS,
    help="Print the JSON Schema of a settings file, for completion and validation in an editor.",
    help_epilogue=SUCCESS,
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
            [word for word in words if word != DEBUG], exit_on_error=False, print_error=False,
            result_action="return_value",
        )  # fmt: skip
    except CycloptsError as error:
        _tell(_misuse(error))
        code = EXIT_INCONCLUSIVE
    except SystemExit as end:  # of Rich, whose 1 for output that nobody reads would be a failed version
        code = EXIT_INCONCLUSIVE if end.code else EXIT_PASS
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  every error ends as one message
        if not (isinstance(error, BrokenPipeError) and _reader_is_gone()):
            _tell(_message(error), error if debug else None, details=_details(error))
        code = getattr(error, "exit_code", EXIT_INCONCLUSIVE)
    _reader_is_gone()
    sys.exit(code if isinstance(code, int) else EXIT_PASS)


def _reader_is_gone() -> bool:
    """Write what is left of the output; whether nobody reads it any more, as after ``| head``, which is no error."""
    try:
        sys.stdout.flush()
        output = select.poll()
        output.register(sys.stdout.fileno(), select.POLLOUT)
        gone = any(event & (select.POLLERR | select.POLLHUP) for _, event in output.poll(0))
    except BrokenPipeError:
        gone = True
    except (OSError, ValueError):  # there is no output, or it is no file
        return False
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the end of the process would say so
    return gone


def _tell(message: str, error: BaseException | None = None, *, details: str = "") -> None:
    """Print a message, below its details and the traceback of its error; in GitHub Actions annotate the step."""
    from seatrial.sinks import github
    from seatrial.sinks.secrets import without_secrets

    lines = [] if error is None else traceback.format_exception(error)
    said = without_secrets(f"{''.join(lines)}{details}seatrial: {message}")
    print(github.harmless(said) if github.on_github() else said, file=sys.stderr, flush=True)  # noqa: T201
    if github.on_github():
        print(github.command("error", without_secrets(message), title="seatrial"), flush=True)  # noqa: T201


def _misuse(error: CycloptsError) -> str:
    """Return what is wrong with the words of a command line."""
    name = " ".join(error.command_chain or ())
    argument = error.argument
    if isinstance(error, MissingArgumentError) and argument is not None:
        positional = argument.index is not None and error.keyword is None and not argument.tokens
        missing = argument.name.removeprefix("--").upper() if positional else f"The value of {argument.name}"
        example = EXAMPLES.get(name) if argument.required else None
        advice = f"Example: seatrial {name} {example}" if example else f"See: seatrial {name} --help"
        return f"{missing} is missing. {advice}"
    if isinstance(error, UnknownCommandError):
        commands = " ".join(("seatrial", *(error.command_chain or ())))
        return f"{str(error).partition(' Available commands')[0]} All commands: {commands} --help"
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f'Unexpected argument "{error.unused_tokens[0]}". See: seatrial {name} --help'
    if isinstance(error, CoercionError) and error.token is not None and error.target_type in TYPES:
        given = error.token.keyword or (argument.name if argument is not None else "the argument")
        return f'{given} must be {TYPES[error.target_type]}; found "{error.token.value}".'
    return str(error)


def _details(error: BaseException) -> str:
    """Return the traceback of the project's own code, for its author; empty where there is none."""
    if not (text := getattr(error, "details", "")):
        return ""
    from seatrial.sinks.text import neutral_lines

    return "\n".join([*neutral_lines(text), ""])


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
