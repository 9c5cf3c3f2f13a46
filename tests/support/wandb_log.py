"""Read a run as Weights & Biases wrote it to disk: its transaction log, in the package's own record classes.

The file is a log of LevelDB's format behind a header of seven bytes: blocks of 32 KiB, and in them chunks, each with a
checksum (4 bytes), a length (2) and a kind (1: whole, 2: first, 3: middle, 4: last).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.wandb_runs import Found

HEADER, BLOCK, CHUNK = b":W&B\xe1\xbe\x00", 32 * 1024, struct.Struct("<IHB")


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


def kinds(folder: Path) -> set[str]:
    """Return the kinds of the records of a run's folder."""
    (path,) = folder.glob("*.wandb")
    return {record.WhichOneof("record_type") for record in records(path)}


def read(folder: Path) -> Found:
    """Return the run of a folder."""
    (path,) = folder.glob("*.wandb")
    run: Any = None
    exit_code: int | None = None
    config, summary, artifacts = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for record in records(path):
        match record.WhichOneof("record_type"):
            case "run":
                run = record.run
                config |= {item.key: json.loads(item.value_json) for item in run.config.update}
            case "summary":
                for item in record.summary.update:
                    _put(summary, [item.key] if item.key else list(item.nested_key), json.loads(item.value_json))
            case "artifact":
                artifacts[record.artifact.type] = record.artifact
            case "exit":
                exit_code = record.exit.exit_code
    table = json.loads((folder / "files" / summary["findings"]["path"]).read_text())
    return Found(
        config, summary, list(run.tags), run.notes, run.run_group, run.job_type, exit_code, table,
        _artifact(artifacts["seatrial-report"]), _artifact(artifacts["seatrial-reference"]),
    )  # fmt: skip


def _artifact(logged: Any) -> tuple[dict[str, Any], set[str], dict[str, bytes]]:
    files = {e.path: e.ref.encode() if e.ref else Path(e.local_path).read_bytes() for e in logged.manifest.contents}
    return json.loads(logged.metadata), set(logged.aliases), files


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value
