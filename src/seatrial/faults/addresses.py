"""Where a dependency listens, read from its address and written back into it in the same form.

An address may name several hosts (``mongodb://h1,h2/db``, ``h1:9092,h2:9092``, ``http://a:1,http://b:2``) or a socket
file (``unix:///run/redis.sock``, ``postgresql:///db?host=/run/postgresql``, ``http+unix://%2Frun%2Fapi.sock``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from seatrial.errors import UsageError

DEFAULT_PORTS = {
    "http": 80, "https": 443, "postgresql": 5432, "postgres": 5432, "mysql": 3306, "mariadb": 3306, "redis": 6379,
    "rediss": 6379, "mongodb": 27017, "amqp": 5672, "amqps": 5671,
}  # fmt: skip
PLAIN = {"https": "http", "rediss": "redis", "amqps": "amqp"}
"""The schemes that stand for TLS, and those for the same without it."""
_BETWEEN_URLS = re.compile(r",\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_PLACE = re.compile(r"(?P<host>\[[^\]/@]+\]|[^\s:,/@\[\]=]+)(?::(?P<port>\d+))?")


@dataclass(frozen=True)
class Address:
    """A host and its port, or the path of a socket file.

    Example:
        >>> str(Address("::1", 6379)), str(Address(path="/run/redis.sock"))
        ('[::1]:6379', '/run/redis.sock')
    """

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.path or f"{self.written}:{self.port}"

    @property
    def written(self) -> str:
        """The host as a URL writes it."""
        return f"[{self.host}]" if ":" in self.host else self.host


Write = Callable[[Iterator[Address]], str]
"""Writes an address again, with others in place of its own, in their order."""


def addresses_of(url: str) -> tuple[Address, ...]:
    """Return where a dependency listens; a scheme such as ``postgresql+psycopg`` has its usual port.

    Raises:
        UsageError: no place is in it; passwords are left out of the message.

    Example:
        >>> [str(each) for each in addresses_of("mongodb://me:secret@h1:27018,h2/orders?replicaSet=rs0")]
        ['h1:27018', 'h2:27017']
    """
    return _read(url)[0]


def with_addresses(url: str, others: Sequence[Address]) -> str:
    """Return a dependency's address with others in place of its own, as many as it has.

    Example:
        >>> with_addresses("redis://:secret@db/0", [Address("127.0.0.1", 4001)])
        'redis://:secret@127.0.0.1:4001/0'
    """
    return _read(url)[1](iter(others))


def scheme_of(url: str) -> str:
    """Return the scheme of an address without its driver; empty where it has none.

    Example:
        >>> scheme_of("postgresql+psycopg://db/orders"), scheme_of("h1:9092")
        ('postgresql', '')
    """
    scheme, separator, _ = url.partition("://")
    return scheme.split("+")[0] if separator else ""


def over_http(url: str) -> bool:
    """Return whether plain HTTP is spoken at an address, over TCP or a socket file."""
    return url.startswith(("http:", "http+unix:"))


def without_tls(url: str) -> str:
    """Return an address with the scheme of the same protocol without TLS, as the service gets it.

    Raises:
        UsageError: its scheme does not stand for TLS.

    Example:
        >>> without_tls("https://store.example/v1")
        'http://store.example/v1'
    """
    urls = _BETWEEN_URLS.split(url)
    if any(scheme_of(each) not in PLAIN for each in urls):
        raise UsageError(f"'{_shown(url)}' does not begin with a scheme of TLS. Known: {', '.join(PLAIN)}.")
    return ",".join(PLAIN[scheme_of(each)] + each[len(scheme_of(each)) :] for each in urls)


def _shown(url: str) -> str:
    return url.rpartition("@")[2]  # never the password


def _read(url: str) -> tuple[tuple[Address, ...], Write]:
    urls = _BETWEEN_URLS.split(url)
    if len(urls) == 1:
        return _read_url(url) if "://" in url else _read_places(url, "", url)
    read = [_read_url(each) for each in urls]
    return tuple(place for places, _ in read for place in places), lambda to: ",".join(write(to) for _, write in read)


def _read_url(url: str) -> tuple[tuple[Address, ...], Write]:
    try:
        parts, scheme = urlsplit(url), url.partition("://")[0]
    except ValueError as error:  # such as brackets that do not close
        raise UsageError(f"'{_shown(url)}' is no URL: {error}.") from error
    rest = url[len(scheme) + 3 + len(parts.netloc) :]
    user, at, hosts = parts.netloc.rpartition("@")
    head = f"{scheme}://{user}{at}"
    query, kind = parse_qsl(parts.query, keep_blank_values=True), scheme_of(url)
    if scheme.endswith("+srv"):
        raise UsageError(
            f"'{_shown(url)}' is looked up in the DNS (+srv), which names the hosts. Write them instead, as in "
            "mongodb://h1:27017,h2:27017/db?replicaSet=rs0."
        )
    if any(name == "unix_socket" for name, _ in query):
        path = dict(query)["unix_socket"]
        return (Address(path=path),), lambda to: _queried(url, query, {"unix_socket": [next(to).path]})
    if kind in ("postgresql", "postgres") and not hosts:
        return _read_libpq(url, query)
    if not hosts and {"unix", "socket"} & {*scheme.split("+")} and parts.path.strip("/"):
        return (Address(path=unquote(parts.path)),), lambda to: head + quote(next(to).path) + rest[len(parts.path) :]
    places, write = _read_places(hosts, kind, url)
    return places, lambda to: head + write(to) + rest


def _read_places(hosts: str, kind: str, url: str) -> tuple[tuple[Address, ...], Write]:
    texts = [text.strip() for text in hosts.split(",")]
    found = [_place(text, kind) for text in texts]
    places = tuple(place for place in found if place is not None)
    if len(places) < len(texts):
        raise UsageError(
            f"'{_shown(url)}' has no host and port. Write it as in redis://127.0.0.1:6379/0, "
            "mongodb://h1:27017,h2:27017/db, h1:9092,h2:9092 or unix:///run/redis.sock."
        )

    def written(text: str, place: Address, other: Address) -> str:
        if not place.path:
            return str(other)
        if kind not in ("postgresql", "postgres"):
            return quote(other.path, safe="")
        return quote(os.path.dirname(other.path), safe="") + "".join(text.partition(":")[1:])

    return places, lambda to: ",".join(written(*pair, next(to)) for pair in zip(texts, places, strict=True))


def _place(text: str, kind: str) -> Address | None:
    if text[:3].lower() == "%2f":
        path, _, port = text.partition(":")
        if kind in ("postgresql", "postgres"):
            return _socket_of(unquote(path), port)
        return Address(path=unquote(path))
    match = _PLACE.fullmatch(text)
    if match is None:
        return None
    number = int(match["port"] or 0) or DEFAULT_PORTS.get(kind, 0)
    return Address(match["host"].strip("[]"), number) if 0 < number < 2**16 else None


def _read_libpq(url: str, query: list[tuple[str, str]]) -> tuple[tuple[Address, ...], Write]:
    """Read ``host`` and ``port`` of the query, as libpq takes them: a folder, hosts, or hosts with their ports."""
    hosts = [host for name, value in query if name == "host" for host in value.split(",") if host]
    ports = dict(query).get("port", "").split(",")
    ports = ports if len(ports) == len(hosts) else [ports[0]] * len(hosts)
    repeated = sum(name == "host" for name, _ in query) > 1

    def hosts_written(others: list[str], **more: list[str]) -> str:
        return _queried(url, query, {"host": others if repeated else [",".join(others)], **more})

    if any(host.startswith("/") for host in hosts):
        places = tuple(_socket_of(host, port) for host, port in zip(hosts, ports, strict=True))
        if all(host.startswith("/") for host in hosts):
            return places, lambda to: hosts_written([os.path.dirname(next(to).path) for _ in hosts])
    joined = ",".join(h if _PLACE.fullmatch(h + ":1") is None or not p else f"{h}:{p}"
                      for h, p in zip(hosts, ports, strict=True))  # fmt: skip
    places, _ = _read_places(joined, "postgresql", url)

    def write(to: Iterator[Address]) -> str:
        others = [next(to) for _ in places]
        if all(":" in host for host in hosts):
            return hosts_written([*map(str, others)])
        return hosts_written([each.host for each in others], port=[",".join(str(each.port) for each in others)])

    return places, write


def _socket_of(folder: str, port: str) -> Address:
    return Address(path=os.path.join(folder, f".s.PGSQL.{port or DEFAULT_PORTS['postgresql']}"))


def _queried(url: str, query: list[tuple[str, str]], changed: dict[str, list[str]]) -> str:
    """Return the URL with other values of parameters of its query, in their place, or appended."""
    left = {name: [*values] for name, values in changed.items()}
    kept = [(name, left[name].pop(0) if name in changed else value) for name, value in query
            if name not in changed or left[name]]  # fmt: skip
    more = [(name, value) for name, values in left.items() for value in values]
    text = urlencode([*kept, *more], quote_via=quote, safe="/:,[]")
    before, _, fragment = url.partition("#")
    return f"{before.partition('?')[0]}?{text}" + (f"#{fragment}" if fragment else "")
