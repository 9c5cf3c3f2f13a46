"""JSON from strangers: read strictly, within bounds, or refused with the reason."""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEPTH = 32
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def loads(content: bytes, *, depth: int = DEPTH) -> Any:
    """Return what ``content`` says.

    Raises:
        ValueError: not UTF-8, not JSON, nested deeper than ``depth``, a name given twice in one object, NaN, an
            infinite or overlong number, a lone surrogate or a NUL character in a text. The caller bounds the length.
    """
    _shallow(content, depth)
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant, parse_float=_finite
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _texts(value)
    return value


def _shallow(content: bytes, depth: int) -> None:
    level = 0
    for mark in re.findall(rb"[\[\]{}]", _TEXT.sub(b"", content)):
        level += 1 if mark in b"[{" else -1
        if level > depth:
            raise ValueError(f"nested deeper than {depth} levels")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return read


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is beyond what a double holds")
    return number


def _texts(value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _texts(name)
            _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            _texts(inner)
    elif isinstance(value, str) and ("\0" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise ValueError("a text holds a NUL character or half a surrogate pair")
