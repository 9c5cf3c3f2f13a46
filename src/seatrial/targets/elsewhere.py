"""A service that runs already: its address and what a request to it carries, with every placeholder filled."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from seatrial.errors import PipelineError, UsageError, nearest
from seatrial.pipeline import Pipeline, Service
from seatrial.pipeline.access import Access
from seatrial.pipeline.address import PLACEHOLDER, at, check_url

LIMIT_BYTES = 64 * 1024  # of a file with a secret
_OURS = ("MLFLOW_", "PREFECT_", "SEATRIAL_")  # what seatrial itself signs in with is for no service


@dataclass(frozen=True)
class Elsewhere:
    """Where a service runs that nobody here started.

    Attributes:
        url: its address, without user and password.
        predict: the address of its predictions, with their protocol.
        prefix: the path that the paths of the service are joined to; empty where it is the root.
        access: what a request carries.
    """

    url: str
    predict: str
    prefix: str
    access: Access

    def path(self, path: str) -> str:
        """Return a path of the service as it is asked for.

        Example:
            >>> elsewhere(Service(url="http://127.0.0.1:8000/ml"), {}).path("/health")
            '/ml/health'
        """
        return self.prefix + path


def elsewhere(service: Service, environ: Mapping[str, str], folder: str | os.PathLike[str] = ".") -> Elsewhere:
    """Return where a service with a ``url`` runs, and how it is reached.

    Args:
        service: one with a ``url``.
        environ: the variables that ``{env:NAME}`` names.
        folder: which relative paths begin in.

    Raises:
        UsageError: a placeholder that nothing fills, or a file that cannot be read; the message names it and no value.

    Example:
        >>> staging = Service(url="https://staging.example/ml", predict="/score", headers={"X-Key": "{env:KEY}"})
        >>> there = elsewhere(staging, {"KEY": "k-77d1c2"})
        >>> there.predict, there.access
        ('rest+https://staging.example/ml/score', Access(headers=['x-key'], verify=True, cert=0))
    """
    assert service.url is not None
    secrets: list[str] = []

    def value(found: re.Match[str], where: str) -> str:
        return _value(found[1], found[2].strip(), where, environ, folder)

    def filled(text: str, where: str, kept: list[str]) -> str:
        kept += [value(found, where) for found in PLACEHOLDER.finditer(text)]
        return PLACEHOLDER.sub(lambda found: value(found, where), text)

    headers = {name.lower(): filled(text, f"headers, '{name}'", secrets) for name, text in service.headers.items()}
    url, user = _signed_in(service.url, lambda found: value(found, "url"))
    if user:
        encoded = base64.b64encode(user.encode()).decode()
        headers.setdefault("authorization", f"Basic {encoded}")
        secrets += [encoded, user.partition(":")[2] or user.partition(":")[0]]
    cert = (service.cert,) if isinstance(service.cert, str) else tuple(service.cert or ())
    paths = [_path(filled(str(path), "cert", []), folder) for path in cert[:2]]
    passwords = [filled(str(each), "cert", secrets) for each in cert[2:]]
    verify = service.verify
    if not isinstance(verify, bool):
        verify = _path(filled(str(verify), "verify", []), folder)
    try:
        check_url(url)
        predict = at(url, service.predict)
    except PipelineError as error:
        raise UsageError(str(error)) from error
    plain = re.sub(r"^[a-z0-9.-]+\+", "", url).rstrip("/")
    return Elsewhere(
        plain,
        predict,
        urlsplit(plain).path,
        Access(headers, verify, (*paths, *passwords), tuple(dict.fromkeys(filter(None, secrets)))),
    )


def served_at(pipeline: Pipeline, url: str) -> Pipeline:
    """Return the pipeline with the address of a service that runs already in the place of its own service.

    Raises:
        PipelineError: it is no address of a service, or the pipeline's protocol cannot be asked there.

    Example:
        >>> shop = Pipeline("shop", key="id", raw=lambda frame: frame, score=lambda frame: frame)
        >>> served_at(shop, "https://staging.example").service.url
        'https://staging.example'
    """
    other = copy(pipeline)
    declared = pipeline.service
    other.service = Service(url=url) if declared is None else replace(declared, command=(), stop=(), env={}, url=url)
    return other


def _signed_in(url: str, value: Callable[[re.Match[str]], str]) -> tuple[str, str]:
    """Return a URL without user and password, its placeholders filled, and ``user:password``, or the empty string."""
    found = list(PLACEHOLDER.finditer(url))
    marked = PLACEHOLDER.sub("*", url)
    end = re.match(r"[^/]*(//[^/@]*@)?", marked)
    assert end is not None
    before = marked[: end.end()].count("*") if end[1] else 0  # these are in the user or the password, and may hold '@'
    texts = [quote(value(each), safe="") if n < before else value(each) for n, each in enumerate(found)]
    filled = "".join(part + text for part, text in zip(marked.split("*"), [*texts, ""], strict=True))
    begin, sign, rest = filled.partition("://")
    user, at_sign, behind = rest.partition("@")
    if not sign or not at_sign or "/" in user:
        return filled, ""
    name, colon, password = user.partition(":")
    return f"{begin}://{behind}", unquote(name) + ":" + unquote(password if colon else "")


def _value(source: str, name: str, where: str, environ: Mapping[str, str], folder: str | os.PathLike[str]) -> str:
    if source == "env":
        if name.upper().startswith(_OURS):
            raise UsageError(
                f"Service({where}): {{env:{name}}} is a variable of seatrial's own, which no service gets. Set another."
            )
        if not environ.get(name):
            state = "is empty" if name in environ else "is not set"
            raise UsageError(
                f"Service({where}): the variable {name} {state}. Set it where seatrial runs: export {name}=…"
                f"{nearest(name, environ) if name not in environ else ''}"
            )
        value = environ[name]
    else:
        path = Path(folder, name).expanduser()
        try:
            with path.open("rb") as file:
                value = file.read(LIMIT_BYTES + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            why = (error.strerror if isinstance(error, OSError) else "") or "it is no text"
            raise UsageError(f"Service({where}): the file '{path}' cannot be read: {why}.") from None
        if len(value) > LIMIT_BYTES or not value.strip():
            raise UsageError(f"Service({where}): the file '{path}' is empty or too long; it holds the value alone.")
    value = value.strip()
    if re.search(r"[\r\n\0]", value) or not value.isascii():
        raise UsageError(
            f"Service({where}): the value of {{{source}:{name}}} is not one line of ASCII, which a header is."
        )
    return value


def _path(path: str, folder: str | os.PathLike[str]) -> str:
    return str(Path(folder, path).expanduser())
