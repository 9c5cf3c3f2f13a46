"""What a cell holds that cannot be kept, and what to return instead."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import PurePath
from typing import Any

import numpy as np

KEPT = "numbers, text, bytes, times, UUIDs, arrays of any rank, PIL images, or lists, tuples, sets and dicts of these"
_BUILT_IN = (bool, int, float, complex, str, bytes, dict, list, tuple, set, frozenset)


class Unsupported(Exception):
    """A value of a type that cannot be kept.

    Attributes:
        found: the type in words, to follow "holds".
        advice: what to return instead, as a sentence.
    """

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(found)
        self.found, self.advice = found, advice


def refuse(value: Any) -> Unsupported:
    """Return the refusal of a value, with what to return instead; nothing of the value itself is in it.

    Example:
        >>> refuse(PurePath("a/b")).advice
        'Return str(cell).'
    """
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    article = "an" if name[0].lower() in "aeiou" else "a"
    return Unsupported(f"{article} {name}", _advice(value))


def _advice(value: Any) -> str:  # noqa: PLR0911  one return a kind
    if isinstance(value, enum.Enum):
        return "Return its value: cell.value."
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "Return dataclasses.asdict(cell)."
    if hasattr(value, "model_dump"):
        return "Return cell.model_dump()."
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return "Return cell._asdict(), or tuple(cell)."
    if isinstance(value, PurePath):
        return "Return str(cell)."
    if isinstance(value, np.ndarray) and value.dtype.names:
        return "Return a plain array for each of its fields, or cell.tolist()."
    if isinstance(value, np.ndarray | np.generic):
        return "Return a plain array: np.asarray(cell), of numbers, text, times or truth values."
    if type(value).__module__.partition(".")[0] == "torch":
        return "Return cell.detach().cpu().numpy()."
    if hasattr(value, "toarray"):
        return "Return cell.toarray()."
    if hasattr(value, "to_numpy"):
        return "Return cell.to_numpy(), or put its columns into the frame of the stage."
    if hasattr(value, "__array__"):
        return "Return np.asarray(cell)."
    if base := next((b for b in _BUILT_IN if isinstance(value, b)), None):
        return f"Return {base.__name__}(cell): a class of its own cannot be made again without its code."
    return f"A cell may hold {KEPT}."
