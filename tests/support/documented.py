"""The examples of a page of the docs, run in their order."""

from __future__ import annotations

from typing import Any

from tests.support.snippets import blocks


def documented(page: str) -> dict[str, Any]:
    """Run the Python blocks of a page of ``docs/`` and return what they define."""
    defined: dict[str, Any] = {"__name__": "documented"}
    for block in blocks(f"docs/{page}"):
        if block.language == "python" and block.reason is None:
            exec(compile(block.text, str(block), "exec"), defined)
    return defined
