"""The pages of other programs that show a verdict: their addresses, for the terminal and for one another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SAFE = re.compile(r"(?:https?://|#/)[^\s()<>\[\]\\`\"']+", re.ASCII)  # what a link in Markdown holds as it is


@dataclass(frozen=True)
class Link:
    """A page that shows a verdict.

    Attributes:
        title: what the page is, such as ``MLflow run``.
        address: its address, or where nothing serves it yet, the part after the server's address.
        command: starts the server where nothing serves the page yet; empty where something does.

    Example:
        >>> str(Link("MLflow run", "http://127.0.0.1:5000/#/experiments/1/runs/8f3a"))
        'MLflow run: http://127.0.0.1:5000/#/experiments/1/runs/8f3a'
    """

    title: str
    address: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.address}"


def links_text(links: Sequence[Link]) -> list[str]:
    """Return the links as lines for a terminal, and after them the commands that serve those not served yet.

    Example:
        >>> links_text([Link("MLflow run", "http://127.0.0.1:5000/#/experiments/1/runs/8f3a", "mlflow server")])
        ['MLflow run: http://127.0.0.1:5000/#/experiments/1/runs/8f3a', 'To open it, start: mlflow server']
    """
    commands = dict.fromkeys(link.command for link in links if link.command)
    many = sum(bool(link.command) for link in links) > 1
    return [*map(str, links), *(f"To open {'them' if many else 'it'}, start: {command}" for command in commands)]


def links_markdown(links: Iterable[Link]) -> str:
    """Return the links on one line of Markdown; one that is not served, or that Markdown could misread, is left out.

    Example:
        >>> links_markdown([Link("report", "#/experiments/1/runs/8f3a/artifacts/report.html"), Link("file", "/tmp/x")])
        '[report](#/experiments/1/runs/8f3a/artifacts/report.html)'
    """
    shown = [link for link in links if not link.command and _SAFE.fullmatch(link.address)]
    return " · ".join(f"[{link.title}]({link.address})" for link in shown)
