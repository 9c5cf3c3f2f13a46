"""One finding for one cause, whatever the number of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from seatrial.events import Finding
from seatrial.formatting import plural

SHOWN = 3  # columns named in a message; the evidence has them all
SINGLE = 3  # columns without a known cause that get a finding each; more of them share one


def grouped(findings: Iterable[Finding], *, single: int = SINGLE) -> Iterator[Finding]:
    """Yield the findings, those of several columns with one cause at one place as one, where the first of them was.

    Args:
        findings: of one comparison.
        single: how many columns without a known cause get a finding each: of a service, which is seen from outside
            alone, none but a column by itself.

    Columns differ for one cause where it has the same name and, for differing values, the same formula. The message
    is that of the first column, after the number and the names of all; ``evidence["columns"]`` lists them.

    Example:
        >>> two = [Finding("golden", "raw", f"Column '{c}' is new.", column=c, cause="extra-column") for c in "ab"]
        >>> [finding.message for finding in grouped(two)]
        ["2 columns have this in common: 'a' and 'b'. Column 'a' is new."]
    """
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for number, finding in enumerate(findings):
        alike = (
            finding.check, finding.stage, finding.severity, finding.downstream, finding.cause,
            finding.evidence.get("how", ""), finding.evidence.get("mode", ""), finding.evidence.get("with", ""),
        )  # fmt: skip
        groups.setdefault(alike if finding.column is not None else (number,), []).append(finding)
    for members in groups.values():
        if len(members) == 1 or (members[0].cause is None and len(members) <= single):
            yield from members
        else:
            yield _together(members)


def _together(members: list[Finding]) -> Finding:
    first = members[0]
    columns = list(dict.fromkeys(str(f.column) for f in members))
    common = "differ, for no cause that is known" if first.cause is None else "have this in common"
    message = f"{plural(len(columns), 'column')} {common}: {named(columns)}. {first.message}"
    counted = {name: len(columns) for name in ("missing", "extra") if name in first.evidence}
    shown = {name: picture for f in members for name, picture in f.evidence.get("pictures", {}).items()}
    pictures = {"pictures": dict(list(shown.items())[:SHOWN])} if shown else {}
    evidence = {**first.evidence, **counted, **pictures, "columns": columns}
    return replace(first, message=message, evidence=evidence)


def named(columns: list[str]) -> str:
    """Return the names of the first few columns, and how many there are beside them."""
    shown = [f"'{column}'" for column in columns[:SHOWN]]
    return listed([*shown, plural(len(columns) - SHOWN, "other")]) if len(columns) > SHOWN else listed(shown)


def listed(items: list[str]) -> str:
    """Return items as a sentence lists them.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0]
