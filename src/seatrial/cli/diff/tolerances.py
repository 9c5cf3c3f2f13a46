"""What columns may differ by, read from the words of a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from seatrial.errors import UsageError, nearest, unknown
from seatrial.parity.agreement.choose import Allowed
from seatrial.parity.agreement.text import Text
from seatrial.parity.tolerance import Tolerance

NAMES = ("rtol", "atol", "ulp", "share", "text")
EXAMPLE = 'Example: --tolerance "score*=rtol:1e-6,atol:0.01"'


class Given(Protocol):
    """The tolerances of a command line; ``command.Selection`` is one."""

    @property
    def rtol(self) -> float | None: ...  # noqa: D102
    @property
    def atol(self) -> float | None: ...  # noqa: D102
    @property
    def tolerances(self) -> tuple[str, ...]: ...  # noqa: D102


def fits(name: str, pattern: str) -> bool:
    """Return whether a column's name is the pattern, or fits it with its wildcards."""
    return name == pattern or fnmatchcase(name, pattern)


def tolerances_of(first: pd.DataFrame, second: pd.DataFrame, key: Sequence[str], given: Given) -> Mapping[str, Allowed]:
    """Return the tolerance of each shared column that has one.

    ``rtol`` and ``atol`` are for numbers with a fraction: integers (identifiers, counts) and instants are exact unless
    a pattern names them.

    Raises:
        UsageError: a tolerance that cannot be read, or fits no column.
    """
    shared = [str(name) for name in first.columns if name in second.columns and name not in key]
    found: dict[str, dict[str, Any]] = {}
    for option, value in (("rtol", given.rtol), ("atol", given.atol)):
        for name in shared if value is not None else ():
            if _has_fraction(first[name]) or _has_fraction(second[name]):
                found.setdefault(name, {})[option] = value
    for text in given.tolerances:
        pattern, settings = _read(text)
        named = [name for name in shared if fits(name, pattern)]
        if not named:
            raise UsageError(
                f"--tolerance '{text}' fits no column that is compared. Columns: {', '.join(shared[:30]) or 'none'}."
                f"{nearest(pattern, shared)}"
            )
        for name in named:
            found[name] = settings
    return {name: _allowed(settings) for name, settings in found.items()}


def _allowed(settings: Mapping[str, Any]) -> Allowed:
    """Return what a column allows; text has forms, and numbers have the rest."""
    if "text" not in settings:
        return Tolerance(**settings)
    others = {name: value for name, value in settings.items() if name != "text"}
    if beside := sorted(others.keys() - {"share"}):
        raise UsageError(f"--tolerance: text and {beside[0]} cannot be of one column. {EXAMPLE}")
    return Text(settings["text"], **others)


def _read(text: str) -> tuple[str, dict[str, Any]]:
    pattern, equals, settings = text.rpartition("=")
    if not equals or not pattern or not settings:
        raise UsageError(f"--tolerance '{text}' is not COLUMNS=NAME:VALUE. {EXAMPLE}")
    found: dict[str, Any] = {}
    for part in settings.split(","):
        name, colon, value = part.strip().partition(":")
        if name not in NAMES:
            raise UsageError(f"--tolerance '{text}': {unknown('Tolerance', name, NAMES)} {EXAMPLE}")
        if not colon:
            raise UsageError(f"--tolerance '{text}': '{name}' has no value. {EXAMPLE}")
        try:
            found[name] = value if name == "text" else int(value) if name == "ulp" else float(value)
        except ValueError as error:
            kind = "an integer" if name == "ulp" else "a number"
            raise UsageError(f"--tolerance '{text}': {name} must be {kind}; found '{value}'. {EXAMPLE}") from error
    return pattern, found


def _has_fraction(column: pd.Series) -> bool:
    dtype = column.dtype
    if not isinstance(dtype, pd.ArrowDtype):
        return bool(pd.api.types.is_float_dtype(dtype))
    kind = dtype.pyarrow_dtype
    while hasattr(kind, "value_type") and not pa.types.is_dictionary(kind):  # lists of them
        kind = kind.value_type
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))
