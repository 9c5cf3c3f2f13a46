"""What a service's address may be, where it may hold a credential, and how another address takes its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import PurePath
from typing import Protocol
from urllib.parse import urlsplit

from seatrial.errors import PipelineError

# As the gateways between gRPC and HTTP translate them (google/rpc/code.proto).
GRPC_STATUS = {"OK": 200, "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400,
               "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ALREADY_EXISTS": 409,
               "ABORTED": 409, "RESOURCE_EXHAUSTED": 429, "CANCELLED": 499, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503,
               "DEADLINE_EXCEEDED": 504}  # fmt: skip
UNCONNECTED = re.compile(r"failed to connect|dns resolution failed|empty address list", re.IGNORECASE)
DISCONNECTED = re.compile(
    r"(\S+: ?)?(socket closed|recvmsg|sendmsg|connection (reset|refused|aborted|closed)|broken pipe|endpoint |goaway)",
    re.IGNORECASE,
)
"""How gRPC's client begins what it says of UNAVAILABLE itself; whatever else is said is the words of a server."""
PLACEHOLDER = re.compile(r"\{(\w+):([^{}]*)\}")
SOURCES = ("env", "file")  # what fills a placeholder with a colon
CREDENTIAL = re.compile(
    r"(?i:^(proxy-)?authorization$|^cookie$|(^|[-_])(api-?)?(key|token|secret|password|passwd|auth|credentials?)($|[-_])"
    r"|(api|access|subscription)key|(auth|access)token)"
)  # names of headers that hold one
_OWN = re.compile(r"^rest\+http://(127\.0\.0\.1|localhost|\[::1\]):\{port\}(?=/|$)")
_PROTOCOL = re.compile(r"^([a-z0-9.-]+\+)(?=https?:)")
_HOST = re.compile(r"^([a-z0-9.-]+\+)https?://[^/?#]*")
_ASK_A_DAEMON = ("docker", "nerdctl", "docker-compose", "podman-compose")
_USER = re.compile(r"://([^/@]*)@")


