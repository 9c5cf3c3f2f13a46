"""The one strict JSON reader: what others wrote is read within bounds, or refused with the reason."""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEPTH = 32
DIGITS = 1_000  # of one integer: reading one takes time that grows with their square
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def loads(content: bytes | str, *, depth: int = DEPTH, non_finite: bool = False, any_text: bool = False) -> Any:
    """Return the value that JSON text stands for. The caller bounds the length.

    Args:
        content: the text, or its UTF-8 bytes.
        depth: how many levels objects and lists may be nested.
        non_finite: accept ``NaN``, ``Infinity`` and numbers beyond a double's range, for text that Python wrote.
        any_text: accept NUL characters and lone surrogates in text.

    Raises:
        json.JSONDecodeError: not JSON.
        UnicodeDecodeError: not UTF-8.
        ValueError: one of these two, or nested deeper than ``depth``, a name given twice in one object, NaN, an
            infinite number, an integer of thousands of digits, a lone surrogate or a NUL character in a text.

    Example:
        >>> loads(b'{"id": 1, "id": 2}')
        Traceback (most recent call last):
        ValueError: the name 'id' is given twice in one object
    """
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    _bound_depth(raw, depth)
    try:
        value = json.loads(
            content if isinstance(content, str) else content.decode("utf-8"),
            object_pairs_hook=_distinct,
            parse_constant=None if non_finite else _refuse_constant,
            parse_float=None if non_finite else _finite,
            parse_int=_whole,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not any_text:
        _check_text(value)
    return value


def _bound_depth(content: bytes, depth: int) -> None:
    if content.count(b"[") + content.count(b"{") <= depth:
        return
    level = 0
    for mark in re.findall(rb"[\[\]{}]", _TEXT.sub(b"", content)):
        level += 1 if mark in b"[{" else -1
        if level > depth:
            raise ValueError(f"it is nested too deeply, beyond {depth} levels")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:60]!r} is given twice in one object")
    return read


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"it holds {name}, which JSON does not have")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it holds a number beyond the range of doubles")
    return number


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError("it holds an integer of thousands of digits")
    return int(text)


def _check_text(value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name)
            _check_text(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_text(inner)
    elif isinstance(value, str) and _NO_TEXT.search(value):
        raise ValueError("a text holds a NUL character or half of a surrogate pair")
