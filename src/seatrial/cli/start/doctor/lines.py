"""What an examination says: one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Line:
    """One thing that was looked at.

    Attributes:
        state: ``missing`` where a validation needs it and would not run; ``note`` where it runs without.
        subject: what was looked at.
        found: what is there, or what is wrong.
        advice: what to type or to change; empty where nothing is.
    """

    state: State
    subject: str
    found: str
    advice: str = ""


Examination = Callable[[], Iterator[Line]]


def ok(subject: str, found: str) -> Line:
    """Return a line for what is there."""
    return Line("ok", subject, found)


def note(subject: str, found: str, advice: str = "") -> Line:
    """Return a line for what a validation can do without."""
    return Line("note", subject, found, advice)


def missing(subject: str, found: str, advice: str = "") -> Line:
    """Return a line for what a validation needs; ``found`` may say what to type itself, as errors do."""
    return Line("missing", subject, found, advice)