class Addressed(Protocol):
    """The fields of a service that say how it is reached."""

    @property
    def command(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def url(self) -> str | None: ...  # noqa: D102
    @property
    def predict(self) -> str: ...  # noqa: D102
    @property
    def env(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def headers(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def verify(self) -> bool | str: ...  # noqa: D102
    @property
    def cert(self) -> str | Sequence[str] | None: ...  # noqa: D102


def is_loopback(host: str) -> bool:
    """Whether a host is an address of this machine itself.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("db")
        (True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(service: Addressed) -> None:
    """Raise PipelineError where a service is not either started or reached, or holds a credential in its text."""
    if bool(service.command) == (service.url is not None):
        found = "both" if service.command else "neither"
        raise PipelineError(
            f"Service(...) was given {found} of command= and url=; it takes one. command=[...] starts the service for "
            'the validation; url="https://…" names one that runs already.'
        )
    if service.url is not None:
        check_url(service.url)
    if _USER.search(service.predict):
        raise PipelineError(
            "Service(predict=…) has a user or password before the host. Give the address of a service that runs "
            'already as url="https://{env:USER}:{env:PASSWORD}@host"; seatrial sends them by basic authentication.'
        )
    _check_placeholders(service)
    for name, value in service.headers.items():
        _check_header(name, value)
    if not isinstance(service.verify, bool | str | PurePath):
        raise PipelineError(
            f"Service(verify={service.verify!r}): give True, False, or the path of an authority in PEM."
        )
    if not (service.cert is None or isinstance(service.cert, str) or len(service.cert) in (0, 1, 2, 3)):
        raise PipelineError(
            "Service(cert=…) is the path of a client certificate, or its path, its key's and the key's password."
        )
    if service.cert and not isinstance(service.cert, str) and len(service.cert) == 3:
        _check_secret("The password in Service(cert=…)", service.cert[2], "CERT_PASSWORD")


def check_stop(command: Sequence[str], stop: Sequence[str]) -> None:
    """Raise PipelineError where a command asks a daemon for its containers, and nothing says how they are ended.

    Example:
        >>> check_stop(["docker", "run", "--name", "{name}", "shop:2"], ["docker", "rm", "-f", "{name}"])
    """
    if isinstance(command, str) or isinstance(stop, str):
        raise PipelineError('Service(command=…, stop=…) take lists of words, such as ["docker", "rm", "-f", "{name}"].')
    if stop and not command:
        raise PipelineError("Service(stop=…) ends what command=… started; a service with url= is not ended.")
    program = PurePath(str(command[0])).name if command else ""
    if program not in _ASK_A_DAEMON or stop:
        return
    composed = "compose" in program or "compose" in command[1:2]
    words = [program, *(["compose"] if composed and program in ("docker", "nerdctl") else [])]
    end = [*words, "-p", "{name}", "down"] if composed else [*words, "rm", "-f", "{name}"]
    raise PipelineError(
        f"Service(command=…) asks {program} for a container, which outlives its client. Add "
        f"{'-p {name}' if composed else '--name {name}'} to command, and stop={json.dumps(end)}."
    )


def _check_placeholders(service: Addressed) -> None:
    for text in map(str, (*service.command, *service.env.values(), service.predict)):
        if (found := PLACEHOLDER.search(text)) and found[1] in SOURCES:
            raise PipelineError(
                f"Service(...) has '{found[0]}' in command, env or predict, where nothing fills it. To pass a variable "
                "on to the service, name it in 'environment' of [tool.seatrial]."
            )
    for text in _texts(service):
        for found in PLACEHOLDER.finditer(text):
            if found[1] not in SOURCES or not found[2].strip():
                raise PipelineError(
                    f"Service(...): '{found[0]}' is no placeholder. Write {{env:NAME}} for a variable of the "
                    "environment, or {file:PATH} for the content of a file."
                )


def check_url(url: str) -> None:
    """Raise PipelineError unless this is the address of a service over HTTP whose password, if any, is a placeholder.

    Example:
        >>> check_url("https://staging.example/fraud")
        >>> try:
        ...     check_url("https://ann:secret@staging.example")
        ... except PipelineError as error:
        ...     print(str(error).partition(".")[0])
        The password in the service's url is written in full
    """
    if PLACEHOLDER.fullmatch(url):  # the whole address is in a variable, and checked when it is known
        return
    plain = PLACEHOLDER.sub("x", url)
    try:
        parts = urlsplit(_PROTOCOL.sub("", plain))
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        port_is_one, parts = False, urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_one:
        raise PipelineError(
            f"'{_USER.sub('://***@', url)}' is not the address of a service. Example: https://staging.example/fraud."
        )
    if parts.query or parts.fragment:
        raise PipelineError(
            "The service's url ends with a query or a fragment. Paths are joined to it: leave out what follows "
            f"'{_USER.sub('://***@', url).partition('?')[0].partition('#')[0]}'."
        )
    if user := _USER.search(url):
        _check_secret("The password in the service's url", user[1].partition(":")[2] or user[1], "STAGING_PASSWORD")


def own_path(predict: str) -> str:
    """Return the path of a service that is started here where its whole address was written; else the text itself.

    Example:
        >>> own_path("rest+http://127.0.0.1:{port}/score"), own_path("oip+http://127.0.0.1:{port}/fraud")
        ('/score', 'oip+http://127.0.0.1:{port}/fraud')
    """
    return _OWN.sub("", predict) or "/" if _OWN.match(predict) else predict


def named_protocol(service: Addressed) -> str:
    """Return the argument of a service that names a protocol of its own, such as ``oip+``, or the empty string.

    Example:
        >>> from seatrial import Service
        >>> named_protocol(Service(url="oip+https://staging.example")), named_protocol(Service(url="https://a.example"))
        ("url='oip+https://staging.example'", '')
    """
    if not service.predict.startswith("/"):
        return f"predict={service.predict!r}"
    found = _PROTOCOL.match(service.url or "")
    return f"url={_USER.sub('://***@', service.url or '')!r}" if found and found[1] != "rest+" else ""


def at(url: str, predict: str) -> str:
    """Return the address that predictions are asked at, of a service at ``url``.

    Example:
        >>> at("https://staging.example/ml", "/score"), at("https://staging.example", "oip+http://127.0.0.1:{port}/m")
        ('rest+https://staging.example/ml/score', 'oip+https://staging.example/m')
    """
    plain = _PROTOCOL.sub("", url).rstrip("/")
    if predict.startswith("/"):
        return (_PROTOCOL.match(url) or ["rest+"])[0] + plain + predict
    if not _HOST.match(predict):
        raise PipelineError(
            f"Service(predict='{predict}') names its own host, and cannot be asked at '{url}'. Give a path, or an "
            "address over HTTP such as oip+http://127.0.0.1:{port}/model."
        )
    return _HOST.sub(lambda found: found[1] + plain, predict)


def _texts(service: Addressed) -> Iterator[str]:
    yield service.url or ""
    yield from map(str, service.headers.values())
    yield str(service.verify)
    yield from [service.cert] if isinstance(service.cert, str) else map(str, service.cert or ())


def _check_header(name: str, value: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise PipelineError(f"Service(headers=…): {name!r} is not the name of a header.")
    if not isinstance(value, str) or re.search(r"[\r\n\0]", value):
        raise PipelineError(f"Service(headers=…): the value of '{name}' is not one line of text.")
    if CREDENTIAL.search(name):
        variable = re.sub(r"\W", "_", name.upper()).strip("_")
        _check_secret(f"The header '{name}' of Service(headers=…)", value, variable)


def _check_secret(what: str, value: str, variable: str) -> None:
    if not PLACEHOLDER.search(str(value)):
        raise PipelineError(
            f"{what} is written in full. The pipeline's code is stored, hashed and shown, so a credential is only "
            f"named in it: write {{env:{variable}}} and set that variable where seatrial runs, or {{file:PATH}}."
        )
