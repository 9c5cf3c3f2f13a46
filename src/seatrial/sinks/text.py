"""Text from outside made harmless: names, keys and messages are written by whoever wrote the model or its data."""

from __future__ import annotations

import math
import unicodedata
from numbers import Integral, Real

LIMIT = 300
"""Characters of one name or message that are shown."""

# Controls, invisible formatting (bidi overrides, zero width, tags), lone surrogates, private use, unassigned and
# noncharacters, line and paragraph separators. XML forbids some of them, terminals obey others, people see none.
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


def number(value: Real | float) -> str:
    """Return a number as people write it: thousands in groups, six significant digits, ``yes``/``no`` for a flag."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    real = float(value)
    return f"{real:,.6g}" if math.isfinite(real) else str(real)


def share(value: float) -> str:
    """Return a share of one in percent; what is not quite all or nothing never reads as 100 % or 0 %."""
    if not math.isfinite(value):
        return str(value)
    percent = 100 * value
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if 99.99 < percent < 100:
        return "> 99.99 %"
    return f"{percent:.2f}".rstrip("0").rstrip(".") + " %"


def seconds(value: float) -> str:
    """Return a duration with the unit a person would choose: ``412 ms``, ``12.4 s``, ``3 min 20 s``."""
    if not math.isfinite(value):
        return str(value)
    if value < 0.001:
        return "< 1 ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 119.5:
        return f"{value:.1f} s"
    return f"{int(value + 0.5) // 60} min {int(value + 0.5) % 60} s"


def plural(count: int, one: str, many: str = "") -> str:
    """Return ``3 findings`` or ``1 finding``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
