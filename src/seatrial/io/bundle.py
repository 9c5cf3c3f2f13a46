"""A directory of files under one manifest: written whole or not at all, and refused when any byte is not as written.

The digest is the SHA-256 of the manifest's canonical JSON without the digest itself; the manifest holds the SHA-256
of every file, so the digest covers them all. Nothing in it depends on when or where the bundle was written: what does,
such as the environment of a capture, is named under ``apart``, and covered by a ``seal`` of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any

from seatrial.errors import ReferenceInvalid
from seatrial.io import strict_json

MANIFEST = "manifest.json"
READ_AT_ONCE = 4  # files whose digests are taken


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(2**18))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Return ``sha256:<hex>`` of the manifest's canonical JSON, its own ``digest`` and what is ``apart`` left out."""
    return _digest_without(manifest, {"digest", "seal", *manifest.get("apart", [])})


def with_digests(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest with its digest, and with a seal of all of it where some of it is ``apart``."""
    stated = {**manifest, "digest": digest_of(manifest)}
    return {**stated, "seal": _digest_without(stated, {"seal"})} if manifest.get("apart") else stated


def _digest_without(manifest: Mapping[str, Any], names: Collection[str]) -> str:
    body = {k: v for k, v in manifest.items() if k not in names}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def directory_digest(root: Path, *, without: Callable[[PurePath], bool] = lambda _: False) -> str:
    """Return the digest of a directory's content: SHA-256 of its ``sha256sum`` listing in the order of names.

    That is ``Hash1`` of Go's dirhash, in-toto's ``dirHash``: ``find . -type f | cut -c3- | LC_ALL=C sort | xargs
    sha256sum | sha256sum`` gives the same. Files are left out for whose path below ``root`` ``without`` is true.

    Raises:
        ReferenceInvalid: a file's name holds a line break; two directories could have one listing.
    """
    files = [p for p in root.rglob("*") if p.is_file() and not without(p.relative_to(root))]
    names = {os.fsencode(p.relative_to(root).as_posix()): p for p in files}
    if broken := [name for name in names if b"\n" in name]:
        raise ReferenceInvalid(f"The name of a file at {root} holds a line break: {broken[0][:80]!r}. Rename it.")
    return listing_digest({name: sha256(path) for name, path in names.items()})


def listing_digest(files: Mapping[bytes, str]) -> str:
    """Return the digest of files that are hashed already: name to SHA-256 in hex; see :func:`directory_digest`.

    Example:
        >>> listing_digest({b"a.txt": "00" * 32})[:15]
        'sha256:817d0524'
    """
    listing = b"".join(b"%s  %s\n" % (files[name].encode(), name) for name in sorted(files))
    return "sha256:" + hashlib.sha256(listing).hexdigest()


def seal(root: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest over every file now under ``root`` and return it, digests included."""
    files = sorted(p for p in root.rglob("*") if p.is_file() and p != root / MANIFEST)
    sealed = with_digests({**manifest, "files": {p.relative_to(root).as_posix(): sha256(p) for p in files}})
    write_manifest(root, sealed)
    return sealed


def write_manifest(root: Path, sealed: Mapping[str, Any]) -> None:
    """Write a manifest that has its digests."""
    (root / MANIFEST).write_text(json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def copy(root: Path, to: Path) -> Path:
    """Copy a bundle to ``to``, which appears whole or not at all. A bundle that stands there is replaced."""
    to = Path(to)
    if to.exists() and not (to / MANIFEST).is_file() and (not to.is_dir() or any(to.iterdir())):
        raise ReferenceInvalid(f"{to} is in use and holds no reference; choose another directory.")
    to.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
    try:
        shutil.copytree(root, beside, dirs_exist_ok=True)
        if to.exists():
            shutil.rmtree(to)
        beside.replace(to)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return to


def open_manifest(root: Path, what: str) -> dict[str, Any]:
    """Read and verify a bundle; return its manifest.

    Raises:
        ReferenceInvalid: no bundle here, an edited manifest, or a file that is missing, added, truncated or edited.
    """
    path = Path(root) / MANIFEST
    if not path.is_file():
        raise ReferenceInvalid(f"There is no {what} at {root}: it has no {MANIFEST}. Make one with 'seatrial capture'.")
    try:
        manifest: dict[str, Any] = strict_json.loads(path.read_bytes(), depth=500, any_text=True)
        files = dict(manifest["files"])
        whole = with_digests(manifest) == {**manifest, "digest": manifest["digest"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ReferenceInvalid(
            f"The manifest of the {what} at {root} cannot be read: it is damaged or of another tool."
        ) from error
    if not whole:
        raise ReferenceInvalid(
            f"The manifest of the {what} at {root} was edited after it was written: its digest differs."
        )
    there = {p.relative_to(root).as_posix() for p in Path(root).rglob("*") if _is_content(p) and p != path}
    if missing := sorted(set(files) - there):
        raise ReferenceInvalid(f"The {what} at {root} lacks {len(missing)} file(s): {', '.join(missing[:3])}.")
    if foreign := sorted(there - set(files)):
        raise ReferenceInvalid(
            f"The {what} at {root} holds file(s) that do not belong to it: {', '.join(foreign[:3])}."
        )
    for (name, digest), found in zip(files.items(), _read_digests(Path(root), files), strict=True):
        if found != digest:
            raise ReferenceInvalid(f"{name} of the {what} at {root} is not what was written: truncated or edited.")
    return manifest


def _read_digests(root: Path, names: Collection[str]) -> Iterator[str | None]:
    """Yield the digest of each file, read side by side; None of a link, which is not followed."""

    def read(name: str) -> str | None:
        return None if (root / name).is_symlink() else sha256(root / name)

    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        yield from pool.map(read, names)


def _is_content(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()
