"""The webhook receiver on a real port: what it accepts, and untrusted input over real sockets."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from seatrial.errors import UsageError
from seatrial.promotion.triggers import webhook
from seatrial.promotion.triggers.delivery import BODY_BYTES
from seatrial.promotion.triggers.mlflow import ID, SIGNATURE, TIMESTAMP, sign
from tests.support.receiving import KEY, Server, event, request, running, status

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("receiver")) as server:
        yield server


def test_a_valid_delivery_starts_one_run_and_its_replay_none(server: Server) -> None:
    """202 for both; the second one is recognised."""
    identity = str(uuid.uuid4())
    for _ in range(3):
        assert server.send(request(event(name="twice"), identity=identity)) == 202
    assert [s for s in server.settled() if s[1] == "twice"] == [[identity, "twice", "3"]]


def test_what_mlflow_signs_is_what_is_accepted(server: Server) -> None:
    """The signature is compared with MLflow's own function, and its own request is accepted."""
    from mlflow.webhooks.delivery import _generate_hmac_signature

    body = event(name="naïve \N{SNOWMAN}")
    stamp = str(int(time.time()))
    theirs = _generate_hmac_signature(KEY.decode(), "delivery-1", stamp, body.decode())
    assert theirs == sign(KEY, "delivery-1", stamp, body)
    raw = request(body, identity="delivery-1", **{SIGNATURE: theirs, TIMESTAMP: stamp})
    assert server.send(raw) == 202
    assert ["delivery-1", "naïve \N{SNOWMAN}", "3"] in server.settled()


def altered(raw: bytes) -> bytes:
    return raw.replace(b'"version": "3"', b'"version": "4"')


def untrusted_requests() -> dict[str, tuple[bytes, int]]:
    """Return each of them, signed now: a signature holds for minutes, and this module may wait longer for its turn."""
    return {
        "body altered": (altered(request(event(name="forged"))), 401),
        "old": (request(event(name="forged"), at=time.time() - 4000), 401),
        "of the future": (request(event(name="forged"), at=time.time() + 4000), 401),
        "no signature": (request(event(name="forged"), **{SIGNATURE: None}), 401),
        "empty signature": (request(event(name="forged"), **{SIGNATURE: ""}), 401),
        "another version of signature": (request(event(name="forged"), **{SIGNATURE: "v0,AAAA"}), 401),
        "truncated signature": (request(event(name="forged"), **{SIGNATURE: "v1,"}), 401),
        "signature that is no ASCII": (request(event(name="forged"), **{SIGNATURE: "v1,\xff\xfe"}), 401),
        "no id": (request(event(name="forged"), **{ID: None}), 401),
        "another id": (request(event(name="forged"), **{ID: "other"}), 401),
        "id of 10 kB": (request(event(name="forged"), identity="i" * 10_000), 401),
        "timestamp that is no number": (request(event(name="forged"), **{TIMESTAMP: "now"}), 401),
        "two ids": (request(event(name="forged")).replace(b"\r\n\r\n", b"\r\nX-MLflow-Delivery-Id: b\r\n\r\n", 1), 401),
        "head of 40 kB": (request(event(name="forged"), x_filler="x" * 40_000), 431),
        "gzip": (request(gzip.compress(event(name="forged")), content_encoding="gzip"), 415),
        "a form": (request(b"name=forged", content_type="application/x-www-form-urlencoded"), 415),
        "no content type": (request(event(name="forged"), content_type=None), 415),
        "says 100 MB": (request(b"", content_length=str(100 * 2**20)), 413),
        "negative length": (request(event(name="forged"), content_length="-1"), 400),
        "nested": (request(b'{"data":' * 8_000), 400),
        "nested a little too deep": (request(event(name="forged", tags=json.loads("[" * 40 + "]" * 40))), 400),
        "a name twice": (request(event(name="shop").replace(b'"name"', b'"name": "forged", "name"')), 400),
        "NaN": (request(event(name="forged").replace(b"null", b"NaN")), 400),
        "1e999": (request(event(name="forged").replace(b"null", b"1e999")), 400),
        "half a surrogate": (request(event(name="forged\ud800")), 400),
        "NUL": (request(event(name="forged\0")), 400),
        "not UTF-8": (request(b'{"entity": "\xff"}'), 400),
        "not JSON": (request(b"forged"), 400),
        "a list": (request(b"[1, 2]"), 400),
        "an event of nothing": (request(b'{"entity": 1, "action": 2}'), 400),
        "no version": (request(event(name="forged", version=None)), 400),
        "a version that is a path": (request(event(name="forged", version="../1")), 400),
        "a version that is true": (request(event(name="forged", version=True)), 400),
        "a name of 10 kB": (request(event(name="forged" * 2000)), 400),
        "another path": (request(event(name="forged")).replace(b"POST /mlflow", b"POST /", 1), 404),
        "GET": (b"GET /mlflow HTTP/1.1\r\nhost: receiver\r\n\r\n", 405),
        "no HTTP": (b"\x16\x03\x01 hello\r\n\r\n", 400),
    }


