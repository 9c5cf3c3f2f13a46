"""A dependency's answers laid out by key, and given again for any of the keys, in any order and batch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError
from seatrial.io.exact_json import to_json
from seatrial.reference.keys import index_of, order_of

ROW = "__row__"  # position among the rows of one key: a key may have none, one or several
VALUE = "value"  # the column of an answer that is not a frame
MIXED = "in one shape for some keys and in another for others; give it one shape"


@dataclass(frozen=True)
class Lookup:
    """All answers of one method called with the same other arguments.

    Attributes:
        call: the method and its arguments as JSON text, ``<keys>`` in the place of the keys.
        form: what tells whose an answer is: ``columns`` or the ``index`` of a frame, the keys of a ``mapping``, or
            its ``position``; ``aligned`` is by position, with the index of the keys that were asked.
        kind: the answer's type: ``frame``, ``series``, ``dict``, ``list`` or ``array``. The values of a dict or list
            are kept as JSON text.
        on: the key columns, named as the answer names them.
        ordered: the answer follows the order of the keys that are asked, once for each asking.
        name: a Series' name.
        asked: the distinct keys that were asked; one column a key column.
        rows: what was answered, its columns in their order, with the key columns and ``__row__``.
    """

    call: str
    form: str
    kind: str
    on: tuple[str, ...]
    ordered: bool
    name: str | None
    asked: pd.DataFrame
    rows: pd.DataFrame

    @property
    def layout(self) -> dict[str, Any]:
        """Everything but the two frames, as JSON types."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"asked", "rows"}}


def lay_out(call: str, keys: pd.DataFrame, answer: Any) -> Lookup | None:
    """Return an answer laid out by key, or None when it cannot be told which key each part belongs to."""
    found = _by_key(keys, answer) if isinstance(answer, pd.DataFrame | pd.Series) else _by_value(keys, answer)
    if found is None:
        return None
    form, on, body = found
    name = answer.name if isinstance(answer, pd.Series) else None
    asked = keys.set_axis(list(on), axis=1).reset_index(drop=True)
    ordered, keep, nth = order_of(index_of(asked), index_of(body[list(on)]), body)
    ordered = ordered or form == "mapping"  # its order is seldom meant, and often a set's
    rows = body.assign(**{ROW: nth})[keep]
    return Lookup(
        call, form, _kind(answer), on, ordered, None if name is None else str(name),
        asked.drop_duplicates(ignore_index=True), rows.reset_index(drop=True),
    )  # fmt: skip


def merged(dependency: str, parts: Sequence[Lookup]) -> Lookup:
    """Return the answers of several calls as one, each key once, in an order that no set or thread decides.

    Raises:
        PipelineError: the calls were answered in different shapes.
    """
    filled = [p for p in parts if len(p.rows)] or parts[:1]
    first = filled[0]
    if any((p.form, p.kind, p.on, p.name) != (first.form, first.kind, first.on, first.name) for p in filled):
        raise PipelineError(f"Dependency '{dependency}' answers {json.loads(first.call)[0]} {MIXED}.")
    on = list(first.on)
    asked = pd.concat([p.asked.set_axis(on, axis=1) for p in parts], ignore_index=True)
    rows = pd.concat([p.rows for p in filled], ignore_index=True).drop_duplicates([*on, ROW], ignore_index=True)
    ordered = all(p.ordered for p in filled)
    if ordered:
        rows = _sorted(rows, [*on, ROW])
    return replace(first, ordered=ordered, asked=_sorted(asked.drop_duplicates(), on), rows=rows)


