"""A tutorial, played by a reader: its files are written, its changes made, its commands run, in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.orchestration.services import FOREIGN
from tests.support.paths import ROOT

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block of code: its language, its title, which names a file, and its text."""

    language: str
    title: str
    text: str


@dataclass
class Played:
    """What became of a section.

    Attributes:
        seconds: of wall time, by command.
        written: lines that the reader wrote.
        ended: exit codes, by command.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    written: int = 0
    ended: dict[str, int] = field(default_factory=dict)


def sections(page: str) -> dict[str, list[Block]]:
    """Return the blocks of each section of a page of the docs, by its heading."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    parts = SECTION.split(text)[1:]
    return {
        name: [Block(*found) for found in BLOCK.findall(body)]
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def play(
    blocks: list[Block],
    folder: Path,
    said: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
) -> Played:
    """Do in ``folder`` what the blocks of a section say, and check that commands print what the page shows.

    Args:
        blocks: ``python`` with a title is a file, ``diff`` with a title a change of one, ``console`` are commands, and
            ``text`` is what the commands before it print; ``…`` stands for anything. Other blocks are passed by.
        folder: where it is done.
        said: what to put in the place of texts of the page, such as a port.
        given: variables that the reader has set, such as the address of a Prefect server.
    """
    played, printed = Played(), ""
    for number, block in enumerate(blocks):
        text = block.text
        for old, new in (said or {}).items():
            text = text.replace(old, new)
        if block.language == "python" and block.title:
            (folder / block.title).write_text(text, encoding="utf-8")
        elif block.language == "diff":
            played.written += change(folder / block.title, text)
        elif block.language == "console":
            printed = ""
            shown = next((b.text for b in blocks[number + 1 : number + 2] if b.language == "text"), "")
            for command in re.findall(r"^\$ (.+)$", text, re.MULTILINE):
                wanted = 1 if shown.startswith("fail") and command.startswith("seatrial validate") else 0
                printed += run(command, folder, played, wanted, given or {})
        elif block.language == "text":
            compare(text, printed)
    return played


def change(path: Path, hunk: str) -> int:
    """Make the change that a diff shows, at the one place where it fits, and return how many lines are new."""
    lines = hunk.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[:1] in "- ")
    new = "".join(f"{line[1:]}\n" for line in lines if line[:1] in "+ ")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} holds this {text.count(old)} times, not once:\n{old}"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return sum(line[:1] == "+" for line in lines)


def run(command: str, folder: Path, played: Played, wanted: int, given: Mapping[str, str]) -> str:
    """Run a command of the page, note how long it took, and return what it printed."""
    begin = time.monotonic()
    env = environ() | dict(given)
    done = subprocess.run(command.split(), cwd=folder, env=env, capture_output=True, text=True, check=False)
    name = command if command not in played.seconds else f"{command} ({len(played.seconds)})"
    played.seconds[name], played.ended[name] = time.monotonic() - begin, done.returncode
    assert done.returncode == wanted, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def environ() -> dict[str, str]:
    """Return the environment of a reader: this interpreter's programs, and no server of anybody."""
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN and not name.startswith("_MLFLOW")}
    return own | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}", "COLUMNS": "200"}


def compare(shown: str, printed: str) -> None:
    """Check that what the page shows was printed, line by line, in this order."""
    lines: Iterator[str] = iter(printed.splitlines())
    for want in (line.rstrip() for line in shown.splitlines()):
        begins = want.removesuffix("…")
        if begins and not any(line.startswith(begins) if want != begins else line.rstrip() == want for line in lines):
            raise AssertionError(f"The page shows a line that was not printed here:\n{want}\n\nPrinted:\n{printed}")
