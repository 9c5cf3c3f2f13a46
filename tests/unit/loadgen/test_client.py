"""The open-loop client without a server: which loads it refuses, how it writes requests and reads responses."""

import asyncio
import gzip
import resource
import zlib

import pytest

from seatrial.errors import UsageError
from seatrial.loadgen.client import offer
from seatrial.loadgen.wire import http1
from seatrial.loadgen.wire.http1 import HttpConnection, request_bytes
from tests.support.load_shapes import recorded


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://example.com/", {}),
        ("http://10.0.0.1/", {}),
        ("https://10.0.0.1/", {}),
        ("ftp://127.0.0.1/", {}),
        ("127.0.0.1:80", {}),
        ("http://127.0.0.1:1/", {"connections": 0}),
        ("http://127.0.0.1:1/", {"timeout_seconds": float("nan")}),
        ("http://127.0.0.1:1/", {"payloads": []}),
        ("http://127.0.0.1:1/", {"headers": {"X": "a\r\nY: b"}}),
    ],
)
def test_load_out_of_bounds_is_refused(url, options):
    with pytest.raises(UsageError):
        offer(url, recorded([0, 1]), **options)


def test_connections_beyond_the_limit_of_open_files_are_refused_beforehand():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with pytest.raises(UsageError, match="ulimit -n 256"):
            offer("http://127.0.0.1:1/", recorded([0, 1]), connections=192)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Socket(asyncio.Transport):
    """A transport that remembers whether it was dropped."""

    dropped = False

    def write(self, data):
        pass

    def abort(self):
        self.dropped = True


class Results:
    """An owner that remembers how the requests ended."""

    encoding, timed = "", False

    def __init__(self):
        self.answers, self.losses = [], []

    def opened(self, connection):
        pass

    def answered(self, connection, index, status, body, encoding):
        self.encoding = encoding
        self.answers.append((index, status, body))

    def lost(self, connection, index):
        self.losses.append(index)


@pytest.fixture
def connection():
    opened = HttpConnection(Results())
    opened.connection_made(Socket())
    return opened


def received(connection, *pieces, index=7):
    """What one request gets for these pieces: the answers so far and whether the connection was dropped."""
    connection.send(index, b"")
    for piece in pieces:
        connection.data_received(piece)
    return connection._owner.answers, connection.transport.dropped


@pytest.mark.parametrize(
    ("response", "status", "body", "dropped"),
    [
        (b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 12\r\n\r\nhello, world", 200, b"hello, world", False),
        (b"HTTP/1.1 204 None\r\n\r\n", 204, b"", False),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", 304, b"", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", 200, b"ok", False),
    ],
)
def test_a_response_is_read_the_same_at_once_and_byte_by_byte(response, status, body, dropped):
    for pieces in ([response], [bytes([byte]) for byte in response]):
        connection = HttpConnection(Results())
        connection.connection_made(Socket())
        assert received(connection, *pieces) == ([(7, status, body)], dropped)


@pytest.mark.parametrize(
    "wrong",
    [
        b"HTTP/1.1 xyz\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_a_response_that_breaks_http_drops_the_connection_unanswered(connection, wrong):
    assert received(connection, wrong) == ([], True)
    connection.connection_lost(None)
    assert (connection._owner.answers, connection._owner.losses) == ([], [7])


def test_a_response_without_a_length_ends_with_its_connection(connection):
    assert received(connection, b"HTTP/1.1 200 OK\r\n\r\n", b"all ", b"of it") == ([], False)
    connection.connection_lost(None)
    assert (connection._owner.answers, connection._owner.losses) == ([(7, 200, b"all of it")], [-1])


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_half_a_response_is_lost(connection, framing):
    body = b"half" if framing.endswith(b"9") else b"9\r\nhalf"
    received(connection, b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body)
    connection.connection_lost(None)
    assert (connection._owner.answers, connection._owner.losses) == ([], [7])


def test_more_than_the_response_drops_the_connection_after_it(connection):
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert received(connection, ok + ok) == ([(7, 200, b"ok")], True)


def test_a_response_that_was_not_requested_drops_the_connection(connection):
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (connection._owner.answers, connection.transport.dropped) == ([], True)


def test_a_response_beyond_the_limit_drops_the_connection(connection, monkeypatch):
    monkeypatch.setattr(http1, "MAX_RESPONSE_BYTES", 1_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"
    assert received(connection, head, b"x" * 900, b"x" * 900) == ([], True)


def test_a_request_is_written_with_its_length_or_refused():
    assert request_bytes("h", "/", method="GET").endswith(b"\r\n\r\n")
    request = request_bytes("h:1", "/score?a=b", b"{}", headers={"Content-Type": "text/csv"})
    assert request.startswith(b"POST /score?a=b HTTP/1.1\r\nHost: h:1\r\nContent-Type: text/csv\r\n")
    assert request.endswith(b"\r\nContent-Length: 2\r\n\r\n{}")
    for path, headers in (("/a b", {}), ("/\n", {}), ("/ä", {}), ("/", {"X": "a\r\nY: b"}), ("/", {"X y": "a"})):
        with pytest.raises(UsageError, match="HTTP cannot carry"):
            request_bytes("h", path, headers=headers)


def test_compressed_bodies_are_read_within_the_limit(connection, monkeypatch):
    body = gzip.compress(b'{"id": "a"}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    ((_, _, told),), _ = received(connection, head, body)
    assert http1.decoded(told, connection._owner.encoding) == b'{"id": "a"}'
    assert http1.decoded(zlib.compress(b"ok"), "deflate") == b"ok"
    assert http1.decoded(b"as it is", "gzip") == http1.decoded(b"as it is", "br") == b"as it is"
    monkeypatch.setattr(http1, "MAX_RESPONSE_BYTES", 1_000)
    assert len(http1.decoded(gzip.compress(bytes(10**6)), "gzip")) == 1_000


def test_a_connection_stays_as_long_as_the_server_says(connection):
    received(connection, b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=5\r\nContent-Length: 0\r\n\r\n")
    assert connection.idle_seconds == 1


def test_headers_replace_the_defaults_whatever_their_case():
    request = request_bytes(
        "h:1", "/", b"x", headers={"content-type": "text/csv", "accept": "text/plain", "X-Key": "k"}
    )
    assert request.lower().count(b"content-type") == request.lower().count(b"accept") == 1
    assert b"text/csv" in request
    assert b"X-Key: k" in request
