"""One cell of any supported Python type as bytes, and back, without running anything that the bytes name.

The bytes are JSON in UTF-8. A value that JSON does not have is an object with one name that begins with ``$``, such as
``{"$tuple": [1, 2]}``. Bytes and arrays follow the JSON behind one line feed, and the JSON holds where.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd

from seatrial.io import strict_json
from seatrial.io.cells.named import FROM_JSON, NAMED, TO_JSON, whole
from seatrial.io.cells.refusals import Unsupported, refuse

DEPTH = 60  # of a value
_LEVELS = 8 * DEPTH  # of its JSON
_DTYPE = re.compile(r"[<>|=][biufcMmSU]\d+(\[\w+\])?")
_FACTORIES: dict[str, Any] = {f.__name__: f for f in (list, dict, set, int, float, str, tuple)}


def encode(value: Any) -> bytes:
    """Return a cell as bytes, the same for equal cells of one type.

    Raises:
        Unsupported: it is of a type that cannot be kept, or holds one.

    Example:
        >>> from decimal import Decimal
        >>> encode((1, Decimal("2.50")))
        b'{"$tuple": [1, {"$Decimal": "2.50"}]}'
    """
    blobs: list[bytes] = []
    text = json.dumps(_Encoder(blobs).plain(value, 0)).encode("ascii")
    return b"\n".join([text, b"".join(blobs)]) if blobs else text


def decode(content: bytes) -> Any:
    """Return the cell of bytes that :func:`encode` made, whoever wrote them.

    Raises:
        ValueError, TypeError, KeyError, ArithmeticError: they are not such bytes.

    Example:
        >>> decode(encode({"box": np.zeros((2, 2))}))["box"].shape
        (2, 2)
    """
    text, _, blob = content.partition(b"\n")
    value = strict_json.loads(text, depth=_LEVELS, non_finite=True, any_text=True)
    return _Decoder(blob).value(value) if b'{"$' in text else value


class _Encoder:
    def __init__(self, blobs: list[bytes]) -> None:
        self._blobs, self._at = blobs, 0

    def plain(self, value: Any, depth: int) -> Any:  # noqa: PLR0911  one return a kind
        kind = type(value)
        if kind in (str, float, bool, type(None)):
            return value
        if depth > DEPTH:
            raise Unsupported(f"values nested deeper than {DEPTH} levels", "Return a flatter value.")
        if kind is int:
            return whole(value)
        if kind is list:
            return [self.plain(v, depth + 1) for v in value]
        if kind is dict and all(type(name) is str for name in value) and not _looks_like_a_tag(value):
            return {name: self.plain(v, depth + 1) for name, v in value.items()}
        if kind in (np.ndarray, bytes, bytearray):
            return {f"${kind.__name__}": self._raw(value, depth)}
        if kind in NAMED:
            return {f"${NAMED[kind]}": TO_JSON[NAMED[kind]](value)}
        if kind in (tuple, set, frozenset):
            ordered = value if kind is tuple else sorted(value, key=encode)
            return {f"${kind.__name__}": [self.plain(v, depth + 1) for v in ordered]}
        if kind in (dict, OrderedDict, Counter, defaultdict):
            return {f"${kind.__name__}": self._pairs(value, depth)}
        if kind is pd.Interval:
            ends = [self.plain(v, depth + 1) for v in (value.left, value.right)]
            return {"$Interval": [*ends, value.closed]}
        if isinstance(value, np.generic) and _is_kept(value.dtype):
            return {"$numpy": [value.dtype.str, value.tobytes().hex()]}
        raise refuse(value)

    def _pairs(self, value: Any, depth: int) -> Any:
        pairs = [[self.plain(k, depth + 1), self.plain(v, depth + 1)] for k, v in value.items()]
        if type(value) is not defaultdict:
            return pairs
        factory = value.default_factory
        if factory is not None and _FACTORIES.get(getattr(factory, "__name__", "")) is not factory:
            raise Unsupported("a defaultdict with a function of its own", "Return dict(cell).")
        return [None if factory is None else factory.__name__, pairs]

    def _raw(self, value: Any, depth: int) -> Any:
        if not isinstance(value, np.ndarray):
            return self._blob(bytes(value))
        if value.dtype.kind == "O":
            return ["O", list(value.shape), [self.plain(v, depth + 1) for v in value.ravel().tolist()]]
        if not _is_kept(value.dtype):
            raise refuse(value)
        by_column = value.flags.f_contiguous and not value.flags.c_contiguous
        order: Literal["C", "F"] = "F" if by_column else "C"  # sums follow the layout
        return [value.dtype.str, list(value.shape), order, *self._blob(value.tobytes(order))]

    def _blob(self, content: bytes) -> list[int]:
        self._blobs.append(content)
        self._at += len(content)
        return [self._at - len(content), len(content)]


class _Decoder:
    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._readers: dict[str, Callable[[Any], Any]] = {
            "bytes": self._bytes,
            "bytearray": lambda v: bytearray(self._bytes(v)),
            "ndarray": self._array,
            "tuple": lambda v: tuple(map(self.value, v)),
            "set": lambda v: set(map(self.value, v)),
            "frozenset": lambda v: frozenset(map(self.value, v)),
            "dict": self._pairs,
            "OrderedDict": lambda v: OrderedDict(self._pairs(v)),
            "Counter": lambda v: Counter(self._pairs(v)),
            "defaultdict": lambda v: defaultdict(v[0] and _FACTORIES[v[0]], self._pairs(v[1])),
            "Interval": lambda v: pd.Interval(self.value(v[0]), self.value(v[1]), v[2]),
            "numpy": lambda v: np.frombuffer(bytes.fromhex(v[1]), _dtype(v[0]))[0],
        }

    def value(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [self.value(v) for v in plain]
        if not isinstance(plain, dict):
            return plain
        if _looks_like_a_tag(plain):
            [(name, payload)] = plain.items()
            return (self._readers.get(name[1:]) or FROM_JSON[name[1:]])(payload)
        return {name: self.value(v) for name, v in plain.items()}

    def _pairs(self, pairs: Any) -> dict[Any, Any]:
        return {self.value(k): self.value(v) for k, v in pairs}

    def _bytes(self, place: Any) -> bytes:
        begin, length = place
        if not 0 <= begin <= begin + length <= len(self._blob):
            raise ValueError("bytes beyond the cell")
        return self._blob[begin : begin + length]

    def _array(self, stored: Any) -> Any:
        code, shape, *rest = stored
        if not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("a shape that is none")
        if code == "O":
            if len(rest[0]) != math.prod(shape):
                raise ValueError("a shape that is not that of the items")
            array = np.empty(len(rest[0]), dtype=object)
            for n, item in enumerate(rest[0]):
                array[n] = self.value(item)
            return array.reshape(shape)
        dtype, order = _dtype(code), "F" if rest[0] == "F" else "C"
        content = self._bytes(rest[1:])
        if math.prod(shape) * dtype.itemsize != len(content):
            raise ValueError("a shape that is not that of the bytes")
        flat = np.frombuffer(bytearray(content), dtype) if content else np.empty(0, dtype)
        return flat.reshape(shape, order=order)  # type: ignore[call-overload]


def _looks_like_a_tag(value: dict[Any, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith("$")


def _is_kept(dtype: Any) -> bool:
    return bool(_DTYPE.fullmatch(dtype.str))


def _dtype(code: str) -> Any:
    if not _DTYPE.fullmatch(code):
        raise ValueError("an array of another type")
    return np.dtype(code)
