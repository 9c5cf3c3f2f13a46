"""Files at the address of an artifact: in a folder, in S3, or wherever else Arrow reads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from seatrial.errors import RegistryError
from seatrial.formatting import without_user

FOLDER = "MODEL_REGISTRY_FILES"  # the directory below which a file:// address may be
ENDPOINT, REGION = "AWS_S3_ENDPOINT", "AWS_DEFAULT_REGION"  # as the registry's client names them
BY_ARROW = ("gs", "abfs", "abfss", "hdfs")
CHUNK = 2**20
ANYWHERE = "us-east-1"  # what stores that are not Amazon's take for any region


def download(uri: str, into: Path) -> Path:
    """Copy the file or the folder at an address to ``into``, which is emptied first, and return it.

    Raises:
        RegistryError: there is nothing, it cannot be read, or addresses of its kind are not read.
    """
    from pyarrow import fs

    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    try:
        files, path = located(uri)
        [there] = files.get_file_info([path])
        if there.type == fs.FileType.File:
            _copy(files, path, into / PurePosixPath(path).name)
            return into
        inside = files.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
        found = [each.path for each in inside if each.type == fs.FileType.File]
        if not found:
            raise RegistryError(f"There is no file at {shown(uri)}.")
        for each in found:
            if isinstance(files, fs.LocalFileSystem):
                _allowed(each, each)  # it may be a link
            _copy(files, each, _below(into, each, path))
    except OSError as error:
        raise RegistryError(f"{shown(uri)} cannot be downloaded: {error}.") from error
    return into


def upload(folder: Path, uri: str) -> None:
    """Copy a folder to an address.

    Raises:
        RegistryError: it cannot be written there, or addresses of its kind are not written.
    """
    from pyarrow import fs

    try:
        files, path = located(uri)
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            to = f"{path}/{file.relative_to(folder).as_posix()}"
            if not isinstance(files, fs.S3FileSystem):  # it has no folders, and to make one asks for more rights
                files.create_dir(to.rpartition("/")[0], recursive=True)
            with file.open("rb") as stream, files.open_output_stream(to) as there:
                shutil.copyfileobj(stream, there, CHUNK)
    except OSError as error:
        raise RegistryError(f"{shown(uri)} cannot be written: {error}.") from error


def beside(uri: str, name: str) -> str:
    """Return the address of another file or folder in the folder of one.

    Example:
        >>> beside("s3://models/iris/v1?endpoint=http://minio:9000", "references/ab12")
        's3://models/iris/references/ab12?endpoint=http://minio:9000'
    """
    parts = urlsplit(uri)
    path = PurePosixPath(parts.path)
    if path.parent == path:
        raise RegistryError(f"{shown(uri)} is a whole bucket: there is no place beside it.")
    return parts._replace(path=str(path.parent / name)).geturl()


def shown(uri: str) -> str:
    """Return an address without user, password and parameters, to be shown."""
    return without_user(uri.partition("?")[0])


def located(uri: str) -> tuple[Any, str]:
    """Return Arrow's file system for an address, and the path in it.

    Raises:
        RegistryError: addresses of its kind are not read, or a file is not below the directory that is allowed.
    """
    from pyarrow import fs

    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return fs.LocalFileSystem(), str(_allowed(unquote(parts.path), uri))
    if parts.scheme == "s3":
        return fs.S3FileSystem(**s3_options(uri), allow_delayed_open=True), f"{parts.netloc}{parts.path}".rstrip("/")
    if parts.scheme in BY_ARROW:
        files, path = fs.FileSystem.from_uri(uri)
        return files, path
    raise RegistryError(
        f"Files at {shown(uri)} are not read: the kinds of addresses are file, s3, {', '.join(BY_ARROW)}. Register the "
        "version with one of these."
    )


def s3_options(uri: str) -> dict[str, str]:
    """Return the options of Arrow's S3 for an address as the registry's client writes it, its endpoint in a parameter.

    Example:
        >>> s3_options("s3://models/iris/v1?endpoint=http://minio:9000&defaultRegion=eu-1")
        {'endpoint_override': 'minio:9000', 'scheme': 'http', 'region': 'eu-1'}
    """
    given = {name: values[-1] for name, values in parse_qs(urlsplit(uri).query).items()}
    region = given.get("defaultRegion") or os.environ.get(REGION, "")
    endpoint = given.get("endpoint") or os.environ.get(ENDPOINT, "")
    if not endpoint:
        return {"region": region} if region else {}
    scheme, divider, place = endpoint.rpartition("://")
    chosen = {"endpoint_override": place.rstrip("/"), "scheme": scheme if divider else "https"}
    return chosen | {"region": region or ANYWHERE}


def _allowed(path: str, uri: str) -> Path:
    """Return a path below the directory that is allowed: whoever registers a version must not read our disk by it."""
    root = os.environ.get(FOLDER)
    found = Path(path).resolve()
    if not root:
        raise RegistryError(
            f"{shown(uri)} is a path on this machine, and no directory is allowed. Set {FOLDER} to the directory that "
            "holds the models, such as the mount of a volume."
        )
    if Path(root).resolve() not in found.parents:
        raise RegistryError(f"{shown(uri)} is not below {root}, which {FOLDER} allows.")
    return found


def _below(into: Path, found: str, root: str) -> Path:
    """Return where a file goes; a key of a bucket may hold '..'."""
    inside = PurePosixPath(found).relative_to(PurePosixPath(root))
    if ".." in inside.parts:
        raise RegistryError(f"{found} leads out of its folder. Nothing was downloaded from it.")
    return into / inside


def _copy(files: Any, path: str, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with files.open_input_stream(path) as stream, to.open("wb") as file:
        shutil.copyfileobj(stream, file, CHUNK)
