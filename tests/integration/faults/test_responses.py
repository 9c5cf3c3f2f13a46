"""Faults on HTTP responses, through the real reverse proxy: the service gets them, they are counted and undone."""

import contextlib
import gzip
import http.client
import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from seatrial.errors import UsageError
from seatrial.faults.proxy.http import HttpProxy
from seatrial.faults.responses import Blanks, Errors, MissingKeys, TooManyRequests, WrongSchema, chosen

FEATURES = {f"t-{number}": {"amount": number * 1.1, "country": "NA"} for number in range(50)}
ANSWER = {"as_of": "2026-01-02T00:00:00Z", "features": FEATURES}


@contextlib.contextmanager
def running(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def respond(self, status, body=b"", *, close=False):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = close or self.close_connection


class Store(Quiet):
    def do_GET(self):
        if self.path == "/text":
            self.respond(200, b"plain")
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b'4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n')
        elif self.path == "/drop":
            self.respond(200, b"{}", close=True)
        elif self.path == "/compressed" and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(b'{"a": 1}')
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.path == "/compressed":
            self.respond(200, b'{"a": 1}')
        elif self.path == "/none":
            self.send_response(204)
            self.end_headers()
        else:
            self.respond(200, json.dumps(ANSWER).encode())

    def do_POST(self):
        self.respond(200, self.rfile.read(int(self.headers["Content-Length"])))


@pytest.fixture
def proxy():
    with running(Store) as url, HttpProxy(url, seed=5) as reverse:
        yield reverse


@pytest.fixture
def get(proxy):
    connection = http.client.HTTPConnection(*proxy.address, timeout=5)

    def get(path="/features", method="GET", body=None):
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer, answer.read()

    yield get
    connection.close()


def test_without_a_fault_responses_pass_unchanged(proxy, get):
    assert json.loads(get()[1]) == ANSWER
    assert get(method="POST", body=b"x" * 200_000)[1] == b"x" * 200_000
    assert get("/chunked")[1] == b'{"a": 1}'
    assert get("/none")[0].status == 204
    assert get("/drop")[1] == b"{}"
    assert get()[0].status == 200
    assert proxy.requests == len(proxy.times) == 6


def test_errors_hit_their_share_and_are_undone(proxy, get):
    with proxy.fault(Errors(share=0.3, status=503)) as hits:
        statuses = [get()[0].status for _ in range(60)]
    assert hits.count == statuses.count(503)
    assert 8 <= hits.count <= 28
    assert statuses == [503 if chosen(str(number), 0.3, 5) else 200 for number in range(1, 61)]
    assert get()[0].status == 200


def test_too_many_requests_states_when_to_retry(proxy, get):
    with proxy.fault(TooManyRequests(retry_after=7)) as hits:
        answer, _ = get()
    assert (answer.status, answer.headers["Retry-After"], hits.count) == (429, "7", 1)


def test_missing_keys_are_the_same_ones_every_time_and_the_others_untouched(proxy, get):
    with proxy.fault(MissingKeys(share=0.2, inside="features")) as hits:
        first, again = (json.loads(get()[1])["features"] for _ in range(2))
    assert first == again == {key: value for key, value in FEATURES.items() if not chosen(key, 0.2, 5)}
    assert 3 <= len(FEATURES) - len(first) <= 18
    assert hits.count == 2


def test_missing_keys_of_a_list_are_those_of_its_key_field(proxy, get):
    rows = [{"id": f"t-{number}"} for number in range(50)]
    with proxy.fault(MissingKeys(share=0.2, key="id")):
        left = json.loads(get(method="POST", body=json.dumps(rows))[1])
    assert left == [row for row in rows if not chosen(row["id"], 0.2, 5)] != rows


@pytest.mark.parametrize(("blank", "seen"), [("null", None), ("empty", ""), ("nan", math.nan)])
def test_values_are_blanked(proxy, get, blank, seen):
    with proxy.fault(Blanks(blank=blank, share=0.5)):
        values = [each["amount"] for each in json.loads(get()[1])["features"].values()]
    blanked = [each for each in values if each != each or each == seen]
    assert 10 <= len(blanked) <= 40


def test_the_schema_is_changed(proxy, get):
    with proxy.fault(WrongSchema()):
        assert json.loads(get()[1])["features"]["t-1"] == {"amount_v2": 1.1, "country_v2": "NA"}
    with proxy.fault(WrongSchema(how="retype")):
        assert json.loads(get()[1])["features"]["t-1"] == {"amount": "1.1", "country": {"value": "NA"}}


def test_what_the_fault_cannot_touch_is_not_counted(proxy, get):
    with proxy.fault(Blanks()) as hits, proxy.fault(WrongSchema()):
        assert get("/text")[1] == b"plain"
    assert hits.count == 0


def test_a_dead_dependency_is_a_bad_gateway_and_nothing_is_left():
    before = set(threading.enumerate())
    with running(Store) as url:
        pass
    with HttpProxy(url) as reverse:
        connection = http.client.HTTPConnection(*reverse.address, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 502
        connection.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    "wrong", [b"\x16\x03\x01 TLS?\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"x" * 90_000]
)
def test_what_is_not_http_is_refused(proxy, wrong):
    import socket

    with socket.create_connection(proxy.address, timeout=5) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(wrong)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100)[:12] in (b"", b"HTTP/1.1 502")


def test_attributes_out_of_range_are_refused():
    for make in (lambda: Errors(share=1.1), lambda: TooManyRequests(retry_after=-1), lambda: Blanks(share=-0.1)):
        with pytest.raises(UsageError):
            make()


def test_responses_are_changed_where_the_client_takes_compressed_ones(proxy):
    """As most clients of HTTP say that they do: while a fault is placed, the dependency is not asked to compress."""

    def asked():
        return httpx.get(f"{proxy.through('http://store')}/compressed", headers={"Accept-Encoding": "gzip"})

    assert asked().headers["Content-Encoding"] == "gzip"
    with proxy.fault(Blanks()) as hits:
        assert asked().json() == {"a": None}
    assert hits.count == 1
    assert asked().headers["Content-Encoding"] == "gzip"
