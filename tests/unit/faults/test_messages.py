"""HTTP/1.1 messages on streams: read whole or refused, written with a length of their own, never more than bounded."""

import asyncio

import pytest

from seatrial.faults import messages
from seatrial.faults.messages import BadMessage, ClientSide, HttpRequest, HttpResponse, ServerSide


class Sent:
    """A stream writer that remembers what was written."""

    def __init__(self):
        self.content = b""

    def write(self, data):
        self.content += data

    async def drain(self):
        pass


async def side_of(kind, content):
    """A side whose other end sends ``content`` and then closes; what it writes itself."""
    reader, writer = asyncio.StreamReader(), Sent()
    reader.feed_data(content)
    reader.feed_eof()
    return kind(reader, writer), writer


def request_read(content):
    async def read():
        return await (await side_of(ServerSide, content))[0].read()

    return asyncio.run(read())


def exchanged(content, request=None):
    """The response to a request, the bytes that were sent for it, and whether the connection takes another."""

    async def exchange():
        side, sent = await side_of(ClientSide, content)
        response = await side.send(request or HttpRequest("GET", "/", (("Host", "x"),)))
        return response, sent.content, side.reusable

    return asyncio.run(exchange())


def test_a_request_is_read_with_its_names_as_they_came():
    request = request_read(b"POST /a?b HTTP/1.1\r\nHost: x\r\nX-Key: \xe4\r\nContent-Length: 2\r\n\r\nok")
    assert (request.method, request.target, request.body) == ("POST", "/a?b", b"ok")
    assert ("X-Key", "ä") in request.headers


def test_no_request_before_the_end_is_none():
    assert request_read(b"") is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"GET / HTT",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 90_000,
    ],
)
def test_what_is_no_whole_request_is_refused(wrong):
    with pytest.raises(BadMessage):
        request_read(wrong)


def test_several_requests_on_one_connection_are_answered_one_after_the_other():
    async def serve():
        side, sent = await side_of(ServerSide, b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        targets = []
        while (request := await side.read()) is not None:
            targets.append(request.target)
            assert await side.write(HttpResponse(200, (("transfer-encoding", "chunked"),), b"ok", "OK"))
        return targets, sent.content

    targets, content = asyncio.run(serve())
    assert targets == ["/1", "/2"]
    assert content == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2


@pytest.mark.parametrize(
    ("request_head", "response", "close", "written"),
    [
        (b"HEAD / HTTP/1.1", HttpResponse(200, (("Content-Length", "7"),)), False, b"Content-Length: 7\r\n"),
        (b"GET / HTTP/1.1", HttpResponse(200, (), b"x", "OK"), True, b"Content-Length: 1\r\nConnection: close\r\n"),
        (b"GET / HTTP/1.0", HttpResponse(200, (), b"x", "OK"), False, b"Connection: close\r\n"),
    ],
)  # fmt: skip
def test_a_response_says_its_length_and_whether_the_connection_ends(request_head, response, close, written):
    async def serve():
        side, sent = await side_of(ServerSide, request_head + b"\r\nHost: x\r\n\r\n")
        await side.read()
        return await side.write(response, close=close), sent.content

    again, content = asyncio.run(serve())
    assert written in content
    assert content.endswith(b"\r\n\r\n" + response.body)
    assert again == (b"close" not in content)


def test_a_client_that_waits_for_permission_to_send_its_body_gets_it():
    async def serve():
        head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        reader, writer = asyncio.StreamReader(), Sent()
        reader.feed_data(head)
        reading = asyncio.ensure_future(ServerSide(reader, writer).read())
        while not writer.content:
            await asyncio.sleep(0)
        reader.feed_data(b"ok")
        return writer.content, (await reading).body

    permission, body = asyncio.run(serve())
    assert permission.startswith(b"HTTP/1.1 100 ")
    assert body == b"ok"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nTrailer: x\r\n\r\n", b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil it closes", b"until it closes"),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", b""),
    ],
)
def test_a_response_is_read_whole_however_it_is_framed(content, body):
    response, _, _ = exchanged(content)
    assert (response.body, response.header("NOWHERE")) == (body, None)


def test_a_response_to_head_has_no_body_and_keeps_its_length():
    request = HttpRequest("HEAD", "/", (("Host", "x"),))
    response, _, _ = exchanged(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", request)
    assert (response.body, response.header("content-length")) == (b"", "7")


def test_a_request_is_sent_without_what_was_true_of_another_connection_alone():
    headers = (("Host", "x"), ("Connection", "close"), ("Transfer-Encoding", "chunked"), ("X-Key", "ä"))
    _, sent, _ = exchanged(b"HTTP/1.1 204 None\r\n\r\n", HttpRequest("POST", "/", headers, b"ok"))
    assert sent == b"POST / HTTP/1.1\r\nHost: x\r\nX-Key: \xe4\r\nContent-Length: 2\r\n\r\nok"


def test_a_connection_that_ends_before_a_response_gives_none():
    assert exchanged(b"")[0] is None


@pytest.mark.parametrize(
    "wrong", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf", b"x" * 90_000]
)
def test_what_is_no_whole_response_is_refused(wrong):
    with pytest.raises(BadMessage):
        exchanged(wrong)


def test_a_body_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(messages, "MAX_BODY_BYTES", 10)
    with pytest.raises(BadMessage, match="longer than 10 bytes"):
        exchanged(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"x" * 11)
