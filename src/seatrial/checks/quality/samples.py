"""The rows on which the quality of a stage is evaluated, with what each model predicted for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from seatrial.formatting import plural
from seatrial.metrics import Array, Metric, Predictions, resamples
from seatrial.metrics.ranking import rankable

Who = Literal["version", "champion", "baseline"]
Drawn = dict[str, dict[Who, Array]]  # a metric of each model on the resamples

MIN_ROWS = 200  # with fewer, a metric is not evaluated
MIN_EVENTS = 20  # and as many rows without the event; of classes, rows of two of them
MIN_REQUESTS = 50  # of ranked lists that have a better and a worse order
RESAMPLES = 1_000
CELLS = 50_000_000  # resamples times rows times columns: with more, fewer resamples are drawn
FEWEST = 200
MOST_ROWS = 100_000  # that are resampled; of more rows, a random part is


@dataclass(frozen=True)
class LabelledSample:
    """Rows with a known label.

    Attributes:
        keys: their key columns (n).
        of: what each model predicted for them; all have the same labels.
    """

    keys: pd.DataFrame
    of: Mapping[Who, Predictions]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def version(self) -> Predictions:
        """Return what the version under validation predicted."""
        return self.of["version"]

    def take(self, rows: Any) -> LabelledSample:
        """Return some rows, by position or mask."""
        return LabelledSample(self.keys[rows].reset_index(drop=True), {n: p.take(rows) for n, p in self.of.items()})

    def beside(self, who: Who, other: Predictions) -> LabelledSample:
        """Return the rows for which another model predicted something too, with both predictions."""
        other = replace(other, labels=self.version.labels, requests=self.version.requests)
        sizes = max(other.classes, self.version.classes)
        both = {n: replace(p, classes=sizes) for n, p in {"version": self.version, who: other}.items()}
        return LabelledSample(self.keys, both).take(other.known)

    def shortage(self, metrics: Sequence[Metric]) -> str:
        """Return a sentence if the rows are too few for these metrics, or the empty string."""
        rows, labels = len(self), self.version.labels
        if rows < MIN_ROWS:
            return f"{plural(rows, 'labelled row')} cannot be evaluated; {MIN_ROWS} are needed."
        tasks = {t for m in metrics for t in m.of[:1]}
        if tasks == {"ranking"} and (lists := rankable(self.version.requests, labels)) < MIN_REQUESTS:
            return (
                f"{plural(lists, 'request')} with rows of different relevance cannot be evaluated; {MIN_REQUESTS} are "
                "needed."
            )
        if any(m.name == "r2" for m in metrics) and (labels == labels[0]).all():
            return f"All {rows:,} labels are equal: there is no variance that r2 could explain."
        if {"events", "classes"} & {t for m in metrics for t in m.of}:
            counts = np.bincount(labels.astype(np.int64), minlength=2)
            second = int(np.sort(counts)[-2])
            if second < MIN_EVENTS:
                return self._few_events(counts, second)
        return ""

    def _few_events(self, counts: Any, second: int) -> str:
        enough = math.ceil(MIN_EVENTS * len(self) / second / 100) * 100 if second else 0
        more = f" At this rate, about {enough:,} labelled rows hold as many." if enough else ""
        if len(counts) > 2 or self.version.classes > 2:
            return (
                f"Only one class has {MIN_EVENTS} of the {len(self):,} labelled rows, which cannot be evaluated; two "
                f"classes with {MIN_EVENTS} rows each are needed.{more}"
            )
        return (
            f"{plural(int(counts[1]), 'event')} among {len(self):,} labelled rows cannot be evaluated; {MIN_EVENTS} "
            f"events and {MIN_EVENTS} rows without the event are needed.{more}"
        )

    def value(self, metric: Metric, who: Who = "version") -> float:
        """Return a metric of one model."""
        return metric.value(self.of[who])

    def bootstrap(self, metrics: Sequence[Metric], seed: Sequence[int]) -> Drawn:
        """Return each metric of each model on the same resamples (a paired bootstrap).

        Requests are resampled where rows belong to some. Cost is bounded: above 50,000 rows fewer resamples are drawn,
        and of more than 100,000 rows a random part is resampled.
        """
        units = len(self) if self.version.requests is None else int(self.version.requests.max(initial=-1)) + 1
        if len(self) > MOST_ROWS:
            return self._bootstrap_part(metrics, seed, units)
        confused = any(m.needs == "decisions" for m in metrics)
        width = max(1 if p.scores is None or p.scores.ndim == 1 else p.scores.shape[1] for p in self.of.values())
        count = min(RESAMPLES, max(FEWEST, CELLS // (len(self) * width)))
        cells = max(len(self), self.version.classes**2 if confused else 0)
        prepared = {m.name: {who: m.prepare(p) for who, p in self.of.items()} for m in metrics}
        drawn: dict[str, dict[Who, list[Array]]] = {m.name: {who: [] for who in self.of} for m in metrics}
        for weights in resamples(units, count, seed, width=cells):
            by_row = weights if self.version.requests is None else weights[:, self.version.requests]
            for m in metrics:
                for who, values in prepared[m.name].items():
                    drawn[m.name][who].append(values(weights if m.by_request else by_row))
        return {name: {who: np.concatenate(v) for who, v in of.items()} for name, of in drawn.items()}

    def _bootstrap_part(self, metrics: Sequence[Metric], seed: Sequence[int], units: int) -> Drawn:
        """Return the resamples of a random part, moved to the values of all rows.

        Their deviations are made smaller by the square root of the part: so does the error of all rows relate to it.
        """
        rng = np.random.default_rng([*seed, 1])
        chosen = rng.permutation(units)[: max(1, units * MOST_ROWS // len(self))]
        mask = np.zeros(units, dtype=bool)
        mask[chosen] = True
        part = self.take(mask if self.version.requests is None else mask[self.version.requests])
        part = part.take(slice(0, MOST_ROWS))  # requests are of different sizes
        drawn, shrink = part.bootstrap(metrics, seed), math.sqrt(len(part) / len(self))
        return {
            m.name: {who: self.value(m, who) + shrink * (v - part.value(m, who)) for who, v in drawn[m.name].items()}
            for m in metrics
        }
