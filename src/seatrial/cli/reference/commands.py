"""The page of all commands: what ``--help`` says of each, as cyclopts writes it, with its exit codes."""

from __future__ import annotations

import re

from cyclopts import App

from seatrial.cli.app import app
from seatrial.cli.schema import MADE

INTRODUCTION = """
Every command ends with an exit code that scripts can rely on, and prints errors as one message.
`seatrial COMMAND --help` prints what stands here.
"""


def page() -> str:
    """Return the reference page of every command, in Markdown."""
    text = app.generate_docs(output_format="markdown").replace("```console", "```text")
    text = re.sub(r"^(seatrial [\w ]+) -m \S+", r"\1", text, flags=re.MULTILINE)  # how this process was started
    _, _, text = text.partition("\n## Table of Contents\n")
    _, _, text = text.partition("\n**")  # the list of groups says the same with a sentence each
    text = _sections(f"**{text}")
    text = re.sub(r"\n[ ]{4}(?=\S)", "\n  ", text)  # four blanks would make a paragraph a block of code
    return re.sub(r"\n{3,}", "\n\n", f"{MADE}\n\n# Commands\n{INTRODUCTION}\n{text}").rstrip() + "\n"


def _sections(text: str) -> str:
    """Return the text with the exit codes at the end of each section of a command that is run."""
    before, *sections = re.split(r"^(?=#+ seatrial )", text, flags=re.MULTILINE)
    return "".join([before, *(_with_exit_codes(section) for section in sections)])


def _with_exit_codes(section: str) -> str:
    heading = section.partition("\n")[0]
    here: App = app
    said = app.help_epilogue
    for word in heading.split()[2:]:
        here = here[word]
        said = here.help_epilogue or said
    if here.default_command is None:
        return section
    codes = str(said).partition(" --debug")[0]
    return f"{section.rstrip()}\n\n{codes}\n\n"
