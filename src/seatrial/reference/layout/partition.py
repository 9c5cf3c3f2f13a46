"""One partition as a reference of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial.io import aside, bundle

PARTITIONED = ("partitions", "parting")  # of the manifest of a reference in partitions, beside what all have


def part_name(name: str, number: int) -> str:
    """Return the file of one partition of a frame.

    Example:
        >>> part_name("stages/raw.parquet", 3)
        'stages/raw/part-00003.parquet'
    """
    return f"{name.removesuffix('.parquet')}/part-{number:05d}.parquet"


def frame_names(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of the frames that a reference has: one file each, or one a partition."""
    return ["requests.parquet", *(f"stages/{stage}.parquet" for stage in manifest["path"])]


def files_of(name: str, manifest: Mapping[str, Any]) -> list[str]:
    """Return the files that a frame is in."""
    if "partitions" not in manifest or name not in frame_names(manifest):
        return [name]
    return [part_name(name, number) for number in range(manifest["partitions"])]


def needed_files(manifest: Mapping[str, Any]) -> list[str]:
    """Return the files without which a reference is not whole."""
    known = {**manifest, "partitions": _count(manifest) or 1} if "partitions" in manifest else manifest
    return [file for name in frame_names(manifest) for file in files_of(name, known)]


def problem(manifest: Mapping[str, Any]) -> str:
    """Return what is wrong with what a manifest says of its partitions, and nothing where it says nothing of them."""
    if "partitions" not in manifest:
        return ""
    if not (count := _count(manifest)):
        return f"its number of partitions is {manifest['partitions']!r}"
    parting = manifest.get("parting")
    if not isinstance(parting, dict) or len(parting.get("kept", ())) != count or not isinstance(parting["count"], int):
        return "it does not say which requests are in which partition"
    stages = manifest["stages"]
    wrong = [s for s in manifest["path"] if len(stages.get(s, {}).get("parts", ())) != count]
    return f"it does not say how many rows of '{wrong[0]}' are in each partition" if wrong else ""


def _count(manifest: Mapping[str, Any]) -> int:
    found = manifest["partitions"]
    return found if type(found) is int and found >= 1 else 0


def open_part(root: Path, manifest: Mapping[str, Any], number: int) -> tuple[Path, dict[str, Any], Any]:
    """Lay out a partition as a reference without partitions, of links to its files.

    Returns:
        Its directory, its manifest with a digest of its own, and what keeps the directory.
    """
    keep = tempfile.TemporaryDirectory(prefix="seatrial-reference-")
    own, files, names = Path(keep.name), {}, frame_names(manifest)
    folders = {name.removesuffix(".parquet") for name in names}
    held = {part_name(name, number): name for name in names}
    for file, digest in manifest["files"].items():
        folder = next((f for f in folders if file.startswith(f"{f}/")), None)
        if folder is None:
            name = file
        elif file.startswith(f"{folder}/{aside.FOLDER}/"):
            name = str(Path(folder).parent / file.removeprefix(f"{folder}/"))
        elif file in held:
            name = held[file]
        else:
            continue
        if name in files:  # a large cell that several stages have
            continue
        files[name] = digest
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to((root / file).absolute())
    stages = {stage: {**entry, "rows": entry["parts"][number]} for stage, entry in manifest["stages"].items()}
    for entry in stages.values():
        del entry["parts"]
        entry.pop("whole", None)
    rest = {name: value for name, value in manifest.items() if name not in (*PARTITIONED, "digest", "seal", "requests")}
    stated = bundle.with_digests({**rest, "stages": stages, "files": files})
    bundle.write_manifest(own, stated)
    return own, stated, keep
