"""The generated pages of the documentation are those of the code, and every cause that the code names is on them."""

from __future__ import annotations

import re

import pytest

from seatrial.cli.reference import causes, commands, pages
from tests.support.causes import emitted
from tests.support.paths import ROOT

RENEW = "Run 'python -m seatrial.cli.reference docs'."
DOCUMENTED = {name for group in causes.groups().values() for name in group}


@pytest.mark.parametrize("name", ["reference/causes.md", "reference/commands.md", "explanation/nist-ai-rmf.md"])
def test_a_generated_page_is_up_to_date(name):
    """What is checked in is what the code makes now; the pages of settings have a test of their own."""
    page = ROOT / "docs" / name
    assert page.read_text(encoding="utf-8") == pages(ROOT / "docs")[page], (
        "Run 'python -m seatrial.cli.reference docs'."
    )


def test_every_command_has_a_section_with_its_exit_codes():
    """Commands of commands too, such as ``fixtures make``."""
    from seatrial.cli.app import app

    sections = dict(re.findall(r"^#+ seatrial ([\w ]+)\n(.*?)(?=^#|\Z)", commands.page(), re.DOTALL | re.MULTILINE))
    names = [name for name in app if not name.startswith("-")]
    names += [f"fixtures {name}" for name in app["fixtures"] if not name.startswith("-")]
    assert set(sections) == set(names)
    assert [name for name, text in sections.items() if "Exit codes: 0 " not in text] == ["fixtures"]


def test_every_cause_is_documented_and_every_documented_cause_is_there():
    """The causes are read from the text of the code; an expression that is not understood is named, never left out."""
    named, unknown = emitted()
    assert not unknown
    assert len(named) > 150
    assert {cause: sorted(where) for cause, where in named.items() if cause not in DOCUMENTED} == {}
    assert sorted(DOCUMENTED - set(named)) == []


def test_every_cause_says_what_it_means_how_it_comes_and_what_to_do():
    rows = [(name, row) for group in causes.groups().values() for name, row in group.items()]
    assert [name for name, row in rows if list(row) != ["means", "comes", "do"]] == []
    assert [name for name, row in rows if not all(text.strip().endswith(".") for text in row.values())] == []
    assert len(rows) == len(DOCUMENTED), "a cause stands in two groups"
