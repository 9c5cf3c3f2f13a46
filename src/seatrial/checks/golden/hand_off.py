"""The properties of a stage hand-off that a stored frame does not preserve: index, orders, types, categories."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from seatrial.events import Finding, Severity
from seatrial.parity.result import Parity
from seatrial.pipeline import row_index
from seatrial.trial import Trial


def hand_off_differences(
    stored: pd.DataFrame, returned: pd.DataFrame, parity: Parity, *, indexed: bool = False
) -> list[str]:
    """Return, without cell values, how the frame that a stage returned differs from the one in the reference.

    Args:
        stored: the frame in the reference.
        returned: the frame that the stage returned now.
        parity: of the two.
        indexed: whether the frame had another index than 0…n-1 when it was captured, which storage leaves out.
    """
    found = []
    if not indexed and not _is_range(returned.index):
        found.append(f"the index is not 0…n-1 ({_describe_index(returned.index)})")
    if not parity.row_order_ok:
        found.append("the rows are in another order")
    if not parity.column_order_ok:
        found.append("the columns are in another order")
    for name in (c for c in stored.columns if c in returned.columns):
        found += _column(str(name), stored[name].dtype, returned[name].dtype)
    near = [c.column for c in parity.columns if c.ok and c.max_abs_diff]
    if near:
        found.append(f"{', '.join(map(repr, near[:3]))} differ within the tolerance")
    return found


def answer_order(name: str, trial: Trial, last: str) -> Iterator[Finding]:
    """Yield a finding where the answers are not in the order of the requests; batch callers read them by position."""
    key = trial.pipeline.key_of()
    if trial.pipeline.stage(last).ordered and key == trial.pipeline.key_of(last):
        return  # the comparison with the reference judges it
    requests = trial.reference.requests
    if not set(key) <= set(requests.columns):
        requests = trial.reference.frame(trial.pipeline.stages[0])
    requested = row_index(requests, key).unique()
    if _in_order(requested, row_index(trial.chained(last), key)):
        return
    was = row_index(trial.reference.frame(last), key)
    recorded = ", as in the reference" if not _in_order(requested, was) else ""
    yield Finding(
        name, last, f"The order of the answers differs from the order of the requests{recorded}.",
        severity=Severity.INFO if recorded else Severity.WARNING, cause="row-order",
        advice="Return the answers in the order of the requests; callers that match them by position mix them up.",
    )  # fmt: skip


def _in_order(requested: pd.Index, answered: pd.Index) -> bool:
    position = requested.get_indexer(answered)
    position = position[position >= 0]
    return bool((position[1:] >= position[:-1]).all())


def _is_range(index: pd.Index) -> bool:
    return index.nlevels == 1 and bool(index.equals(pd.RangeIndex(len(index))))


def _describe_index(index: pd.Index) -> str:
    named = [str(n) for n in index.names if n is not None]
    if named:
        return f"named {', '.join(named)}"
    if not index.is_unique:
        return "labels repeat"
    return "rows were filtered or moved and kept their labels"


def _column(name: str, stored: object, returned: object) -> list[str]:
    if isinstance(stored, pd.CategoricalDtype) and isinstance(returned, pd.CategoricalDtype):
        if set(stored.categories) != set(returned.categories):
            return [f"'{name}' has {len(returned.categories):,} categories instead of {len(stored.categories):,}"]
        if list(stored.categories) != list(returned.categories):
            return [f"the categories of '{name}' are in another order, and so are their codes"]
        return [] if stored.ordered == returned.ordered else [f"'{name}' is an ordered category on one side only"]
    return [] if str(stored) == str(returned) else [f"'{name}' has type {returned} instead of {stored}"]
