"""The verdict's part of a version's description: where it is, and that what people wrote around it stays."""

from __future__ import annotations

import re
from collections.abc import Sequence

# The verdict's part of a description: from its title, the last one before END, to END, a comment in Markdown.
_TITLE = re.compile(r"^seatrial: (?:pass|fail|inconclusive|error)\b[^\n]*\n---+$", re.MULTILINE)
END = "[//]: # (seatrial: end)"


def with_verdict(description: str, texts: Sequence[str], links: str, limit: int) -> str:
    """Return a description with the verdict in its part.

    Args:
        description: as it is; text of people in it does not change.
        texts: the verdict in Markdown, the longest text first; the first that fits is taken, else the last.
        links: below it, in Markdown.
        limit: characters of a description.

    Example:
        >>> print(with_verdict("Ours.", ["seatrial: pass\\n---\\n"], "", 200))
        Ours.
        <BLANKLINE>
        seatrial: pass
        ---
        <BLANKLINE>
        [//]: # (seatrial: end)
    """
    before, after = _around(description)
    last = f"\n{links}\n\n{END}" if links else f"\n{END}"
    room = limit - len(before) - len(after) - len(last) - 1
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
