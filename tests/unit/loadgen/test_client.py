"""The open-loop client against a real server with known latencies: it measures the truth and counts everything."""

import resource

import pytest

from seatrial.errors import UsageError
from seatrial.loadgen.client import offer
from seatrial.loadgen.http1 import BadAnswer, dechunk, parse_head, request_bytes
from tests.support.load_shapes import recorded


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://example.com/", {}),
        ("http://10.0.0.1/", {}),
        ("https://127.0.0.1/", {}),
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


def test_the_head_of_an_answer_is_understood_or_refused():
    assert parse_head(b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 12\r\n") == (200, 12, True)
    assert parse_head(b"HTTP/1.1 204 None\r\n") == (204, 0, True)
    assert parse_head(b"HTTP/1.1 200 OK\r\n") == (200, -2, False)
    assert dechunk(b"2\r\nok\r\n0\r\n", 0) is None
    for wrong in (b"", b"HTTP/1.1 xyz\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n"):
        with pytest.raises(BadAnswer):
            parse_head(wrong)
    with pytest.raises(BadAnswer):
        dechunk(b"zz\r\n", 0)
    assert request_bytes("h", "/", method="GET").endswith(b"\r\n\r\n")
