"""Which allowance holds for which column: by name, or by a pattern with ``*``, ``?`` or ``[…]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from seatrial.errors import PolicyError, nearest
from seatrial.parity.agreement.base import Allowance
from seatrial.parity.agreement.numbers import refusal
from seatrial.parity.columns import Column
from seatrial.parity.tolerance import EXACT, Tolerance

Allowed = Tolerance | Allowance
T = TypeVar("T")


def chosen(allowed: Mapping[str, T], columns: Collection[str]) -> dict[str, T]:
    """Return what holds for each of the columns that a name or a pattern stands for.

    The most specific holds: the column's own name, else the pattern with most characters that are not wildcards, else
    the longest pattern. Names that no column has are passed over.

    Example:
        >>> chosen({"*": 1, "score*": 2, "score_b": 3}, ["score_a", "score_b", "age"])
        {'score_a': 2, 'score_b': 3, 'age': 1}
    """
    found = {}
    for column in columns:
        name = column if column in allowed else _best(allowed, str(column))
        if name is not None:
            found[column] = allowed[name]
    return found


def applicable(
    allowed: Mapping[str, Allowed], columns: Collection[str], read: Callable[[str], Column]
) -> dict[str, Allowed]:
    """Return what holds for each of the columns and can apply to it, as what ``read`` returns.

    For answers that came another way than the reference, as JSON: a time is text there, and has no tolerance.
    """
    return {c: each for c, each in chosen(allowed, columns).items() if not _reason(each, lambda c=c: read(c))}  # type: ignore[misc]


def check_allowed(
    allowed: Mapping[str, Allowed],
    columns: Sequence[str],
    key: Collection[str],
    read: Callable[[str], Column],
    where: str = "",
) -> dict[str, Allowed]:
    """Return what holds for each column of the reference.

    Args:
        allowed: by column name or pattern.
        columns: of the reference, in its order.
        key: those of them that are the key.
        read: returns a column of the reference.
        where: what is written before a message, such as the file.

    Raises:
        PolicyError: a name or pattern for no column, for the key, or of a kind that cannot apply to the column.
    """  # fmt: skip
    others = [c for c in columns if c not in key]
    check_known(allowed, others, key, "tolerance", where)
    found = chosen(allowed, others)
    reasons = {c: _reason(each, lambda c=c: read(c)) for c, each in found.items()}  # type: ignore[misc]
    for name, each in allowed.items():
        fits = [c for c in others if c == name or (name not in others and fnmatchcase(c, name))]
        mine = [c for c in fits if found[c] is each]
        held = [c for c in mine if reasons[c]]
        if held and (name in others or len(held) == len(mine)):
            of = f"'{held[0]}' of type {read(held[0]).logical}"
            kind = type(each).__name__
            said = (
                f"Column {of} cannot have a {kind}"
                if name == held[0]
                else f"The {kind} for '{name}' fits no column: {of}"
            )
            raise PolicyError(f"{where}{said}. {reasons[held[0]]}.")
    return {c: each for c, each in found.items() if not reasons[c]}


def check_known(
    given: Mapping[str, object], columns: Sequence[str], key: Collection[str], what: str, where: str = ""
) -> None:
    """Check that every name stands for a column, and none for the key.

    Raises:
        PolicyError: which does not, and the nearest name.
    """
    known = [str(column) for column in columns]
    for name in given:
        if name in key:
            raise PolicyError(f"{where}The key column '{name}' has a {what}. Keys are compared exactly: remove it.")
        if name not in columns and not (_is_pattern(name) and any(fnmatchcase(c, name) for c in known)):
            of = f"{where}There is a {what} for '{name}', which " + (
                "matches no column of the reference." if _is_pattern(name) else "is no column of the reference."
            )
            close = nearest(re.sub(r"[*?\[\]]", "", str(name)), known)
            raise PolicyError(f"{of} Columns: {', '.join(known)}.{close}")


def _reason(allowed: Allowed, read: Callable[[], Column]) -> str:
    return "" if allowed == EXACT else refusal(allowed, read())


def _best(allowed: Mapping[str, object], column: str) -> str | None:
    fitting = [name for name in allowed if _is_pattern(name) and fnmatchcase(column, name)]
    return max(fitting, key=lambda name: (len(re.sub(r"\*|\?|\[[^\]]*\]", "", name)), len(name)), default=None)


def _is_pattern(name: object) -> bool:
    return isinstance(name, str) and any(sign in name for sign in "*?[")
