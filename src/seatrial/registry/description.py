"""The verdict's part of a version's description: found again by its title and its end, so that people's text stays."""

from __future__ import annotations

import re
from collections.abc import Sequence

# From the title, the last one before END, to END, a comment in Markdown.
_TITLE = re.compile(r"^seatrial: (?:pass|fail|inconclusive|error)\b[^\n]*\n---+$", re.MULTILINE)
END = "[//]: # (seatrial: end)"


def described(description: str, texts: Sequence[str], most: int, links: str = "") -> str:
    """Return a description with the verdict in its part, or after what people wrote where it has none yet.

    Args:
        description: as it is.
        texts: the verdict, the longest text first; the first that fits is taken, or the last.
        most: characters of a description.
        links: Markdown that follows the verdict.

    Example:
        >>> described("Ours.", ["seatrial: pass\\n---\\n"], 100).splitlines()
        ['Ours.', '', 'seatrial: pass', '---', '', '[//]: # (seatrial: end)']
    """
    before, after = _around(description)
    last = f"\n{links}\n\n{END}" if links else f"\n{END}"
    room = most - len(before) - len(after) - len(last) - 1
    text = next((text for text in texts if len(text) <= room), texts[-1])
    return f"{before}{text.rstrip()}\n{last}{after}"


def _around(description: str) -> tuple[str, str]:
    """Return what people wrote before and after the verdict's part; it follows their text where there is none yet."""
    until, end, after = description.partition(END)
    titles = list(_TITLE.finditer(until)) if end else []
    if titles:
        return until[: titles[-1].start()], after
    gap = "" if description.endswith("\n\n") or not description else "\n" if description.endswith("\n") else "\n\n"
    return description + gap, ""
