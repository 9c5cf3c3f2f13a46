"""A service that misbehaves on its wire: every call ends within its deadline, bounded, as a clear error."""

import gzip
import json
import socket
import socketserver
import threading
import time

import pandas as pd
import pytest

from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.targets import connect
from seatrial.targets.http import Http
from seatrial.targets.sending import FAILURES
from tests.support.ports import free_port

SECONDS = 1.0
LIMIT = 100_000
BOMB = gzip.compress(b"0" * 50_000_000)


def answer(body, head="", status="200 OK"):
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body


class Hostile(socketserver.BaseRequestHandler):
    """Reads one request after the other; the path says how it is answered."""

    def handle(self):
        file = self.request.makefile("rb")
        try:
            while line := file.readline():
                length = 0
                while (header := file.readline()) not in (b"\r\n", b""):
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                body = file.read(length)
                self.server.seen.append(line.split()[1].decode())
                if getattr(self, line.split()[1].decode().strip("/"), self.echo)(body):
                    return
        except (OSError, ValueError, IndexError):
            pass  # the client has had enough, or speaks something else

    def say(self, content):
        self.request.sendall(content)

    def slowly(self, content, seconds=0.05):
        for byte in content:
            self.say(bytes([byte]))
            if self.server.ending.wait(seconds):
                return

    def echo(self, body):
        self.say(answer(body))

    def numbers(self, _):
        self.say(answer(b"[1]"))

    def silent(self, _):
        self.server.ending.wait(30)

    def drip(self, _):
        self.say(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
        self.slowly(b"x" * 10_000)

    def drip_head(self, _):
        self.slowly(b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 1000)

    def gigabyte(self, _):
        self.say(f"HTTP/1.1 200 OK\r\ncontent-length: {2**30}\r\n\r\n".encode())
        self.server.ending.wait(30)

    def endless(self, _):
        self.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not self.server.ending.is_set():
            self.say(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")

    def endless_head(self, _):
        self.say(b"HTTP/1.1 200 OK\r\n")
        while not self.server.ending.is_set():
            self.say(b"x-a: " + b"b" * 1000 + b"\r\n")

    def bomb(self, _):
        self.say(answer(BOMB, "content-encoding: gzip\r\n"))

    def cut(self, _):
        self.say(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a"')
        return True

    def reset(self, _):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.request.close()
        return True

    def no_http(self, _):
        self.say(b"220 smtp.example ready\r\n\r\n")
        return True

    def elsewhere(self, _):
        self.say(answer(b"", "location: http://203.0.113.7/steal\r\n", "307 Temporary Redirect"))

    def other_port(self, _):
        port = self.server.server_address[1] + 1
        self.say(answer(b"", f"location: http://127.0.0.1:{port}/echo\r\n", "302 Found"))

    def file(self, _):
        self.say(answer(b"", "location: file:///etc/passwd\r\n", "301 Moved Permanently"))

    def here(self, _):
        self.say(answer(b"", "location: /echo\r\n", "307 Temporary Redirect"))

    def circle(self, _):
        self.say(answer(b"", "location: /circle\r\n", "308 Permanent Redirect"))

    def cookie(self, _):
        self.say(answer(b"{}", "set-cookie: a=b\r\n"))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture(scope="module")
def server():
    with Server(("127.0.0.1", 0), Hostile) as server:
        server.ending, server.seen = threading.Event(), []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.ending.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def http(server):
    with Http(f"http://127.0.0.1:{server.server_address[1]}", seconds=SECONDS, limit_bytes=LIMIT) as http:
        yield http


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("silent", "did not send a complete response within 1 s"),
        ("drip", "did not send a complete response within 1 s"),
        ("drip_head", "did not send a complete response within 1 s"),
        ("gigabyte", "1,073,741,824 bytes long; at most 100,000 are read"),
        ("endless", "longer than 100,000 bytes"),
        ("endless_head", "did not send a complete response"),
        ("bomb", "encoded as gzip, which the request does not accept"),
        ("cut", "did not send a complete response"),
        ("reset", "did not send a complete response"),
        ("no_http", "did not send a complete response"),
        ("elsewhere", "redirects to another host, '203.0.113.7'"),
        ("other_port", "redirects to another host"),
        ("file", "redirects to another host"),
        ("circle", "redirected more than"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error_with_words(http, path, said):
    """The call ends, says why, and the next one is answered as if nothing had been."""
    with pytest.raises(AnswerError, match=said.replace(".", r"\.")):
        http.send(b"x", path=f"/{path}")
    assert http.send(b"still here", path="/echo").body == b"still here"


def test_a_redirect_on_the_same_host_keeps_method_and_body(http):
    """307 and 308 lead on with the same body."""
    assert http.send(b"kept", path="/here").body == b"kept"


def test_cookies_are_not_carried_from_one_request_to_the_next(http, server):
    """What one answer sets, the next request does not tell."""
    http.send(path="/cookie")
    assert http.send(b"{}", path="/echo").status == 200
    assert not hasattr(http._transport, "cookies")


def test_nobody_there_is_not_the_service_s_fault():
    """A refused connection is a TargetError and no AnswerError: nothing was answered."""
    with Http(f"http://127.0.0.1:{free_port()}", seconds=SECONDS) as http, pytest.raises(TargetError) as told:
        http.send(b"x")
    assert not isinstance(told.value, AnswerError)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b'{"a": 1', "at character"),
        (b'{"a": NaN}', "it holds NaN, which JSON does not have"),
        (b"[-Infinity]", "it holds -Infinity"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5_000, "an integer of thousands of digits"),
        (b"[1e999]", "a number beyond the range of doubles"),
        (b'"\xff"', "byte 1 of it is not UTF-8"),
        (b"<html>", "at character 0"),
    ],
)
def test_what_is_not_json_says_what_it_is(http, body, said):
    """Broken JSON is told by place and kind; nothing of the body is shown."""
    response = http.send(body, path="/echo")
    with pytest.raises(AnswerError, match=said):
        response.json()


def test_integers_keep_every_digit(http):
    """2^53 + 1 is read as it was written, and so are long decimals."""
    assert http.send(b"[9007199254740993, 0.1]", path="/echo").json() == [9007199254740993, 0.1]


def test_many_requests_come_back_in_order(http):
    """Answers stand where their requests stood, however they overtook each other."""
    told = http.send_all([{"n": n} for n in range(200)], path="/echo")
    assert [t.json()["n"] for t in told] == list(range(200))


def test_a_dead_service_is_not_asked_forever(http, server):
    """After a few requests without an answer the others are left: None, and not sent."""
    before = len(server.seen)
    told = http.send_all([b"x"] * 100, path="/silent")
    assert sum(isinstance(t, AnswerError) for t in told) >= FAILURES
    assert told[-1] is None
    assert len(server.seen) - before <= FAILURES + http.connections


def test_the_time_for_all_requests_is_bounded(http):
    """Requests that could not be sent in the time for all of them are told as None."""
    told = http.send_all([b"x"] * 50, path="/echo", all_seconds=0.0)
    assert told == [None] * 50


def test_a_call_can_be_interrupted_and_the_connection_closed(server):
    """Leaving the block while a call is under way ends the call."""
    http = Http(f"http://127.0.0.1:{server.server_address[1]}", seconds=30)
    failed = []

    def call():
        try:
            http.send(b"x", path="/silent")
        except BaseException as error:  # noqa: BLE001  whichever it is, the call ended
            failed.append(error)

    with http:
        begun = len(server.seen)
        thread = threading.Thread(target=call)
        thread.start()
        while len(server.seen) == begun:
            time.sleep(0.005)
    thread.join(10)
    assert len(failed) == 1


@pytest.mark.parametrize(
    "url", ["rest+http://{}/numbers", "mlflow+http://{}/", "oip+http://{}/model", "oip+grpc://{}/model"]
)
def test_every_target_says_when_it_is_not_understood(server, url):
    """An answer of another shape, or in another protocol, is a TargetError for each of them."""
    if "grpc" in url:
        pytest.importorskip("grpc", reason="the extra 'oip' is not installed")
    rows = pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0]})
    where = f"127.0.0.1:{server.server_address[1]}"
    with connect(url.format(where), key="id", seconds=SECONDS) as target, pytest.raises(TargetError):
        target.step(rows)


def test_an_unknown_scheme_names_the_known_ones():
    """The error lists what there is and the nearest."""
    with pytest.raises(
        UsageError, match=r"There is no target 'oip\+grcp:'\. Available: inprocess, .*Did you mean 'oip\+grpc'"
    ):
        connect("oip+grcp://127.0.0.1:1/m")
    with pytest.raises(UsageError, match=r"'rest\+http://127\.0\.0\.1:1/score'"):
        connect("http://127.0.0.1:1/score")
    with pytest.raises(UsageError, match="does not accept these options"):
        connect("rest+http://127.0.0.1:1/score", nonsense=1)
    for url in ("oip+http://127.0.0.1:1", "oip+grpc://127.0.0.1:1", "rest+http://", "rest+ftp://x", "inprocess:x.py"):
        with pytest.raises(UsageError):
            connect(url)


def test_a_payload_that_json_does_not_have_is_refused_here(http):
    """NaN goes as bytes or not at all."""
    with pytest.raises(UsageError, match="Give it as bytes"):
        http.send({"x": float("nan")}, path="/echo")
    assert json.loads(http.send(b'{"x": NaN}', path="/echo").body)["x"] != 0
