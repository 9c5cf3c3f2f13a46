"""Dependencies' answers, kept at capture and given again in a replay, key by key.

A client is recorded through its methods. A method that takes keys (a Series, Index, array or list, or a frame of
key columns) and answers with a frame, a Series, a mapping or a list is a *lookup*: each key's answer is kept apart,
so a replay may ask for any of the keys, in any order and batch. Any other method is kept call by call, and its
arguments and answer must be JSON.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError

ROW = "__row__"  # position among the rows of one key: a key may have none, one or several
KEYS = "<keys>"  # stands for the keys in a call's recorded arguments


@dataclass(frozen=True)
class Lookup:
    """All answers of one method called with the same other arguments.

    Attributes:
        call: the method and its arguments as JSON text, ``<keys>`` in the place of the keys.
        form: how the method answers: ``columns``, ``index``, ``mapping`` or ``position``.
        kind: the answer's type: ``frame``, ``series``, ``dict`` or ``list``.
        on: the key columns.
        asked: the distinct keys that were asked, in order; one column a key column.
        rows: the answers: the key columns, ``__row__``, then what was answered.
    """

    call: str
    form: str
    kind: str
    on: tuple[str, ...]
    asked: pd.DataFrame
    rows: pd.DataFrame


@dataclass(frozen=True)
class Answers:
    """Everything one dependency answered: lookups by call, and plain calls with their JSON answers."""

    lookups: Mapping[str, Lookup]
    calls: Mapping[str, Any]

    @property
    def size(self) -> int:
        """How many keys and calls were answered."""
        return sum(len(lookup.asked) for lookup in self.lookups.values()) + len(self.calls)


class Recorder:
    """Stands before a live client and keeps what it answers."""

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client
        self._lookups: dict[str, list[Lookup]] = {}
        self._calls: dict[str, Any] = {}

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__"):
            raise AttributeError(method)
        attribute = getattr(self._client, method)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            keys, text = split_call(self._name, method, attribute, args, kwargs)
            answer = attribute(*args, **kwargs)
            if keys is not None and (lookup := _lookup(text, keys, answer)):
                self._lookups.setdefault(text, []).append(lookup)
            else:
                whole = whole_call(self._name, method, args, kwargs)
                self._calls[whole] = _json(self._name, method, answer)
            return answer

        return call

    def answers(self) -> Answers:
        """Return what was kept so far, each key once."""
        return Answers({text: _merge(parts) for text, parts in self._lookups.items()}, dict(self._calls))


class Replayer:
    """Stands in for a client and answers from what was recorded. It can be asked from several threads."""

    def __init__(self, name: str, answers: Answers) -> None:
        self._name = name
        self._answers = answers

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__"):
            raise AttributeError(method)

        def call(*args: Any, **kwargs: Any) -> Any:
            keys, text = split_call(self._name, method, None, args, kwargs)
            lookup = self._answers.lookups.get(text) if keys is not None else None
            if lookup is not None and keys is not None:
                return _answer(self._name, method, lookup, keys)
            whole = whole_call(self._name, method, args, kwargs)
            if whole in self._answers.calls:
                return self._answers.calls[whole]
            known = sorted({json.loads(c)[0] for c in (*self._answers.lookups, *self._answers.calls)})
            raise PipelineError(
                f"Dependency '{self._name}' was asked {method}(…) in a way that was not recorded at capture. "
                f"Recorded methods: {', '.join(known) or 'none'}. Capture the reference again with this code."
            )

        return call


def split_call(
    name: str,
    method: str,
    function: Callable[..., Any] | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[pd.DataFrame | None, str]:
    """Return the keys of a call as a frame (None when it has none or several) and the call's text without them."""
    many = [a for a in (*args, *kwargs.values()) if _is_keys(a)]
    if function is not None and inspect.iscoroutinefunction(function):
        raise PipelineError(
            f"Dependency '{name}': {method} is a coroutine; give the stages a client with plain methods."
        )
    if len(many) != 1:
        return None, ""
    blank = [
        [KEYS if _is_keys(a) else a for a in args],
        {k: KEYS if _is_keys(v) else v for k, v in kwargs.items()},
    ]
    return _as_keys(many[0]), _text(name, method, blank)


