"""Read a run as Weights & Biases wrote it to disk: its transaction log, in the package's own record classes.

The file is a log of LevelDB's format behind a header of seven bytes: blocks of 32 KiB, and in them chunks, each with a
checksum (4 bytes), a length (2) and a kind (1: whole, 2: first, 3: middle, 4: last).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADER, BLOCK, CHUNK = b":W&B\xe1\xbe\x00", 32 * 1024, struct.Struct("<IHB")


@dataclass(frozen=True)
class LoggedRun:
    """What one transaction log holds."""

    run: Any
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    artifacts: Mapping[str, Any]
    exit_code: int | None
    kinds: frozenset[str]


def records(path: Path) -> Iterator[Any]:
    """Yield the records of a log."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole = path.read_bytes(), len(HEADER), b""
    assert content.startswith(HEADER)
    while at < len(content):
        left = BLOCK - at % BLOCK
        if left < CHUNK.size:
            at += left
            continue
        _, length, kind = CHUNK.unpack_from(content, at)
        at += CHUNK.size
        whole += content[at : at + length]
        at += length
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def read(folder: Path) -> LoggedRun:
    """Return the run of a folder."""
    (path,) = folder.glob("*.wandb")
    run, config, summary, artifacts, exit_code, kinds = None, {}, {}, {}, None, set()
    for record in records(path):
        kind = record.WhichOneof("record_type")
        kinds.add(kind)
        if kind == "run":
            run = record.run
            config |= {item.key: json.loads(item.value_json) for item in run.config.update}
        elif kind == "summary":
            for item in record.summary.update:
                _put(summary, [item.key] if item.key else list(item.nested_key), json.loads(item.value_json))
        elif kind == "artifact":
            artifacts[record.artifact.name] = record.artifact
        elif kind == "exit":
            exit_code = record.exit.exit_code
    return LoggedRun(run, config, summary, artifacts, exit_code, frozenset(kinds))


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value
