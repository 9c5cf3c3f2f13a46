"""The first example of the README runs, and prints what the README shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_first_example_prints_what_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """A reader who copies the first block gets the second."""
    example, output = re.search(
        r"```python\n(.*?)```\n+```text\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL
    ).groups()
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out == output
