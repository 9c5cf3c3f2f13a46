"""Compare a model's signature, as MLflow stores it in the file ``MLmodel``, with the frame that the model receives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import nearest
from seatrial.formatting import plural

LIMIT_BYTES = 4 * 2**20
# The column types that MLflow accepts for each type without a change of any value; it refuses the others.
ACCEPTED = {
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
class SignatureMismatch:
    """One column that is not as the signature declares.

    Attributes:
        column: its name.
        cause: a slug, as in ``Finding.cause``.
        detail: completes "Column 'x' of the input …".
        certain: False where the model may accept the column nonetheless.
    """

    column: str
    cause: str
    detail: str
    certain: bool = True


def inputs_of(model_path: str | Path) -> list[Mapping[str, Any]] | None:
    """Return the columns of a model's signature; None where it has no signature, or one of tensors.

    Raises:
        ValueError: the file exists and cannot be read.
    """
    path = Path(model_path) / "MLmodel"
    if not path.is_file():
        return None
    import yaml

    if path.stat().st_size > LIMIT_BYTES:
        raise ValueError(f"MLmodel has {path.stat().st_size:,} bytes; at most {LIMIT_BYTES:,} are read")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        signature = content.get("signature") or {}
        inputs = json.loads(signature.get("inputs") or "null")
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"MLmodel cannot be read: {type(error).__name__}") from error
    if not isinstance(inputs, list) or not all(isinstance(i, dict) and i.get("name") for i in inputs):
        return None
    return None if any(i.get("type") == "tensor" for i in inputs) else inputs


def signature_mismatches(inputs: list[Mapping[str, Any]], frame: pd.DataFrame) -> Iterator[SignatureMismatch]:
    """Yield each column of the signature that the frame lacks or has otherwise; further columns are allowed.

    Example:
        >>> [m.cause for m in signature_mismatches([{"name": "x", "type": "long"}], pd.DataFrame({"x": ["a"]}))]
        ['dtype']
    """
    names = [str(c) for c in frame.columns]
    for column in inputs:
        name, kind, required = str(column["name"]), str(column.get("type")), bool(column.get("required", True))
        if name not in names:
            if required:
                detail = f"is missing; the signature requires it.{nearest(name, names)}"
                yield SignatureMismatch(name, "missing-column", detail)
            continue
        found = frame[name]
        actual, nulls = _kind(found), int(found.isna().sum())
        if kind in ACCEPTED and actual not in ACCEPTED[kind] and not (nulls == len(found) and not required):
            if actual == "int64" and kind in ("float", "double") and found.isin([0, 1]).all():
                continue  # MLflow accepts zeros and ones as a number
            detail = f"has type {found.dtype}; the signature declares {kind}."
            yield SignatureMismatch(name, "dtype", detail, certain=(actual, kind) != ("category", "string"))
        elif nulls and kind in ("boolean", "integer", "long"):
            detail = f"has {plural(nulls, 'null')}; the signature's type {kind} allows none."
            yield SignatureMismatch(name, "null-handling", detail)
        elif nulls and required and kind == "string":
            detail = f"has {plural(nulls, 'null')}; the signature declares it as required."
            yield SignatureMismatch(name, "null-handling", detail, certain=False)


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
