"""The geometry of the diagram of the path: boxes and arrows in user units of an SVG, drawn by the template."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from seatrial.sinks.outline import Place, State
from seatrial.sinks.text import fit, width

MOST_ACROSS = 7
"""The most stages that are drawn side by side; a longer path is drawn downwards."""

Layout = Literal["across", "down"]


@dataclass(frozen=True)
class Box:
    """A place with its position. ``label`` is its name, cut to the width of the box."""

    x: float
    y: float
    width: float
    height: float
    place: Place
    dependency: bool
    label: str

    @property
    def tight(self) -> bool:
        """Return whether the label fits in smaller letters only."""
        return 10.2 * width(self.label) > self.width - 28


@dataclass(frozen=True)
class Arrow:
    """A straight arrow; ``state`` is that of the place it leads to."""

    x1: float
    y1: float
    x2: float
    y2: float
    state: State

    @property
    def head(self) -> str:
        """Return the points of its head, a triangle at the far end."""
        dx, dy = _sign(self.x2 - self.x1), _sign(self.y2 - self.y1)
        points = (
            (self.x2, self.y2),
            (self.x2 - 8 * dx - 4.5 * dy, self.y2 - 8 * dy - 4.5 * dx),
            (self.x2 - 8 * dx + 4.5 * dy, self.y2 - 8 * dy + 4.5 * dx),
        )
        return " ".join(f"{x:g},{y:g}" for x, y in points)


@dataclass(frozen=True)
class Diagram:
    """A diagram for the template to draw."""

    layout: Layout
    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    title: str


def diagram(path: Sequence[Place], dependencies: Collection[str], layout: Layout) -> Diagram:
    """Lay out the path; a dependency belongs to the stage that follows it in the path."""
    groups = _groups(path, dependencies)
    boxes, arrows, width, height = _across(groups) if layout == "across" else _down(groups)
    title = "; ".join(f"{p.name}: {p.state.value}" for p in path)
    return Diagram(layout, width, height, tuple(boxes), tuple(arrows), title)


def _groups(path: Sequence[Place], dependencies: Collection[str]) -> list[tuple[Place, list[Place]]]:
    """Pair each stage with the dependencies before it in the path."""
    groups: list[tuple[Place, list[Place]]] = []
    waiting: list[Place] = []
    for place in path:
        if place.name in dependencies:
            waiting.append(place)
        else:
            groups.append((place, waiting))
            waiting = []
    return groups + [(place, []) for place in waiting]


Laid = tuple[list[Box], list[Arrow], float, float]


def _across(groups: Sequence[tuple[Place, list[Place]]]) -> Laid:
    breadth, high, gap, small, edge = 144, 92, 36, 66, 16
    most = max((len(uses) for _, uses in groups), default=0)
    top = edge + most * (small + 26)
    boxes, arrows = [], []
    for at, (stage, uses) in enumerate(groups):
        x = 4 + at * (breadth + gap)
        boxes.append(Box(x, top, breadth, high, stage, False, fit(stage.name, 14)))
        if at:
            arrows.append(Arrow(x - gap + 4, top + high / 2, x - 4, top + high / 2, stage.state))
        for up, place in enumerate(reversed(uses), start=1):
            y = top - up * (small + 26)
            boxes.append(Box(x + 14, y, breadth - 28, small, place, True, fit(place.name, 11)))
            arrows.append(Arrow(x + breadth / 2, y + small + 5, x + breadth / 2, y + small + 22, place.state))
    return boxes, arrows, len(groups) * (breadth + gap) - gap + 8, top + high + edge


def _down(groups: Sequence[tuple[Place, list[Place]]]) -> Laid:
    breadth, high, gap, small, beside = 246, 70, 26, 62, 34
    y: float = 16
    boxes, arrows = [], []
    for at, (stage, uses) in enumerate(groups):
        room = max(high, len(uses) * (small + 8) - 8)
        boxes.append(Box(4, y, breadth, room, stage, False, fit(stage.name, 23)))
        if at:
            arrows.append(Arrow(4 + breadth / 2, y - gap + 4, 4 + breadth / 2, y - 4, stage.state))
        for place in uses:
            offset = y + (room - len(uses) * (small + 8) + 8) / 2 + uses.index(place) * (small + 8)
            boxes.append(Box(4 + breadth + beside, offset, 118, small, place, True, fit(place.name, 11)))
            arrows.append(Arrow(breadth + beside, offset + small / 2, breadth + 8, offset + small / 2, place.state))
        y += room + gap
    return boxes, arrows, breadth + beside + 126, y - gap + 16


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
