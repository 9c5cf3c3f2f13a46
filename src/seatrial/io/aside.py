"""Large cells of a table in files of their own, named by the SHA-256 of what they hold, once each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from seatrial.errors import ReferenceInvalid

FOLDER = "cells"  # beside the file of the table
LARGE = 2**20  # bytes, from which on a cell has a file of its own
_ASIDE = b"seatrial.aside"
_HERE, _THERE = b"\0", b"\1"  # the first byte of a cell: what follows is the cell, or the digest of its file


def put_aside(table: Any, folder: Path) -> Any:
    """Write the large cells of a table into ``folder``, and return the table with their digests in their place."""
    large = [f.name for f in table.schema if _is_binary(f.type) and _longest(table[f.name]) >= LARGE]
    if not large:
        return table
    folder.mkdir(parents=True, exist_ok=True)
    for name in large:
        cells = [None if cell is None else _put(cell, folder) for cell in table[name].to_pylist()]
        kind = pa.field(name, pa.large_binary(), metadata={b"type": str(table[name].type).encode()})
        table = table.set_column(table.column_names.index(name), kind, pa.array(cells, pa.large_binary()))
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _ASIDE: json.dumps(large).encode()})


def put_back(table: Any, folder: Path) -> Any:
    """Return the table that :func:`put_aside` was given.

    Raises:
        ReferenceInvalid: a file is missing, or is not what was written.
    """
    beside = (table.schema.metadata or {}).get(_ASIDE)
    if beside is None:
        return table
    for name in json.loads(beside):
        cells = [None if cell is None else _get(cell, folder) for cell in table[name].to_pylist()]
        kind = pa.binary() if table.schema.field(name).metadata[b"type"] == b"binary" else pa.large_binary()
        table = table.set_column(table.column_names.index(name), name, pa.array(cells, kind))
    return table


def _is_binary(kind: Any) -> bool:
    return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))


def _longest(cells: Any) -> int:
    return pc.max(pc.binary_length(cells)).as_py() or 0


def _put(cell: bytes, folder: Path) -> bytes:
    if len(cell) < LARGE:
        return _HERE + cell
    digest = hashlib.sha256(cell)
    path = folder / digest.hexdigest()
    if not path.is_file():
        path.write_bytes(cell)
    return _THERE + digest.digest()


def _get(stored: bytes, folder: Path) -> bytes:
    if stored[:1] == _HERE:
        return stored[1:]
    path = folder / stored[1:].hex()
    try:
        cell = path.read_bytes()
    except OSError as error:
        raise ReferenceInvalid(f"The file {path} of a large cell is missing. Capture the reference again.") from error
    if hashlib.sha256(cell).digest() != stored[1:]:
        raise ReferenceInvalid(f"{path} is not what was written: truncated or edited. Capture the reference again.")
    return cell
