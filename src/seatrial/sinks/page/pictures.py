"""Small pictures of a column that differs, training against serving, as SVG for the template to show.

They are drawn from what :mod:`seatrial.parity.pictures` keeps: counts in bins and medians of groups, and no cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from seatrial.formatting import number

WIDE, SQUARE, HIGH = 300.0, 132.0, 108.0  # user units: width of the distribution, side of the comparison, height
DAY = 86_400.0


@dataclass(frozen=True)
class Shape:
    """A rectangle or circle: its class in the style sheet and its geometry."""

    kind: str
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class Drawing:
    """The pictures of one column.

    Attributes:
        column: its name.
        title: what the distribution shows, for those who do not see it.
        low: the label of the left end of the axis.
        high: the label of the right end.
        bars: of the distribution; of each bin the training bar first.
        outline: the points of the line over the serving bars.
        strips: of the comparison; empty where there is none.
        note: nulls on either side and merged labels, as a sentence; may be empty.
    """

    column: str
    title: str
    low: str
    high: str
    bars: tuple[Shape, ...]
    outline: str
    strips: tuple[Shape, ...]
    note: str


def drawings(evidence: Mapping[str, Any]) -> list[Drawing]:
    """Return the pictures that the evidence of a finding holds; of others than ours nothing is drawn."""
    held = evidence.get("pictures")
    if not isinstance(held, Mapping):
        return []
    return [d for name, picture in held.items() if (d := _drawing(str(name), picture)) is not None]


def _drawing(column: str, picture: Any) -> Drawing | None:
    try:
        bins = [tuple(int(v) for v in each) for each in picture["bins"]]
        strips = [tuple(int(v) for v in each) for each in picture.get("strips", ())]
        kind, rows, nulls = str(picture["kind"]), int(picture["rows"]), [int(n) for n in picture["nulls"]]
        low, high = _ends(picture, kind)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    labels = kind == "labels"
    bars = tuple(_paired(bins) if labels else _overlaid(bins))
    what = "How often each label occurs" if labels else "How the values are distributed"
    return Drawing(
        column=column,
        title=f"{what} in {rows:,} rows, at training and now",
        low=low,
        high=high,
        bars=bars,
        outline="" if labels else _outline(bins),
        strips=tuple(_strips(strips)),
        note=_note(picture, nulls),
    )


def _ends(picture: Mapping[str, Any], kind: str) -> tuple[str, str]:
    if kind == "labels":
        return "most frequent", "all others" if picture.get("rest") else "least frequent"
    low, high = float(picture["low"]), float(picture["high"])
    if kind != "times":
        return number(low), number(high)
    form = "%Y-%m-%d" if high - low > 2 * DAY else "%Y-%m-%d %H:%M"
    return tuple(datetime.fromtimestamp(value, UTC).strftime(form) for value in (low, high))  # type: ignore[return-value]


def _density(bins: Sequence[Sequence[int]]) -> float:
    """Return the largest count per width, the height of the picture."""
    return max((max(e, a) / max(1, to - at) for at, to, e, a in bins), default=0) or 1.0


def _overlaid(bins: Sequence[Sequence[int]]) -> Iterator[Shape]:
    top = _density(bins)
    for at, to, training, _ in bins:
        if training:
            high = HIGH * training / max(1, to - at) / top
            yield Shape("training", _x(at), HIGH - high, max(0.5, _x(to) - _x(at) - 0.6), high)


def _outline(bins: Sequence[Sequence[int]]) -> str:
    top, points = _density(bins), [(0.0, HIGH)]
    for at, to, _, serving in bins:
        y = HIGH - HIGH * serving / max(1, to - at) / top
        points += [(_x(at), y), (_x(to), y)]
    points.append((WIDE, HIGH))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _paired(bins: Sequence[Sequence[int]]) -> Iterator[Shape]:
    top, breadth = max((max(b[2:]) for b in bins), default=1) or 1, WIDE / max(1, len(bins))
    for n, (_, _, *counts) in enumerate(bins):
        for side, (kind, count) in enumerate(zip(("training", "serving"), counts, strict=True)):
            if count:
                high = HIGH * count / top
                yield Shape(kind, n * breadth + (0.1 + 0.4 * side) * breadth, HIGH - high, 0.38 * breadth, high)


def _strips(strips: Sequence[Sequence[int]]) -> Iterator[Shape]:
    for x, low, middle, high in strips:
        left, top = x / 100 * SQUARE, SQUARE - high / 100 * SQUARE
        yield Shape("spread", left - 1.5, top, 3, max(0.8, (high - low) / 100 * SQUARE))
        yield Shape("middle", left, SQUARE - middle / 100 * SQUARE)


def _x(percent: float) -> float:
    return percent / 100 * WIDE


def _note(picture: Mapping[str, Any], nulls: Sequence[int]) -> str:
    told = []
    if any(nulls):
        told.append(f"Null in {nulls[0]:,} rows at training, {nulls[1]:,} now.")
    if picture.get("kind") == "labels":
        told.append("Labels have no names here: values stay on the machine.")
    return " ".join(told)
