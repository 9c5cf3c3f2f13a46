"""A model's signature, as MLflow keeps it in the file ``MLmodel``, against the frame that the model is fed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import nearest

LIMIT_BYTES = 4 * 2**20
# What MLflow's enforcement takes for each type without changing a value; the rest it refuses.
TAKES = {
    "boolean": {"bool"},
    "integer": {"int8", "int16", "int32", "uint8", "uint16"},
    "long": {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"},
    "float": {"float16", "float32"},
    "double": {"float16", "float32", "float64", "int8", "int16", "int32", "uint8", "uint16", "uint32"},
    "string": {"text"},
    "datetime": {"datetime"},
    "binary": {"binary"},
}


@dataclass(frozen=True)
class Mismatch:
    """One column that is not as the signature says. ``sure`` where the model cannot be right with it."""

    column: str
    cause: str
    words: str
    sure: bool = True


def inputs_of(model_path: str | Path) -> list[Mapping[str, Any]] | None:
    """Return the columns of a model's signature, None where it keeps none, or one of tensors.

    Raises:
        ValueError: the file is there and cannot be read.
    """
    path = Path(model_path) / "MLmodel"
    if not path.is_file():
        return None
    import yaml

    if path.stat().st_size > LIMIT_BYTES:
        raise ValueError(f"MLmodel is longer than {LIMIT_BYTES:,} bytes")
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        signature = told.get("signature") or {}
        inputs = json.loads(signature.get("inputs") or "null")
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"MLmodel cannot be read: {type(error).__name__}") from error
    if not isinstance(inputs, list) or not all(isinstance(i, dict) and i.get("name") for i in inputs):
        return None
    return None if any(i.get("type") == "tensor" for i in inputs) else inputs


def mismatches(inputs: list[Mapping[str, Any]], frame: pd.DataFrame) -> Iterator[Mismatch]:
    """Yield where the frame is not what the signature asks for; further columns are the model's to leave."""
    names = [str(c) for c in frame.columns]
    for column in inputs:
        name, kind, required = str(column["name"]), str(column.get("type")), bool(column.get("required", True))
        if name not in names:
            if required:
                yield Mismatch(name, "missing-column", f"is in the signature and not among the columns.{nearest(name, names)}")  # fmt: skip  # noqa: E501
            continue
        found = frame[name]
        have, nulls = _kind(found), int(found.isna().sum())
        if kind in TAKES and have not in TAKES[kind] and not (nulls == len(found) and not required):
            if have == "int64" and kind in ("float", "double") and found.isin([0, 1]).all():
                continue  # MLflow takes flags for numbers
            words = f"is {found.dtype} where the signature says {kind}."
            yield Mismatch(name, "dtype", words, sure=(have, kind) != ("category", "string"))
        elif nulls and kind in ("boolean", "integer", "long"):
            yield Mismatch(name, "null-handling", f"has {nulls:,} nulls, and the signature's {kind} has none.")
        elif nulls and required and kind == "string":
            yield Mismatch(name, "null-handling", f"has {nulls:,} nulls and is required by the signature.", sure=False)


def _kind(column: pd.Series) -> str:
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "bool"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    if pd.api.types.is_numeric_dtype(dtype):
        return str(dtype).lower()
    first = next(iter(column.dropna()), None)
    if isinstance(first, bytes):
        return "binary"
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    return "text" if first is None or isinstance(first, str) else type(first).__name__
