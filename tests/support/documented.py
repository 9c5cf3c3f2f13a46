"""The examples of a page of the docs, run in their order."""

from __future__ import annotations

import re
from typing import Any

from tests.support.paths import ROOT


def documented(page: str) -> dict[str, Any]:
    """Run the Python blocks of a page and return what they define."""
    defined: dict[str, Any] = {"__name__": "documented"}
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, page, "exec"), defined)
    return defined
