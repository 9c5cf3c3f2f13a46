"""Answers that name the key of another request: found message by message, and set apart from what is compared.

The key in an answer aligns it with the recorded one. A service that gives request A the answer of request B would
otherwise be compared with what B should get, and pass.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.pipeline import Key, key_columns

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


@dataclass(frozen=True)
class OtherAnswer:
    """An answer with the key of another request.

    Attributes:
        asked: the key of the request.
        answered: the key in its answer.
    """

    asked: Any
    answered: Any


def told_key(answer: Mapping[str, Any], key: Key) -> Any:
    """Return the key that an answer names, a tuple where it has several columns; None where it does not name all."""
    parts = [answer.get(name) for name in key_columns(key)]
    if any(part is None for part in parts):
        return None
    return parts[0] if isinstance(key, str) else tuple(parts)


def same_form(key: Any) -> tuple[str, ...]:
    """Return a key as texts in one form: a whole number without a fraction, a moment in UTC.

    Example:
        >>> same_form(5.0) == same_form("5"), same_form(("a", "2025-03-01T10:00:00Z"))
        (True, ('a', '2025-03-01T10:00:00+00:00'))
    """
    return tuple(map(_same_form, key)) if isinstance(key, tuple) else (_same_form(key),)


def set_apart(
    rows: Sequence[dict[str, Any]], keys: Sequence[Any], key: Key, known: Collection[tuple[str, ...]], *, several: bool
) -> tuple[list[dict[str, Any]], list[OtherAnswer]]:
    """Return the rows of one message that answer its requests, and the answers that name the key of another request.

    Rows of a message with several requests may come in any order, as long as each request is answered once. A key
    that no request has is left to the comparison, which finds it missing and new.

    Args:
        rows: of the answer; each has the key that it names, or that of its request.
        keys: of the requests in the message, in order.
        key: the columns that name a request.
        known: the keys of all requests, as :func:`same_form` gives them.
        several: a request may have several rows.
    """
    asked = [same_form(k) for k in keys]
    told = [None if (k := told_key(row, key)) is None else same_form(k) for row in rows]
    if None in keys or Counter(told) == Counter(asked):
        return list(rows), []
    kept, wrong = set[int](), list[int]()
    left = Counter(asked)
    for n in sorted(range(len(rows)), key=lambda n: not (len(rows) == len(keys) and told[n] == asked[n])):
        own = told[n]
        if own is None or own not in known or left[own] > 0:
            kept.add(n)
            if own is not None and not several:
                left[own] -= 1
        else:
            wrong.append(n)
    own_places = _unanswered(asked, [told[n] for n in kept])
    at_place = {n: n for n in wrong if len(rows) == len(keys) and n in own_places}
    rest = iter([n for n in own_places if n not in at_place])
    others: dict[Any, OtherAnswer] = {}
    for n in sorted(wrong):
        place = 0 if len(keys) == 1 else at_place[n] if n in at_place else next(rest, min(n, len(keys) - 1))
        one = (asked[place], told[n]) if several else n
        others.setdefault(one, OtherAnswer(keys[place], told_key(rows[n], key)))
    return [row for n, row in enumerate(rows) if n in kept], list(others.values())


def _unanswered(asked: Sequence[tuple[str, ...]], told: Sequence[tuple[str, ...] | None]) -> list[int]:
    """Return the places of the requests that have no answer with their key."""
    left, places = Counter(told), list[int]()
    for n, one in enumerate(asked):
        if left[one] > 0:
            left[one] -= 1
        else:
            places.append(n)
    return places


def _same_form(part: Any) -> str:
    if isinstance(part, float) and part.is_integer():
        return str(int(part))
    text = str(part)
    if _INSTANT.match(text):
        with contextlib.suppress(ValueError, OverflowError):
            return str(pd.to_datetime(text, utc=True).isoformat())
    return text
