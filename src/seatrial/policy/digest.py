"""The digest of a policy: of what its files say, and not of their comments, blank lines and order of settings."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tokenize
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from seatrial.errors import ReferenceInvalid
from seatrial.io.bundle import listing_digest
from seatrial.io.files import is_leftover


def policy_digest(directory: Path) -> str:
    """Return the digest of all that a policy's directory says, without running it; what editors leave says nothing.

    Raises:
        ReferenceInvalid: a file's name holds a line break.
    """
    return digest_of(policy_files(directory))


def policy_files(directory: Path) -> dict[str, bytes]:
    """Return the content of each file of a policy by its path below the directory; what editors leave is none."""
    files = {p.relative_to(directory): p for p in directory.rglob("*") if p.is_file()}
    return {name.as_posix(): path.read_bytes() for name, path in files.items() if not is_leftover(name)}


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the digest of a policy's files, by their paths below its directory.

    Raises:
        ReferenceInvalid: a file's name holds a line break.

    Example:
        >>> digest_of({"service.toml": b"[slo]"}) == digest_of({"service.toml": b"[slo]  # the objective"})
        True
    """
    if broken := [name for name in files if "\n" in name]:
        raise ReferenceInvalid(f"The name of a file of the policy holds a line break: {broken[0][:80]!r}. Rename it.")
    says = {os.fsencode(name): hashlib.sha256(meaning(name, content)) for name, content in files.items()}
    return listing_digest({name: digest.hexdigest() for name, digest in says.items()})


def meaning(name: str, content: bytes) -> bytes:
    """Return what a file says: Python without comments, TOML, JSON and YAML as data.

    Any other file, and one that does not parse, says what it is.
    """
    suffix = PurePosixPath(name).suffix
    try:
        if suffix == ".toml":
            return _canonical(tomllib.loads(content.decode("utf-8")))
        if suffix == ".json":
            return _canonical(json.loads(content))
        if suffix in (".yaml", ".yml"):
            return _canonical(_yaml(content))
        if suffix == ".py":
            return _without_comments(content)
    except (ValueError, SyntaxError, tokenize.TokenError, RecursionError):
        pass
    return content


def _yaml(content: bytes) -> object:
    import yaml

    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, default=repr, ensure_ascii=True).encode()


def _without_comments(content: bytes) -> bytes:
    """Return Python source without comments, blank lines and space at the ends of lines, the same on every Python.

    Lines within a text are kept as they are: they are part of what the code says.
    """
    compile(content, "policy", "exec", dont_inherit=True)  # the tokens of what does not parse mean nothing
    lines = content.decode("utf-8").splitlines()
    within: set[int] = set()
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        (first, column), (last, _) = token.start, token.end
        if token.type == tokenize.COMMENT:
            lines[first - 1] = lines[first - 1][:column]
        elif last > first and token.type not in (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER):
            within |= set(range(first, last + 1))
    kept = [text if n in within else text.rstrip() for n, text in enumerate(lines, 1)]
    return "\n".join(text for n, text in enumerate(kept, 1) if text or n in within).encode()
