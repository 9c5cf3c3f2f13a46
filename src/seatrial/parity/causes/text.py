"""Causes that show in text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from unicodedata import combining, normalize

import numpy as np

from seatrial.parity.causes.change import Cause, ColumnChange
from seatrial.parity.columns import Array


def text_form(change: ColumnChange) -> Cause | None:
    """The same text in another case, with other white space, in another Unicode form or encoding."""
    if not change.values_tell or change.texts is None:
        return None
    for name, words, form in _FORMS:
        hits = np.array([form(x) == form(y) for x, y in zip(*change.texts, strict=True)], dtype=bool)
        if change.explains(hits):
            return change.cause(name, f"text differs only in {words}", hits)
    for name, words, twist in _TWISTS:
        hits = _hits(change, twist)
        if change.explains(hits):
            return change.cause(name, words, hits)
    return _cut(change)


def _hits(change: ColumnChange, alike: Callable[[str, str], bool]) -> Array:
    assert change.texts is not None
    return np.array([alike(x, y) for x, y in zip(*change.texts, strict=True)], dtype=bool)


def as_number(text: str) -> Decimal | None:
    """Return the exact number that a text writes, None for other text, NaN and infinity."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _as_number(text: str) -> Decimal | str:
    number = as_number(text)
    return text if number is None else number


def _without_accents(text: str) -> str:
    return "".join(c for c in normalize("NFKD", text) if not combining(c))


def _misread(x: str, y: str) -> bool:
    for codec in ("latin-1", "cp1252"):
        try:
            if x.encode().decode(codec) == y or y.encode().decode(codec) == x:
                return True
        except UnicodeError:
            continue
    return False


def _replaced(x: str, y: str) -> bool:
    """Whether the letters beyond ASCII were dropped, or are question marks or replacement characters now."""
    if x.isascii():
        return False
    return y in (
        x.encode("ascii", "replace").decode(), x.encode("ascii", "ignore").decode(),
        "".join(c if c.isascii() else "\ufffd" for c in x),
    )  # fmt: skip


_FORMS: tuple[tuple[str, str, Callable[[str], object]], ...] = (
    ("text-case", "case", str.casefold),
    ("text-whitespace", "white space", lambda text: " ".join(text.split())),
    ("text-unicode", "Unicode normalisation", lambda text: normalize("NFKC", text)),
    ("text-accents", "accents", _without_accents),
    ("text-form", "case, white space and Unicode form", lambda t: " ".join(normalize("NFKC", t).casefold().split())),
    ("leading-zeros", "leading zeros", lambda text: text.lstrip("0")),
    ("number-format", "the way the same number is written", _as_number),
)
_TWISTS: tuple[tuple[str, str, Callable[[str, str], bool]], ...] = (
    ("text-encoding", "UTF-8 text was read in another encoding", _misread),
    ("text-encoding", "letters beyond ASCII are lost", _replaced),
)


def _cut(change: ColumnChange) -> Cause | None:
    """Text that ends earlier: at one length in the whole column, or so many characters before its end."""
    assert change.texts is not None
    hits = _hits(change, lambda x, y: y != "" and x.startswith(y))
    if not change.explains(hits):
        return None
    lengths = {len(y) for _, y in zip(*change.texts, strict=True)}
    others = change.expected.take(change.unchanged).objects()
    if len(lengths) == 1 and all(len(text) <= max(lengths) for text in others):
        return change.cause("text-truncated", f"text is cut after {max(lengths):,} characters", hits)
    return change.cause("text-truncated", "actual is the beginning of expected", hits)
