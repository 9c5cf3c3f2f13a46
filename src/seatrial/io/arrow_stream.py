"""Read a table from an Arrow stream, whoever wrote it: neither its sizes nor its buffers are trusted."""

from __future__ import annotations

from typing import Any

from seatrial.io.arrow_metadata import is_compressed


def read_table(content: Any, most_cells: int) -> Any:
    """Return the table of the stream that begins where ``content`` stands, its buffers checked.

    Args:
        content: a ``pyarrow.BufferReader``; it stands behind the stream afterwards.
        most_cells: that the table may hold: rows × columns, and what lists hold.

    Raises:
        ValueError: it is too large, compressed, of a type that no frame has, or its buffers contradict each other.
        OSError, TypeError, KeyError, MemoryError: likewise, as pyarrow raises them.
    """
    import pyarrow as pa

    begin = content.tell()
    for message in pa.ipc.MessageReader.open_stream(content):
        if is_compressed(message.metadata.to_pybytes()):  # a few bytes could stand for all memory there is
            raise ValueError("compressed buffers")
    content.seek(begin)
    batches, cells = [], 0
    with pa.ipc.open_stream(content) as reader:
        for batch in reader:
            batch.validate(full=True)
            cells += sum(map(cells_of, batch.columns))
            if cells > most_cells:
                raise ValueError(f"more than {most_cells:,} cells")
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)


def cells_of(array: Any) -> int:
    """Return how many values an array holds, those inside its lists too.

    Raises:
        ValueError: its type is one that no frame has, such as runs or unions.
    """
    import pyarrow.types as kinds

    kind, inner = array.type, 0
    if reason := unreadable(kind):
        raise ValueError(f"the type {reason}")
    if kinds.is_map(kind):
        inner = cells_of(array.keys) + cells_of(array.items)
    elif kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        inner = cells_of(array.values)
    elif kinds.is_struct(kind):
        inner = sum(cells_of(array.field(n)) for n in range(kind.num_fields))
    elif kinds.is_dictionary(kind):
        inner = cells_of(array.dictionary)
    return len(array) + inner


def unreadable(kind: Any) -> str:
    """Return the Arrow type, at any depth of one, that no frame has, such as runs and unions; "" where there is none.

    Example:
        >>> import pyarrow as pa
        >>> unreadable(pa.list_(pa.int64())), unreadable(pa.list_(pa.sparse_union([pa.field("a", pa.int8())])))
        ('', 'sparse_union<a: int8=0>')
    """
    import pyarrow.types as kinds

    if kinds.is_map(kind):
        return unreadable(kind.key_type) or unreadable(kind.item_type)
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        return unreadable(kind.value_type)
    if kinds.is_struct(kind):
        return next((reason for n in range(kind.num_fields) if (reason := unreadable(kind.field(n).type))), "")
    if kinds.is_dictionary(kind):
        return unreadable(kind.value_type)
    return str(kind) if kinds.is_nested(kind) or "view" in str(kind) or isinstance(kind, _extension()) else ""


def _extension() -> Any:
    import pyarrow as pa

    return pa.BaseExtensionType
