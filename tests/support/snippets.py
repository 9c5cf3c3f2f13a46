"""The blocks of code in the documentation, page by page.

A block that cannot run says why in a comment before it: ``<!-- not run: it needs a cluster -->``. Names that are the
reader's own are told in the block itself: ``# Yours: parse, predict(frame, model).`` A block with a title is a file of
the reader's project, and a test plays its page as a whole.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.paths import ROOT

FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?"
    r"^ *```(?P<language>\w*)(?P<options>[^\n]*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
INLINE = re.compile(r"(?<!`)`(seatrial [^`]+)`(?!`)")
YOURS = re.compile(r"^# Yours: (.+)\.$", re.MULTILINE)
NAME = re.compile(r"(\w+)(?:\(([\w, ]*)\))?(?:, |$)")
SKIPPED = ("docs/schemas",)


@dataclass(frozen=True)
class Block:
    """One block: its page below the root, its line, its language, text, why it is not run, and whether it is a file."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None = None
    titled: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def yours(self) -> dict[str, str]:
        """The names that the block leaves to the reader, each with its parameters."""
        return {name: given or "*_, **__" for found in YOURS.findall(self.text) for name, given in NAME.findall(found)}


def pages() -> list[str]:
    """Return every page of the documentation, below the root."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "deployments/README.md")]
    found += sorted((ROOT / "docs").rglob("*.md"))
    return [str(path.relative_to(ROOT)) for path in found]


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, _line(text, m.start("language")), m["language"], m["text"], m["reason"], "title=" in m["options"])
        for m in FENCE.finditer(text)
    ]


def _line(text: str, at: int) -> int:
    return text[:at].count("\n") + 1


def every_block(*languages: str) -> list[Block]:
    """Return the blocks of all pages, in these languages."""
    return [block for page in pages() for block in blocks(page) if not languages or block.language in languages]


def command_lines(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command of a block that is typed into a shell."""
    text = block.text.replace("\\\n", " ")
    lines = text.splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    for line in lines:
        yield from _commands(line)


def _commands(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set(";&|"):
            if words:
                yield words
            words = []
        elif words or not re.fullmatch(r"\w+=.*", word):  # variables before a command are no words of it
            words.append(word)


def inline_commands(page: str) -> list[list[str]]:
    """Return the words of each command of seatrial that stands in a sentence."""
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return [found.replace("\\|", "|").split() for found in INLINE.findall(text)]
