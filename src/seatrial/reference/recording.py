"""Dependencies' answers, kept at capture and given again in a replay, key by key.

A client is recorded through its methods, or as a function or mapping itself. A method that takes keys (a Series,
Index, array or list, or a frame of key columns) and answers with a frame, a Series, a mapping, a list or an array is
a *lookup*: each key's answer is kept apart. Anything else is kept call by call, and its answer must be JSON.
"""

from __future__ import annotations

import datetime
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from seatrial.errors import PipelineError
from seatrial.io.exact_json import scalar, to_json
from seatrial.pipeline import Answered, describe
from seatrial.reference.keys import keys_of
from seatrial.reference.lookup import Lookup, Table, lay_out, merged

KEYS = "<keys>"  # stands for the keys in a call's recorded arguments


@dataclass(frozen=True)
class Answers:
    """Everything one dependency answered: lookups by call, and plain calls with their answers as JSON text."""

    lookups: Mapping[str, Lookup]
    calls: Mapping[str, str]

    @property
    def size(self) -> int:
        """How many keys and calls were answered."""
        return sum(len(lookup.asked) for lookup in self.lookups.values()) + len(self.calls)


class RecordingClient:
    """Stands before a live client and keeps what it answers."""

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client
        self._lookups: dict[str, list[Lookup]] = {}
        self._calls: dict[str, str] = {}

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__"):
            raise AttributeError(method)
        attribute = getattr(self._client, method)
        if not callable(attribute):
            self._calls[_text(self._name, method, None)] = _answered(self._name, method, attribute)
            return attribute
        if inspect.iscoroutinefunction(attribute):
            raise PipelineError(
                f"Dependency '{self._name}': {method} is a coroutine; give the stages a client with plain methods."
            )
        return lambda *args, **kwargs: self._ask(method, attribute, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self._ask("__call__", self._client, args, kwargs)

    def __getitem__(self, item: Any) -> Any:
        return self._ask("__getitem__", self._client.__getitem__, (item,), {})

    def _ask(self, method: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        keys, text = _split(self._name, method, args, kwargs)
        answer = function(*args, **kwargs)
        if keys is not None and (lookup := lay_out(text, keys, answer)):
            self._lookups.setdefault(text, []).append(lookup)
        else:
            self._calls[_whole(self._name, method, args, kwargs)] = _answered(self._name, method, answer)
        return answer

    def answers(self) -> Answers:
        """Return what was kept so far, each key once, by call."""
        lookups = {text: merged(self._name, self._lookups[text]) for text in sorted(self._lookups)}
        return Answers(lookups, dict(sorted(self._calls.items())))


class RecordedClient:
    """Stands in for a client and answers from the record. Several threads may call it."""

    def __init__(self, name: str, answers: Answers) -> None:
        self._name = name
        self._tables = {text: Table(lookup) for text, lookup in answers.lookups.items()}
        self._calls = answers.calls

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__"):
            raise AttributeError(method)
        if (attribute := self._calls.get(_text(self._name, method, None))) is not None:
            return json.loads(attribute)
        return lambda *args, **kwargs: self._ask(method, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self._ask("__call__", args, kwargs)

    def __getitem__(self, item: Any) -> Any:
        return self._ask("__getitem__", (item,), {})

    def _ask(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        keys, text = _split(self._name, method, args, kwargs)
        lost = 0
        if keys is not None and text in self._tables:
            try:
                return self._tables[text].answer(keys)
            except KeyError as error:
                lost = error.args[0]
        if (answer := self._calls.get(_whole(self._name, method, args, kwargs))) is not None:
            return json.loads(answer)
        if lost:
            raise PipelineError(
                f"Dependency '{self._name}' was called as {method}(…) with {lost:,} key{'' if lost == 1 else 's'} "
                "that capture never requested. The stage looks up other keys than it did in training, "
                "or the reference is too old: capture it again."
            )
        known = sorted({json.loads(c)[0] for c in (*self._tables, *self._calls)})
        raise PipelineError(
            f"Dependency '{self._name}' was called as {method}(…) in a way that was not recorded at capture, or that "
            f"raised then. Recorded methods: {', '.join(known) or 'none'}. Capture the reference again with this code."
        )


def repeat(name: str, client: Any, answers: Answers, calls: Sequence[str]) -> Answered:
    """Repeat recorded calls on a live client.

    Args:
        name: of the dependency.
        client: of the dependency.
        answers: what it answered at capture.
        calls: those of its calls that are repeated.

    Raises:
        PipelineError: the client raised, or answers in another shape than at capture.
    """
    lookups, plain = {}, {}
    try:
        for call in calls:
            if call in answers.lookups:
                lookups[call] = _look_up_again(name, client, answers.lookups[call])
            else:
                plain[call] = _call_again(name, client, call)
    except PipelineError:
        raise
    except Exception as error:
        raise PipelineError(f"The recorded calls could not be sent to '{name}' again: {describe(error)}.") from error
    return Answered(lookups, plain)


def _look_up_again(name: str, client: Any, lookup: Lookup) -> pd.DataFrame:
    method, (args, kwargs) = json.loads(lookup.call)
    keys = lookup.asked if len(lookup.on) > 1 else lookup.asked[lookup.on[0]]
    answer = getattr(client, method)(
        *[keys if a == KEYS else a for a in args], **{k: keys if v == KEYS else v for k, v in kwargs.items()}
    )
    again = lay_out(lookup.call, lookup.asked, answer)
    if again is None or again.on != lookup.on:
        raise PipelineError(f"Dependency '{name}': {method} no longer answers in the shape it had at capture.")
    return again.rows


def _call_again(name: str, client: Any, text: str) -> str:
    method, arguments = json.loads(text)
    now = getattr(client, method)
    if arguments is not None:
        now = now(*arguments[0], **arguments[1])
    return _answered(name, method, now)


def _split(name: str, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[pd.DataFrame | None, str]:
    """Return the keys of a call as a frame (None when it has none, or several) and the call's text without them.

    A frame, Series, Index or array is keys before any list is: a list beside it is an argument, such as column names.
    """
    values = [*args, *kwargs.values()]
    many = [v for v in values if _is_column(v)] or [v for v in values if _is_list_of_scalars(v)]
    if len(many) != 1:
        return None, ""
    blank = [
        [KEYS if a is many[0] else _listed(a) for a in args],
        {k: KEYS if v is many[0] else _listed(v) for k, v in kwargs.items()},
    ]
    return keys_of(many[0]), _text(name, method, blank)


def _whole(name: str, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a call as JSON text, the name under which its answer is kept."""
    return _text(name, method, [[_listed(a) for a in args], {k: _listed(v) for k, v in kwargs.items()}])


def _is_column(value: Any) -> bool:
    one_dimensional = isinstance(value, np.ndarray) and value.ndim == 1
    return one_dimensional or isinstance(value, pd.Series | pd.Index | pd.DataFrame | ExtensionArray)


def _is_list_of_scalars(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(map(pd.api.types.is_scalar, value))


def _listed(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        return value.to_dict("list")
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    return list(value) if _is_column(value) or isinstance(value, tuple) else value


def _text(name: str, method: str, arguments: Any) -> str:
    try:
        return json.dumps([method, arguments], sort_keys=True, default=_argument)
    except TypeError as error:
        raise PipelineError(
            f"Dependency '{name}': the arguments of {method} cannot be recorded as JSON: {error}."
        ) from error


def _argument(value: Any) -> Any:
    if value is pd.NA:
        return None
    return value.isoformat() if isinstance(value, datetime.date) else scalar(value)


def _answered(name: str, method: str, answer: Any) -> str:
    try:
        return to_json(answer)
    except (TypeError, ValueError) as error:
        raise PipelineError(
            f"Dependency '{name}': {method} answered with {type(answer).__name__}, which cannot be recorded. Give the "
            "stages a client whose methods take keys and return a frame, a Series, a mapping or plain JSON."
        ) from error