@pytest.mark.parametrize("who", untrusted_requests())
def test_untrusted_input_is_refused(server: Server, who: str) -> None:
    """With the status that fits."""
    raw, expected = untrusted_requests()[who]
    assert server.send(raw) == expected


def test_no_untrusted_input_starts_anything(server: Server) -> None:
    """All of them again, then a valid delivery: only valid ones were recorded. A wrong secret signs nothing."""
    for raw, _ in untrusted_requests().values():
        server.send(raw)
    stamp = str(int(time.time()))
    other = sign(b"another secret", "mine", stamp, event(name="forged"))
    assert server.send(request(event(name="forged"), identity="mine", **{TIMESTAMP: stamp, SIGNATURE: other})) == 401
    assert not [s for s in server.settled() if "forged" in s[1]]


def test_other_events_are_accepted_and_start_nothing(server: Server) -> None:
    """An alias that moved starts nothing here."""
    body = json.dumps({"entity": "model_version_alias", "action": "created", "data": {"name": "forged"}}).encode()
    assert server.send(request(body)) == 202
    assert not [s for s in server.settled() if "forged" in s[1]]


def test_a_ledger_that_fails_blocks_no_delivery(server: Server) -> None:
    """The delivery is accepted, its run is left to the schedule, and the next one is recorded."""
    assert server.send(request(event(name="broken"))) == 202
    assert not [s for s in server.settled() if s[1] == "broken"]


def test_a_flood_of_bytes_does_not_fill_the_memory(server: Server) -> None:
    """A hundred megabytes without a length, and a head that never ends: refused early, and nothing of it is kept."""
    process = psutil.Process(server.pid)
    server.settled()
    before = process.memory_info().rss
    chunked = request(b"", content_length=None, transfer_encoding="chunked")
    megabyte = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    for head, piece in ((chunked, megabyte), (b"POST /mlflow HTTP/1.1\r\nx: ", b"x" * 2**20)):
        sent, answered = 0, 0
        with server.connect() as peer:
            peer.sendall(head)
            try:
                while sent < 100 * 2**20:
                    peer.sendall(piece)
                    sent += len(piece)
            except OSError:
                pass
            answered = status(peer)
        assert answered in (0, 400, 413)  # a reset may overtake the answer
        assert sent < 20 * 2**20
    assert process.memory_info().rss - before < 32 * 2**20


def test_a_body_without_a_length_is_bounded_too(server: Server) -> None:
    """One byte too many, in chunks, is 413."""
    size = BODY_BYTES + 1
    raw = request(b"", content_length=None, transfer_encoding="chunked") + f"{size:x}\r\n".encode() + b" " * size
    assert server.send(raw + b"\r\n0\r\n\r\n") == 413


def test_a_slow_client_is_disconnected_and_blocks_nobody(server: Server) -> None:
    """A head by drops, a body by drops, and silence: closed or 408, while valid deliveries are answered."""
    with server.connect() as head, server.connect() as body, server.connect() as silent:
        head.sendall(b"POST /mlflow HTTP/1.1\r\n")
        body.sendall(request(event(), content_length="5000"))
        assert server.send(request(event())) == 202
        assert status(body) == 408
        assert status(head) == 0
        assert status(silent) == 0


def test_connections_are_bounded_and_come_free_again(server: Server) -> None:
    """Two hundred silent ones at once: some are turned away, and a moment later the receiver answers."""
    silent = [server.connect() for _ in range(200)]
    for peer in silent:
        status(peer)
        peer.close()
    assert server.send(request(event())) == 202


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or is given; a short one is refused."""
    first = webhook.secret(tmp_path)
    assert len(first) >= 32
    assert webhook.secret(tmp_path) == first
    assert (tmp_path / "keys" / "webhook.secret").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("SEATRIAL_WEBHOOK_SECRET", "given by somebody")
    assert webhook.secret(tmp_path) == b"given by somebody"
    monkeypatch.setenv("SEATRIAL_WEBHOOK_SECRET", "short")
    with pytest.raises(UsageError, match="16 characters"):
        webhook.secret(tmp_path)
