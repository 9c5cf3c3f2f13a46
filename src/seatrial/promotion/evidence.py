"""The files of a verdict: what is stored of them, their digest, and the archive that the ledger keeps until then."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from seatrial.io.bundle import listing_digest, sha256
from seatrial.io.files import atomic_write
from seatrial.promotion.attestation import FILE

LIMIT_BYTES = 256 * 2**20  # stored in the ledger until they are logged
LEFT_OUT = "left-out.txt"


def bound(directory: Path, limit: int = LIMIT_BYTES) -> None:
    """Delete the largest files of a directory until the rest has at most ``limit`` bytes, and name them in a file."""
    left, out = limit, []
    for path in sorted((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size):
        left -= path.stat().st_size
        if left < 0:
            out.append(path.relative_to(directory).as_posix())
            path.unlink()
    if out:
        atomic_write(directory / LEFT_OUT, ("\n".join(out) + "\n").encode())


def files_of(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its relative path; the signed statement, which states them, is left out."""
    paths = {p.relative_to(directory).as_posix(): p for p in directory.rglob("*") if p.is_file()}
    return {name: sha256(path) for name, path in sorted(paths.items()) if name != FILE}


def digest_of(files: Mapping[str, str]) -> str:
    """Return the digest of files, in-toto's ``dirHash``.

    Example:
        >>> digest_of({"report.html": "00" * 32})[:10]
        'sha256:254'
    """
    return listing_digest({name.encode(): digest for name, digest in files.items()})


def archive(directory: Path) -> bytes:
    """Return the directory's files in one archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as into:
        for path in sorted(p for p in directory.rglob("*") if p.is_file()):
            into.write(path, path.relative_to(directory).as_posix())
    return packed.getvalue()


def unpack(content: bytes, into: Path) -> None:
    """Write the files of an archive below a directory; extraction never leaves the directory."""
    if content:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            packed.extractall(into)
