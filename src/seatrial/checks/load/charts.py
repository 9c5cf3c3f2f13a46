"""Two charts of load runs as SVG: the latency distribution, and the latency over time. No script, font or link."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from seatrial.formatting import plural
from seatrial.loadgen.results import LoadRun

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 240, 56, 34, 22
INK, BARS, LIMIT, SLOW = "#333", "#4c78a8", "#c0392b", "#e39c37"
BINS, SLICES = 48, 120


def histogram(runs: Sequence[LoadRun], limit_seconds: float) -> bytes:
    """Return the latency distribution on a logarithmic axis, as SVG; the limit is a line."""
    times = _finite(runs)
    lost = sum(len(run) for run in runs) - len(times)
    low, high = _span(times, limit_seconds)
    edges = np.geomspace(low, high, BINS + 1)
    counts, _ = np.histogram(np.clip(times, low, high), edges)
    top = max(int(counts.max()), 1)
    wide = (WIDTH - LEFT - 8) / BINS
    bars = "".join(
        f'<rect x="{LEFT + n * wide:.1f}" y="{_y(count / top):.1f}" width="{wide - 1:.1f}" '
        f'height="{(HEIGHT - TOP - BOTTOM) * count / top:.1f}" fill="{BARS if edges[n] < limit_seconds else SLOW}"/>'
        for n, count in enumerate(counts)
        if count
    )
    place = LEFT + (WIDTH - LEFT - 8) * _share(limit_seconds, low, high)
    line = f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="{LIMIT}"/>'
    ticks = "".join(
        _text(LEFT + (WIDTH - LEFT - 8) * _share(t, low, high), HEIGHT - BOTTOM + 14, _duration(t), "middle")
        for t in _decades(low, high)
    )
    title = (
        f"Latency of {plural(len(times), 'answer')}{f', {lost:,} requests without one' if lost else ''}; "
        f"limit {_duration(limit_seconds)}"
    )
    return _svg(title, bars + line + ticks + _text(LEFT - 6, TOP + 8, f"{top:,}", "end"))


def timeline(runs: Sequence[LoadRun], limit_seconds: float) -> bytes:
    """Return the median and the highest latency over time, one run after the other, as SVG; the limit is a line."""
    times = _finite(runs)
    low, high = _span(times, limit_seconds)
    total = sum(float(run.scheduled[-1]) for run in runs if len(run)) or 1.0
    marks, begin = [], 0.0
    for run in runs:
        latencies, seconds = run.latencies, float(run.scheduled[-1]) if len(run) else 0.0
        slices = max(1, round(SLICES * seconds / total))
        slot = np.minimum((run.scheduled / max(seconds, 1e-9) * slices).astype(int), slices - 1)
        for n in range(slices):
            inside = latencies[slot == n]
            if len(inside):
                x = LEFT + (WIDTH - LEFT - 8) * (begin + (n + 0.5) * seconds / slices) / total
                for value, colour in ((float(inside.max()), SLOW), (float(np.median(inside)), BARS)):
                    y = _y(min(_share(min(value, high), low, high), 1.0))
                    marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>')
        begin += seconds
    y = _y(_share(limit_seconds, low, high))
    line = f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" stroke="{LIMIT}"/>'
    ticks = "".join(_text(LEFT - 6, _y(_share(t, low, high)) + 4, _duration(t), "end") for t in _decades(low, high))
    ends = _text(LEFT, HEIGHT - BOTTOM + 14, "0 s", "start")
    ends += _text(WIDTH - 8, HEIGHT - BOTTOM + 14, f"{total:.0f} s", "end")
    return _svg(
        f"Latency over {plural(len(runs), 'run')}: median blue, slowest orange; limit {_duration(limit_seconds)}",
        "".join(marks) + line + ticks + ends,
    )


def _finite(runs: Sequence[LoadRun]) -> np.ndarray:
    times = np.concatenate([run.latencies for run in runs])
    return np.asarray(times[np.isfinite(times)])


def _span(times: np.ndarray, limit: float) -> tuple[float, float]:
    low = max(1e-5, min(float(times.min(initial=limit)), limit) * 0.8)
    return low, max(float(times.max(initial=limit)), limit) * 1.25


def _share(value: float, low: float, high: float) -> float:
    return math.log(max(value, low) / low) / math.log(high / low)


def _decades(low: float, high: float) -> Iterator[float]:
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 3):
            if low <= digit * 10.0**power <= high:
                yield digit * 10.0**power


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1e3:g} ms"


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _svg(title: str, inside: str) -> bytes:
    axis = f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - 8}" fill="none" stroke="{INK}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="11" fill="{INK}"><title>{title}</title>{_text(LEFT, 14, title, "start")}{axis}{inside}</svg>'
    ).encode()
