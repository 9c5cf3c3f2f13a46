"""What commands have in common: their flags, and their exit codes, as the last line of their help."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Parameter

Flag = Annotated[bool, Parameter(negative="")]
Json = Annotated[bool, Parameter(name="--json", negative="")]
DEBUG: Final = "--debug"
SUCCESS: Final = f"Exit codes: 0 success, 2 error. {DEBUG} also prints the traceback of an error."


def exit_codes(codes: str) -> str:
    """Return the line for a command with exit codes of its own, such as ``0 pass, 1 fail, 2 error``."""
    return SUCCESS.replace("0 success, 2 error", codes)


VERDICT: Final = exit_codes("0 pass, 1 fail, 2 inconclusive or error")