class Table:
    """A lookup made ready to be asked, from any number of threads."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        on = list(lookup.on)
        self._asked = index_of(lookup.asked)
        self._rows_of = self._asked.get_indexer(index_of(lookup.rows[on]))
        known = self._rows_of[self._rows_of >= 0]
        self._sorted = np.flatnonzero(self._rows_of >= 0)[np.argsort(known, kind="stable")]
        self._counts = np.bincount(known, minlength=len(self._asked))
        self._starts = np.cumsum(self._counts) - self._counts

    def answer(self, keys: pd.DataFrame) -> Any:
        """Return what was recorded for ``keys``; KeyError holds how many of them were never asked."""
        lookup, on = self.lookup, list(self.lookup.on)
        wanted = self._asked.get_indexer(index_of(keys)) if len(keys.columns) == len(on) else np.full(len(keys), -1)
        if (wanted < 0).any():
            raise KeyError(len(index_of(keys[wanted < 0]).unique()))
        if lookup.ordered:
            counts = self._counts[wanted]
            nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            rows = lookup.rows.iloc[self._sorted[np.repeat(self._starts[wanted], counts) + nth]]
        else:
            rows = lookup.rows[np.isin(self._rows_of, wanted)]
        found = rows.drop(columns=ROW).reset_index(drop=True)
        if lookup.kind in {"dict", "list"}:
            values = [json.loads(text) for text in found[VALUE]]
            return dict(zip(found[on[0]].tolist(), values, strict=True)) if lookup.kind == "dict" else values
        if lookup.form == "columns":
            return found
        if lookup.form == "index":
            found = found.set_index(on if len(on) > 1 else on[0])
        else:
            found = found.drop(columns=on)
            found = found.set_axis(keys.index, axis=0) if lookup.form == "aligned" else found
        if lookup.kind == "array":
            return np.array(found[VALUE].tolist()) if found[VALUE].dtype == object else found[VALUE].to_numpy()
        return found[VALUE].rename(lookup.name) if lookup.kind == "series" else found


def _kind(answer: Any) -> str:
    if isinstance(answer, Mapping):
        return "dict"
    kinds: dict[type, str] = {pd.DataFrame: "frame", pd.Series: "series", np.ndarray: "array"}
    return next((kind for kind_of, kind in kinds.items() if isinstance(answer, kind_of)), "list")


def _by_value(keys: pd.DataFrame, answer: Any) -> tuple[str, tuple[str, ...], pd.DataFrame] | None:
    """Lay out a mapping, a list or an array: the form, the key columns, and keys beside values."""
    on = tuple(keys.columns)
    try:
        if isinstance(answer, Mapping) and len(on) == 1:
            known = pd.Series(list(answer), dtype=object)
            if not index_of(known.to_frame()).isin(index_of(keys)).all():
                return None
            known = known.astype(keys.dtypes.iloc[0]) if len(known) else keys.iloc[:0, 0]
            return "mapping", on, pd.DataFrame({on[0]: known, VALUE: _texts(answer.values())})
        if isinstance(answer, np.ndarray) and answer.ndim and len(answer) == len(keys):
            values = pd.Series(answer if answer.ndim == 1 else list(answer))
        elif isinstance(answer, list | tuple) and len(answer) == len(keys):
            values = _texts(answer)
        else:
            return None
    except (TypeError, ValueError):  # values that are not JSON, or keys of another type
        return None
    on = tuple("key" if c == VALUE else c for c in on)
    return "position", on, keys.set_axis(list(on), axis=1).reset_index(drop=True).assign(**{VALUE: values})


def _texts(values: Any) -> pd.Series:
    return pd.Series([to_json(v) for v in values], dtype="string")


def _by_key(keys: pd.DataFrame, answer: Any) -> tuple[str, tuple[str, ...], pd.DataFrame] | None:
    """Lay out a frame or Series: the form, the key columns, and keys beside what was answered."""
    frame = answer.rename(VALUE).to_frame() if isinstance(answer, pd.Series) else answer
    if not frame.columns.is_unique or not all(isinstance(c, str) for c in frame.columns):
        return None
    index, asked = answer.index, tuple(keys.columns)
    if isinstance(answer, pd.DataFrame) and (on := _key_columns(frame, keys)):
        return "columns", on, frame.reset_index(drop=True)
    aligned = len(frame) == len(keys) and index.equals(keys.index)
    named = tuple(index.names) == asked
    keyed = len(asked) == 1 and not isinstance(index, pd.RangeIndex) and _within(index, keys)
    if named or (keyed and not aligned):
        on = asked if named else (str(index.name or "index"),)
        return "index", on, frame.rename_axis(list(on)).reset_index()
    if len(frame) != len(keys):
        return None
    free = tuple(c if c not in frame.columns else f"{c} asked" for c in asked)
    beside = keys.set_axis(list(free), axis=1).reset_index(drop=True)
    return "aligned" if aligned else "position", free, pd.concat([beside, frame.reset_index(drop=True)], axis=1)


def _key_columns(frame: pd.DataFrame, keys: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns that say whose a row is: those named like the keys, or the one that holds nothing else."""
    if set(keys.columns) <= set(frame.columns):
        return tuple(keys.columns)
    if len(keys.columns) > 1:
        return ()
    holding = [c for c in frame.columns if _within(frame[c], keys)]
    if len(frame) == len(keys):  # it may as well answer by position, and hold numbers that look like keys
        in_order = [c for c in holding if index_of(frame[[c]]).equals(index_of(keys))]
        holding = in_order or [c for c in holding if frame[c].is_unique]
    return tuple(holding[:1])


def _within(values: pd.Series | pd.Index, keys: pd.DataFrame) -> bool:
    try:
        return bool(index_of(values.to_frame()).isin(index_of(keys)).all())
    except TypeError:  # lists and mappings are no keys
        return False


def _sorted(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return frame.sort_values(by, kind="stable", ignore_index=True, key=lambda c: c if c.name == ROW else c.astype(str))
