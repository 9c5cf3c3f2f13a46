"""Whether the first output that a page shows is what a command printed: ``python shown.py README.md demo.log``.

Line breaks and the width of columns do not count. Each paragraph and each cell of the last row must be there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def missing(page: str, printed: str) -> list[str]:
    """Return the parts of the first console block of a page that were not printed."""
    block = re.search(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert block, "the page shows no output"
    *paragraphs, table = block[1].split("\n\n")
    head, row = table.split("\n", 1)
    first, *cells = re.split(r"\s{3,}", row.strip())
    advice = " ".join(cells).partition("→")
    parts = [*paragraphs, head, first, advice[0], f"→{advice[2]}"]
    said = " ".join(printed.split())
    return [part for part in (" ".join(part.split()) for part in parts) if part not in said]


if __name__ == "__main__":
    page, printed = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])
    if absent := missing(page, printed):
        sys.exit("\n".join(["Not printed as the page shows it:", *absent]))
