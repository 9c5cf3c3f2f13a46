"""JSON text that reads back as what was written, or is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def to_json(value: Any) -> str:
    """Return ``value`` as JSON text that reads back as it was; TypeError or ValueError where it would not."""
    if not _has_text_keys(value):
        raise TypeError("a mapping whose keys are not text is not JSON")
    return json.dumps(value, default=scalar)


def scalar(value: Any) -> Any:
    """Return a NumPy scalar in Python's own type; TypeError for what JSON cannot carry."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def same(one: str, other: str) -> bool:
    """Return whether two JSON texts have the same value, whatever the order of names; NaN is the same as NaN."""
    return ordered(one) == ordered(other)


def ordered(text: str) -> str:
    """Return JSON text with the names of its objects in their order: one text for what is one value.

    Example:
        >>> ordered('{"b": 1, "a": [2]}')
        '{"a": [2], "b": 1}'
    """
    return json.dumps(json.loads(text), sort_keys=True)


def _has_text_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _has_text_keys(v) for k, v in value.items())
    return not isinstance(value, list | tuple) or all(map(_has_text_keys, value))