def whole_call(name: str, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a call as JSON text, the name under which its answer is kept."""
    return _text(name, method, [[_listed(a) for a in args], {k: _listed(v) for k, v in kwargs.items()}])


def ask_again(name: str, client: Any, lookup: Lookup) -> pd.DataFrame:
    """Ask a live client for all the keys of a recorded lookup; return its rows in the recorded layout."""
    method, (args, kwargs) = json.loads(lookup.call)
    keys = lookup.asked if len(lookup.on) > 1 else lookup.asked[lookup.on[0]]
    answer = getattr(client, method)(
        *[keys if a == KEYS else a for a in args], **{k: keys if v == KEYS else v for k, v in kwargs.items()}
    )
    again = _lookup(lookup.call, lookup.asked, answer)
    if again is None:
        raise PipelineError(f"Dependency '{name}': {method} answered with {type(answer).__name__}, not with rows.")
    return again.rows


def call_again(name: str, client: Any, text: str) -> Any:
    """Repeat a recorded plain call on a live client; return its answer in JSON's own types."""
    method, (args, kwargs) = json.loads(text)
    return _json(name, method, getattr(client, method)(*args, **kwargs))


def _is_keys(value: Any) -> bool:
    return isinstance(value, pd.Series | pd.Index | pd.DataFrame | np.ndarray | list | tuple | set | frozenset)


def _as_keys(value: Any) -> pd.DataFrame:
    if isinstance(value, pd.DataFrame):
        return value.reset_index(drop=True)
    name = getattr(value, "name", None)
    values = sorted(value) if isinstance(value, set | frozenset) else value
    series = values.reset_index(drop=True) if isinstance(values, pd.Series) else pd.Series(values)
    return series.rename(str(name) if name is not None else "key").to_frame()


def _lookup(text: str, keys: pd.DataFrame, answer: Any) -> Lookup | None:
    """Return the answer laid out by key, or None when it cannot be told which key each part belongs to."""
    on = tuple(map(str, keys.columns))
    form, kind, rows = "", "frame", None
    if isinstance(answer, Mapping) and len(on) == 1:
        form, kind = "mapping", "dict"
        rows = pd.DataFrame({on[0]: list(answer), "value": list(answer.values())})
    elif isinstance(answer, pd.DataFrame) and set(on) <= set(map(str, answer.columns)):
        form, rows = "columns", answer.reset_index(drop=True)
    elif isinstance(answer, pd.DataFrame | pd.Series):
        kind = "series" if isinstance(answer, pd.Series) else "frame"
        frame = answer.rename("value").to_frame() if isinstance(answer, pd.Series) else answer
        if answer.index.nlevels == len(on) and _keyed_by(answer.index, keys, on):
            form, rows = "index", frame.rename_axis(list(on)).reset_index()
        elif len(answer) == len(keys):
            form, rows = "position", pd.concat([keys, frame.reset_index(drop=True)], axis=1)
    elif isinstance(answer, list | tuple | np.ndarray) and len(answer) == len(keys):
        form, kind = "position", "list"
        rows = keys.assign(value=list(answer))
    if rows is None:
        return None
    asked = keys.drop_duplicates().reset_index(drop=True)
    if form == "position":
        rows = rows.loc[~keys.duplicated().to_numpy()].reset_index(drop=True)
    rows = rows.assign(
        **{ROW: rows.groupby(list(on), dropna=False, sort=False, observed=True).cumcount().astype("int64")}
    )
    return Lookup(text, form, kind, on, asked, rows[[*on, ROW, *[c for c in rows.columns if c not in (*on, ROW)]]])


def _keyed_by(index: pd.Index, keys: pd.DataFrame, on: tuple[str, ...]) -> bool:
    if tuple(index.names) == on:
        return True
    return len(on) == 1 and index.name is None and bool(index.isin(keys[on[0]]).all()) and not _is_range(index)


def _is_range(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex)


def _answer(name: str, method: str, lookup: Lookup, keys: pd.DataFrame) -> Any:
    on = list(lookup.on)
    keys = keys.set_axis(on, axis=1) if len(keys.columns) == len(on) else keys
    known, wanted = _codes(lookup.asked, keys)
    lost = ~np.isin(wanted, known)
    if lost.any():
        raise PipelineError(
            f"Dependency '{name}' was asked {method}(…) for {int(lost.sum()):,} key(s) that capture never asked for. "
            "The stage looks up other keys than it did in training, or the reference is too old: capture it again."
        )
    rows_of, wanted = _codes(lookup.rows[on], keys)
    if lookup.form == "position":
        order = pd.Series(np.arange(len(rows_of)), index=rows_of).reindex(wanted).to_numpy()
        found = lookup.rows.iloc[order]
    else:
        found = lookup.rows[np.isin(rows_of, wanted)]
    found = found.drop(columns=ROW).reset_index(drop=True)
    if lookup.form == "columns":
        return found
    values = found.drop(columns=on) if lookup.form == "position" else found.set_index(on if len(on) > 1 else on[0])
    if lookup.kind == "frame":
        return values
    if lookup.kind == "series":
        return values["value"]
    return dict(values["value"].items()) if lookup.kind == "dict" else values["value"].tolist()


def _codes(left: pd.DataFrame, right: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of two frames of keys as numbers that are equal where the keys are."""
    both = pd.concat([left, right.set_axis(left.columns, axis=1)], ignore_index=True)
    codes = both.groupby(list(both.columns), dropna=False, sort=False, observed=True).ngroup().to_numpy()
    return codes[: len(left)], codes[len(left) :]


def _merge(parts: list[Lookup]) -> Lookup:
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    on = list(first.on)
    asked = pd.concat([p.asked for p in parts], ignore_index=True).drop_duplicates(ignore_index=True)
    rows = pd.concat([p.rows for p in parts], ignore_index=True).drop_duplicates([*on, ROW], ignore_index=True)
    return Lookup(first.call, first.form, first.kind, first.on, asked, rows)


def _listed(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        return value.to_dict("list")
    if isinstance(value, set | frozenset):
        return sorted(value)
    return list(value) if _is_keys(value) else value


def _text(name: str, method: str, arguments: Any) -> str:
    try:
        return json.dumps([method, arguments], sort_keys=True, default=_scalar, ensure_ascii=False)
    except TypeError as error:
        raise PipelineError(
            f"Dependency '{name}': the arguments of {method} cannot be recorded as JSON: {error}."
        ) from error


def _json(name: str, method: str, answer: Any) -> Any:
    try:
        return json.loads(json.dumps(answer, default=_scalar))
    except TypeError as error:
        raise PipelineError(
            f"Dependency '{name}': {method} answered with {type(answer).__name__}, which cannot be recorded. Give the "
            "stages a client whose methods take keys and return a frame, a Series, a mapping or plain JSON."
        ) from error


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
