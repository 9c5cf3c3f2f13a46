"""Untrusted text made neutral: names, keys and messages come from whoever wrote the model or its data."""

from __future__ import annotations

import unicodedata
from numbers import Real

from seatrial.formatting import number

LIMIT = 300
"""The most characters of one name or message that are shown."""
LINE = 4_000
"""The most characters of one line of a longer text."""

# Controls, invisible formatting (bidi overrides, zero width, tags), lone surrogates, private use, unassigned and
# noncharacters, line and paragraph separators. XML forbids some, terminals obey others, and none is visible.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_FORMULA = "=+-@"


def neutral(text: object, limit: int = LIMIT) -> str:
    """Return ``text`` on one line of visible characters, at most ``limit`` of them.

    What a terminal, a browser or XML would act on, or an eye would miss, is spelled as its escape (``\\x1b``,
    ``\\u202e``) instead of vanishing, so that two different names never look alike. The result still needs the
    escaping of its medium (``<`` stays ``<``).
    """
    raw = str(text)
    # An escape is never shorter than what it stands for: what lies past the limit cannot be shown anyway.
    seen = "".join(map(_visible, raw[: limit + 1]))
    if len(raw) <= limit and len(seen) <= limit:
        return seen
    tail = f"… ({len(raw):,} characters)"
    return seen[: limit - len(tail)] + tail if limit > 2 * len(tail) else seen[: limit - 1] + "…"


def neutral_lines(text: str, limit: int = LINE) -> list[str]:
    """Return a text of several lines, each of visible characters alone.

    Example:
        >>> neutral_lines("KeyError:\\n\\x1b[31mred")
        ['KeyError:', '\\\\x1b[31mred']
    """
    return [neutral(line, limit) for line in text.splitlines()]


def _visible(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if character in _SHORT:
        return _SHORT[character]
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def cell(value: object, limit: int = LIMIT) -> str:
    """Return ``value`` as the text of a table cell that no spreadsheet runs as a formula.

    Text that starts with ``= + - @`` (after spaces, also in full width), a tab or a carriage return gets a leading
    apostrophe: https://owasp.org/www-community/attacks/CSV_Injection. A number is no text and keeps its sign.
    """
    if isinstance(value, Real):
        return number(value)
    raw = str(value)
    first = unicodedata.normalize("NFKC", raw.lstrip()[:1])
    risky = raw[:1] in ("\t", "\r") or (first and first in _FORMULA)
    return ("'" if risky else "") + neutral(raw, limit)


def fit(text: object, columns: float) -> str:
    """Return ``text`` cut to a width of so many average letters; see :func:`width`."""
    seen = neutral(text)
    if width(seen) <= columns:
        return seen
    kept, used = "", width("…")
    for character in seen:
        used += width(character)
        if used > columns:
            break
        kept += character
    return kept + "…"


def width(seen: str) -> float:
    """Return the rough width of text in average letters: capitals are wider, East Asian letters twice as wide."""
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 1.3 if c.isupper() or c in "mw%@…" else 1 for c in seen
    )
