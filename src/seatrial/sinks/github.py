"""GitHub Actions: an annotation for each finding, and a summary of the job.

The commands are those of https://docs.github.com/actions/reference/workflow-commands-for-github-actions. GitHub runs
every line of a step's output that looks like one, so text from a model is escaped, or printed while commands are
stopped.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from seatrial.events import Finding, Severity, Verdict
from seatrial.io.files import atomic_write
from seatrial.sinks.base import Guarded, Sink
from seatrial.sinks.links import Link, links_markdown
from seatrial.sinks.markdown import findings_markdown
from seatrial.sinks.text import neutral

ON, SUMMARY, WORKSPACE = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"
SHOWN = 10  # of each severity: GitHub shows no more of one step
ROOM = 60_000  # characters of a summary; GitHub takes 1 MiB of a step
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}

Place = tuple[str, int | None]
Locate = Callable[[str | None], Place | None]
"""Returns the file and line of a stage, or None."""


def on_github() -> bool:
    """Return whether this process runs in GitHub Actions."""
    return os.environ.get(ON) == "true"


def summary_path() -> str:
    """Return the file of the step's summary; the null device where there is none."""
    return os.environ.get(SUMMARY) or os.devnull


class GitHub(Sink):
    """Prints annotations on standard output, and writes the verdict as Markdown to a file.

    Args:
        path: of the summary. That of ``GITHUB_STEP_SUMMARY`` is appended to: a step may run several commands.

    Attributes:
        locate: returns the file and line that an annotation belongs to; none by default.

    Example:
        >>> from seatrial.events import Finding
        >>> annotation(1, Finding("golden", "features", "'hour' differs: 100 %."), "m", ("pipeline.py", 7))
        "::error file=pipeline.py,line=7,title=Finding 1 of m%3A features · golden::'hour' differs: 100 %25."
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.locate: Locate = lambda _: None
        self._links: Sequence[Link] = ()

    def links(self, links: Sequence[Link]) -> None:
        """Keep the links for the summary."""
        self._links = links

    def verdict(self, verdict: Verdict) -> None:
        """Print the annotations and append the summary."""
        shown = dict.fromkeys(Severity, 0)
        for number, finding in enumerate(verdict.findings, 1):
            if finding.downstream or shown[finding.severity] >= SHOWN:
                continue
            shown[finding.severity] += 1
            place = self.locate(finding.stage)
            _print(annotation(number, finding, str(verdict.subject), place))
        if not verdict.findings:
            for missing in verdict.not_evaluated[:SHOWN]:
                title = f"{missing.stage or 'whole path'} · {missing.check}: not evaluated"
                _print(command("warning", missing.reason, title=title))
        page = f"{findings_markdown(verdict, ROOM)}\n{links_markdown(self._links)}\n\n".encode("utf-8", "replace")
        if str(self.path) == summary_path():
            with self.path.open("ab") as file:
                file.write(page)
        else:
            atomic_write(self.path, page)


def github_sinks(written: Sequence[Guarded], locate: Locate) -> list[Guarded]:
    """Return the sinks that were asked for, with that of GitHub Actions among them, which knows where stages are.

    Args:
        written: those of ``--sink``; ``github`` may be one of them.
        locate: returns the file and line of a stage.
    """
    sinks = list(written)
    if not any(isinstance(each.inner, GitHub) for each in sinks):
        sinks.append(Guarded("github", GitHub(Path(summary_path()))))
    for each in sinks:
        if isinstance(each.inner, GitHub):
            each.inner.locate = locate
    return sinks


def annotation(number: int, finding: Finding, subject: str, place: Place | None = None) -> str:
    """Return the line that annotates a finding.

    Args:
        number: of the finding in its verdict, counted from 1.
        finding: the finding.
        subject: the version.
        place: the file and, where it is known, the line.
    """
    text = f"{finding.message} What to do: {finding.advice}" if finding.advice else finding.message
    where = " · ".join(part for part in (finding.stage or "whole path", finding.column, finding.check) if part)
    properties: dict[str, str] = {}
    if place is not None:
        properties["file"] = place[0]
        if place[1] is not None:
            properties["line"] = str(place[1])
    properties["title"] = f"Finding {number} of {subject}: {where}"
    return command(LEVELS[finding.severity], text, **properties)


def command(name: str, message: str, **properties: str) -> str:
    """Return a workflow command on one line; nothing in its texts can end it or begin another.

    Example:
        >>> command("error", "a\\n::stop-commands::x", title="5 %, or so")
        '::error title=5 %25%2C or so::a\\\\n::stop-commands::x'
    """
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name}{' ' if given else ''}{given}::{_escaped(message, 1_000)}"


@contextlib.contextmanager
def commands_stopped() -> Iterator[None]:
    """Print what the block prints as mere text: GitHub runs no command in it. Does nothing elsewhere."""
    if not on_github():
        yield
        return
    token = secrets.token_hex(16)
    _print(f"::stop-commands::{token}")
    try:
        yield
    finally:
        _print(f"::{token}::")


def harmless(text: str) -> str:
    """Return text in which GitHub finds no command, for standard error: its order with standard output is not kept.

    Example:
        >>> harmless("Its log ends with:\\n  ::error::x")
        'Its log ends with:\\n  : :error::x'
    """
    return re.sub(r"(?m)(^|\r)(\s*)::", r"\1\2: :", text.replace("##[", "## ["))


def relative(path: Path) -> str:
    """Return a path as annotations name it: relative to the checkout, or to the current folder."""
    with contextlib.suppress(ValueError):
        return path.resolve().relative_to(Path(os.environ.get(WORKSPACE) or Path.cwd()).resolve()).as_posix()
    return str(path)


def _escaped(text: str, limit: int = 200) -> str:
    """Return text as the data of a command. Line breaks are spelled out before, and cannot be left."""
    return neutral(text, limit).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201
