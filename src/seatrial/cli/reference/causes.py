"""The page of all causes that a finding can have, from ``causes.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seatrial.cli.schema import MADE

INTRODUCTION = """
A *finding* is one thing that is wrong or needs attention: the check that found it, the stage or service where it
originates, the column, a sentence, its *cause* where one is known, what to do next, and evidence (counts, keys and
seeds; never values of cells). Findings are numbered in the order of the verdict. An *error* fails the version; a
*warning* and an *information* do not.

The cause is a short name that scripts can rely on. It stands in the report, in `verdict.json`, in JUnit and in MLflow.
Packages that [extend seatrial](../extending/README.md) have causes of their own.
"""


def groups() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return the causes by group: for each what it ``means``, how it ``comes`` and what to ``do``.

    Example:
        >>> groups()["Load"]["slow"]["means"]
        'The latency objective is missed.'
    """
    return {group.title: group.causes for group in _read()}


def page() -> str:
    """Return the reference page of every cause, in Markdown."""
    lines = [MADE, "", "# Findings and causes", INTRODUCTION]
    for group in _read():
        lines += [f"## {group.title}", "", group.about, ""]
        lines += ["| cause | what it means | how it comes | what to do |", "|---|---|---|---|"]
        lines += [_row(name, row) for name, row in sorted(group.causes.items())]
        lines.append("")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Group:
    title: str
    about: str
    causes: Mapping[str, Mapping[str, str]]


def _row(name: str, row: Mapping[str, str]) -> str:
    cells = (f'<a id="{name.lower()}"></a>`{name}`', row["means"], row["comes"], row["do"])
    return f"| {' | '.join(cells)} |"


def _read() -> list[_Group]:
    text = Path(__file__).with_name("causes.toml").read_text(encoding="utf-8")
    return [
        _Group(t["title"], t["about"].strip(), {n: row for n, row in t.items() if isinstance(row, dict)})
        for t in tomllib.loads(text).values()
    ]
