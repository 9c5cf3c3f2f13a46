"""The load client over TLS, with what Access carries: headers, an authority of its own, a client certificate."""

import contextlib
import ssl

import pytest

from seatrial.errors import TargetError
from seatrial.loadgen.workers import offer_by
from seatrial.pipeline.access import Access
from seatrial.process.event_loop import Background
from tests.support import staging
from tests.support.load_shapes import recorded


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate of 127.0.0.1 with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    file = folder / "both.pem"
    file.write_bytes(b"".join(each.read_bytes() for each in staging.certificate(folder)))
    return str(file)


@contextlib.contextmanager
def serving(certificate):
    """A server that demands a client certificate; its URL and the heads of the requests."""
    seen = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, EOFError):
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    import asyncio

    background = Background("server")
    server = background.run(asyncio.wait_for(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context), 5))
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/score", seen
    finally:
        background.call(server.close)
        background.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_load_carries_headers_and_certificates(certificate, workers):
    access = Access({"Authorization": "Bearer s3cret-7f"}, verify=certificate, cert=(certificate,))
    with serving(certificate) as (url, seen):
        run = offer_by(workers, url, recorded([0, 0.01, 0.02, 0.03]), access=access, method="GET")
    assert run.counts() == {"status 200": 4}
    assert len([head for head in seen if b"bearer s3cret-7f" in head.lower()]) == 4


def test_a_certificate_that_is_not_trusted_is_told(certificate):
    with serving(certificate) as (url, _), pytest.raises(TargetError, match="No TLS with"):
        offer_by(1, url, recorded([0, 0.01]), method="GET")
