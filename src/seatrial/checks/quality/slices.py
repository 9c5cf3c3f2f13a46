"""The rows of each value of a column, where they are enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from seatrial.checks.quality.case import QualityInput
from seatrial.checks.quality.columns import Lookup, texts
from seatrial.checks.quality.samples import MIN_EVENTS, MIN_ROWS, LabelledSample
from seatrial.errors import PolicyError, nearest
from seatrial.events import Event, Severity
from seatrial.metrics import Metric

MAX_SLICES = 50  # values of one column, the most frequent


def slices_of(case: QualityInput, data: LabelledSample) -> Iterator[tuple[str, str, LabelledSample]]:
    """Yield column, value and rows of every slice with enough rows."""
    for column in case.quality.slices:
        for value, part, shortage in parts_of(case, data, column, case.metrics, "Slice"):
            if not shortage:
                yield column, value, part


def small_slices(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Yield a warning for each slice column none of whose values has enough rows."""
    for column in case.quality.slices:
        if all(shortage for *_, shortage in parts_of(case, data, column, case.metrics, "Slice")):
            yield case.finding(
                f"No value of slice '{column}' has enough rows: {MIN_ROWS} labelled rows are needed, and for metrics "
                f"of events {MIN_EVENTS} events and {MIN_EVENTS} rows without the event.",
                "slice-not-evaluated",
                severity=Severity.WARNING,
                advice="Slice by a column of few values, or capture the reference with more labelled rows.",
            )


def parts_of(
    case: QualityInput, data: LabelledSample, column: str, metrics: Sequence[Metric], what: str
) -> Iterator[tuple[str, LabelledSample, str]]:
    """Yield value, rows and shortage of the most frequent values of a column.

    The column is taken from the stage or an earlier one, the nearest first, else from the requests; of a group also
    from the labels.

    Raises:
        PolicyError: no such column.
    """
    lookup, labels = Lookup(case.trial, case.stage, data.keys), what == "Group"
    found = lookup.find(column, labels=labels)
    if found is None:
        known = lookup.known(labels=labels)
        raise PolicyError(
            f"{what} '{column}' of stage '{case.stage}' is not a column of this stage or an earlier one. "
            f"Columns: {', '.join(known[:20])}.{nearest(column, known)}"
        )
    codes, unique = pd.factorize(texts(found))
    counts = np.bincount(codes, minlength=len(unique))
    for code in np.argsort(-counts, kind="stable")[:MAX_SLICES]:
        if counts[code] < MIN_ROWS:
            yield str(unique[code]), data, f"{counts[code]:,} labelled rows of {MIN_ROWS} needed"
        else:
            part = data.take(codes == code)
            yield str(unique[code]), part, part.shortage(metrics)
