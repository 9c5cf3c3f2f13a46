"""What one stage hands to the next that a stored frame does not keep: index, orders, types, categories."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from seatrial.events import Finding, Severity
from seatrial.parity.result import Parity
from seatrial.trial import Trial


def what_differs(stored: pd.DataFrame, handed: pd.DataFrame, parity: Parity) -> list[str]:
    """Name, without cell values, how a frame as handed over differs from the one that training stored."""
    found = []
    if not _plain(handed.index):
        found.append(f"its index is not 0…n-1 ({_index(handed.index)})")
    if not parity.row_order_ok:
        found.append("its rows come in another order")
    if not parity.column_order_ok:
        found.append("its columns come in another order")
    for name in (c for c in stored.columns if c in handed.columns):
        found += _column(str(name), stored[name].dtype, handed[name].dtype)
    near = [c.column for c in parity.columns if c.ok and c.max_abs_diff]
    if near:
        found.append(f"{', '.join(map(repr, near[:3]))} differ within the tolerance")
    return found


def order_of_answers(name: str, trial: Trial, last: str) -> Iterator[Finding]:
    """Say so when the answers come in another order than they were asked for: batch callers go by position."""
    key = trial.pipeline.key
    asked = trial.reference.requests
    if key not in asked.columns:
        asked = trial.reference.frame(trial.pipeline.stages[0])
    if _in_order(asked[key], trial.chained(last)[key]):
        return
    before = "; so they did at training" if not _in_order(asked[key], trial.reference.frame(last)[key]) else ""
    yield Finding(
        name, last, f"The answers come in another order than the requests{before}.",
        severity=Severity.INFO if before else Severity.WARNING, cause="row-order",
        advice="Callers that send a batch and read the answers by position get each other's.",
    )  # fmt: skip


def _in_order(asked: pd.Series, answered: pd.Series) -> bool:
    position = pd.Index(asked).get_indexer(pd.Index(answered))
    position = position[position >= 0]
    return bool((position[1:] > position[:-1]).all())


def _plain(index: pd.Index) -> bool:
    return index.nlevels == 1 and bool(index.equals(pd.RangeIndex(len(index))))


def _index(index: pd.Index) -> str:
    named = [str(n) for n in index.names if n is not None]
    if named:
        return f"named {', '.join(named)}"
    if not index.is_unique:
        return "it repeats labels"
    return "rows were filtered or moved and kept their labels"


def _column(name: str, stored: object, handed: object) -> list[str]:
    if isinstance(stored, pd.CategoricalDtype) and isinstance(handed, pd.CategoricalDtype):
        if set(stored.categories) != set(handed.categories):
            return [f"'{name}' has {len(handed.categories)} categories instead of {len(stored.categories)}"]
        if list(stored.categories) != list(handed.categories):
            return [f"the categories of '{name}' come in another order, and so do their codes"]
        return [] if stored.ordered == handed.ordered else [f"'{name}' is ordered on one side only"]
    return [] if str(stored) == str(handed) else [f"'{name}' is {handed} instead of {stored}"]
