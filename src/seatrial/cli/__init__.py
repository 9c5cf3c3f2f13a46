"""The command line. ``main`` imports the commands when it is called."""

import sys
from typing import NoReturn

from seatrial.process.ending import end_process

OLDEST = (3, 11)  # Python of the commands; capture and the worker run on 3.10 too


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; where it cannot run here at all, one sentence says why."""
    if sys.platform == "win32":
        _refuse("The commands run on Linux and macOS. On Windows, run them in WSL: wsl --install")
    if sys.version_info < OLDEST:
        _refuse(
            f"The commands need Python {'.'.join(map(str, OLDEST))} or newer, and this is {sys.version.split()[0]}."
        )
    try:
        from seatrial.cli.app import main as run
    except ModuleNotFoundError as error:
        if (error.name or "seatrial").partition(".")[0] == "seatrial":
            raise
        _refuse(f"The commands need the package '{error.name}', which is not installed. Run: pip install seatrial")
    run(arguments)


def console() -> NoReturn:
    """Run the command of this process's arguments, and end the process."""
    code = 0
    try:
        main()
    except SystemExit as error:
        if isinstance(error.code, str):
            raise
        code = error.code or 0
    end_process(code)


def _refuse(reason: str) -> NoReturn:
    print(f"seatrial: {reason} Here, seatrial.capture alone can be used.", file=sys.stderr)  # noqa: T201
    sys.exit(2)
