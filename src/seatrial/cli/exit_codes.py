"""The exit codes of each command, as the last line of its help."""

from __future__ import annotations

from typing import Final

DEBUG: Final = "--debug"
SUCCESS: Final = f"Exit codes: 0 success, 2 error. {DEBUG} also prints the traceback of an error."


def exit_codes(codes: str) -> str:
    """Return the line for a command with exit codes of its own, such as ``0 pass, 1 fail, 2 error``."""
    return SUCCESS.replace("0 success, 2 error", codes)


VERDICT: Final = exit_codes("0 pass, 1 fail, 2 inconclusive or error")
