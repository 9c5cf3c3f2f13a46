"""Whether the buffers of an Arrow message are compressed, read from its metadata before any of them is.

pyarrow has no option to refuse compressed buffers, and does not tell of them. The metadata is a flatbuffer of the
tables ``Message``, ``DictionaryBatch`` and ``RecordBatch`` in Arrow's ``format/Message.fbs``, which number the fields.
"""

from __future__ import annotations

import struct

_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # of the union MessageHeader
_HEADER_TYPE, _HEADER = 1, 2  # fields of Message
_DATA, _COMPRESSION = 1, 3  # fields of DictionaryBatch, of RecordBatch


def is_compressed(metadata: bytes) -> bool:
    """Return whether a message of an Arrow stream has compressed buffers.

    Args:
        metadata: of the message, as ``pyarrow.ipc.Message.metadata`` holds it.

    Raises:
        ValueError: it is damaged.
    """
    try:
        message = _follow(metadata, 0)
        kind = _field(metadata, message, _HEADER_TYPE)
        if kind is None or metadata[kind] not in (_DICTIONARY_BATCH, _RECORD_BATCH):
            return False
        batch = _table(metadata, message, _HEADER)
        if metadata[kind] == _DICTIONARY_BATCH:
            batch = _table(metadata, batch, _DATA)
        return _field(metadata, batch, _COMPRESSION) is not None
    except (struct.error, IndexError) as error:
        raise ValueError("the metadata of a message is damaged") from error


def _follow(metadata: bytes, at: int) -> int:
    offset: int = struct.unpack_from("<I", metadata, at)[0]
    return at + offset


def _field(metadata: bytes, table: int, number: int) -> int | None:
    """Return where a field of a table is; None where the table has none."""
    fields = table - struct.unpack_from("<i", metadata, table)[0]
    place = 4 + 2 * number
    if fields < 0 or place >= struct.unpack_from("<H", metadata, fields)[0]:
        return None
    offset: int = struct.unpack_from("<H", metadata, fields + place)[0]
    return table + offset if offset else None


def _table(metadata: bytes, table: int, number: int) -> int:
    found = _field(metadata, table, number)
    if found is None:
        raise IndexError(number)
    return _follow(metadata, found)
