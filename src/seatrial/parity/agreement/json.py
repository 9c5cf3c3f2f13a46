"""What differs by its place inside a cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PolicyError, nearest
from seatrial.parity.agreement.base import Allowance, Source, compare_by_rule
from seatrial.parity.agreement.numbers import refusal, rule_of
from seatrial.parity.agreement.paths import ANY, Steps, fits, generic, reached, steps_of
from seatrial.parity.cells import Cells, Rule
from seatrial.parity.columns import Column, sampled
from seatrial.parity.reading import column as read
from seatrial.parity.tolerance import Tolerance, check_share

MOST_CELLS = 2_000  # of the reference, that a path is looked for in


@dataclass(frozen=True)
class Json:
    """What single places inside a cell allow, each named by a path; all other places have the default tolerance.

    For columns of dicts, lists and structs, and for text that is JSON: that is compared as what it says, not as it is
    written. What a path allows holds for all places inside; of several paths to one place the one with fewer ``*``
    holds, of paths into one another the longer.

    Args:
        paths: to ``Tolerance``, ``Cosine``, ``TopK`` or ``Text``; ``$`` is the cell, ``.name`` a name, ``[0]`` a
            position, ``[*]`` and ``.*`` all of them.
        share: the part of the rows (0 to 1) that may differ.

    Raises:
        PolicyError: a path that cannot be read, or something else than what a path can allow.

    Example:
        >>> boxes = Json({"$.boxes[*].score": Tolerance(atol=1e-4), "$.label": Text("casefold")}) # doctest: +SKIP
    """

    paths: Mapping[str, Tolerance | Allowance]
    share: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.paths, Mapping) or not self.paths:
            raise PolicyError(f"Json({self.paths!r}): name a path, as in {{'$.score': Tolerance(atol=1e-4)}}.")
        for path, allowed in self.paths.items():
            steps_of(path)
            if isinstance(allowed, Json) or not (isinstance(allowed, Tolerance) or hasattr(allowed, "rule")):
                raise PolicyError(f"Json: {path!r} maps to {allowed!r}. Allowed: Tolerance, Cosine, TopK, Text.")
            if allowed.share:
                raise PolicyError(f"Json: {path!r} has a share of rows; state it once, as Json(..., share=...).")
        check_share(self.share)

    def rule(self, noise: float = 0.0) -> Rule:
        """Return what holds of one cell."""
        ways = []
        for path, allowed in self.paths.items():
            steps = steps_of(path)
            ways.append((steps, steps.count(ANY), rule_of(allowed, noise)))
        return replace(_arrived(Rule(noise=noise), tuple(ways)), parse=_parsed)

    def refusal(self, column: Column) -> str:
        """Return why it cannot apply to a column of the reference; the empty string where it can."""
        cells = column.take(sampled(len(column), MOST_CELLS)).objects()
        known = [_parsed(cell) if isinstance(cell, str) else cell for cell in cells if cell is not None]
        if known and not any(isinstance(cell, (Mapping, list, tuple, np.ndarray)) for cell in known):
            return "Json applies to dicts, lists, structs, and text that is JSON"
        for path, allowed in self.paths.items() if known else ():
            values = [value for cell in known for value in reached(cell, steps_of(path))]
            if not values:
                places = sorted(set().union(*(generic(cell) for cell in known[:100])))
                more, listed = ", …" if len(places) > 12 else "", ", ".join(places[:12])
                close = nearest(path, places)
                return f"Json has the path '{path}', which leads nowhere.{close} The cells have: {listed}{more}"
            inside = read(pd.Series([*values, None], dtype=object))
            if reason := refusal(allowed, inside):
                return f"Json has the path '{path}', where the cells hold {inside.logical}. {reason}"
        return ""

    def compare(self, expected: Column, actual: Column, noise: float, source: Source) -> Cells:
        """Return where two aligned columns differ."""
        return compare_by_rule(expected, actual, self.rule(noise), source)


_Ways = tuple[tuple[Steps, int, Rule], ...]  # the steps that are left of a path, how many * it has, what it allows


@dataclass(frozen=True)
class _Waiting(Rule):
    """A rule with paths that lead on from here."""

    ways: _Ways = ()

    def enter(self, step: Any) -> Rule:
        here = Rule(self.tolerance, self.noise, self.text, self.apart, None, self.floats)
        on = tuple((steps[1:], stars, rule) for steps, stars, rule in self.ways if fits(steps[0], step))
        return _arrived(here, on)


def _arrived(here: Rule, ways: _Ways) -> Rule:
    ends = [(stars, n, rule) for n, (steps, stars, rule) in enumerate(ways) if not steps]
    if ends:
        here = replace(min(ends)[2], floats=here.floats)
    on = tuple(way for way in ways if way[0])
    return _Waiting(here.tolerance, here.noise, here.text, here.apart, None, here.floats, on) if on else here


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
