"""Deliveries of Weights & Biases on a real port: its payloads, and what only looks like one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from seatrial.errors import UsageError
from seatrial.promotion.triggers import webhook
from seatrial.promotion.triggers.delivery import BODY_BYTES
from seatrial.promotion.triggers.wandb import SIGNATURE, TOKEN, sign
from tests.support import receiving
from tests.support.receiving import KEY, Server, running

pytestmark = pytest.mark.server
RENDERED = {
    "event_type": "LINK_ARTIFACT",
    "event_author": "ann",
    "artifact_version": "wandb-artifact://_id/QXJ0aWZhY3Q6NTE3ODg5ODg3",
    "artifact_version_string": "acme-org/wandb-registry-model/payments:v3",
    "artifact_collection_name": "payments",
    "project_name": "wandb-registry-model",
    "entity_name": "acme-org",
}  # the documented variables, as W&B renders them


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("receiver")) as server:
        yield server


def payload(name: str, version: str = "v3", **others: Any) -> dict[str, Any]:
    """Return a rendered payload for a collection."""
    path = f"acme-org/wandb-registry-model/{name}:{version}"
    return {**RENDERED, "artifact_collection_name": name, "artifact_version_string": path, **others}


def request(content: object, **headers: str | None) -> bytes:
    """Return a delivery as W&B sends it; headers replace its own, and None leaves one out."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    own: dict[str, str | None] = {TOKEN: f"Bearer {KEY[::-1].decode()}", SIGNATURE: sign(KEY, body)}
    raw = receiving.request(body, **{**dict.fromkeys(NOT_SENT), **own, **headers})
    return raw.replace(b"POST /mlflow", b"POST /wandb", 1)


NOT_SENT = ("x-mlflow-delivery-id", "x-mlflow-timestamp", "x-mlflow-signature")
GITHUB = {"event_type": "new-version", "client_payload": {k: v for k, v in RENDERED.items() if k != "event_type"}}
DISPATCHED = json.loads(json.dumps(GITHUB).replace("payments", "dispatched"))
OTHER_NAMES = {"model": "acme-org/wandb-registry-model/renamed:v12", "by": "ann"}  # of a template of one's own
ACCEPTED = {
    "linked": (payload("linked"), ["linked", "3"]),
    "the first version": (payload("first", "v0"), ["first", "0"]),
    "an alias": (payload("aliased", "candidate", event_type="ADD_ARTIFACT_ALIAS", alias="candidate"), ["aliased", "?"]),
    "created in a project": (payload("created", event_type="CREATE_ARTIFACT"), ["created", "3"]),
    "GitHub's form": (DISPATCHED, ["dispatched", "3"]),
    "other names": (OTHER_NAMES, ["renamed", "12"]),
    "a name that is no ASCII": (payload("naïve \N{SNOWMAN}"), ["naïve \N{SNOWMAN}", "3"]),
}


def test_one_event_starts_one_run_and_its_replay_none(server: Server) -> None:
    """Whatever form the payload has; a retry and a replay have the same body."""
    for content, _ in ACCEPTED.values():
        for _ in range(3):
            assert server.send(request(content)) == 202
    started = [s[1:] for s in server.settled() if s[0].startswith("wandb-")]
    assert started == [named for _, named in ACCEPTED.values()]


def test_what_registers_no_version_starts_nothing(server: Server) -> None:
    """The test that W&B sends, an event of a run, a version that was taken away: accepted, and ignored."""
    ignored = [
        {},
        {"text": "Hello"},
        payload("gone", event_type="UNLINK_ARTIFACT"),
        payload("gone", event_type="RUN_METRIC_THRESHOLD"),
        {k: "${" + k + "}" for k in RENDERED},
    ]
    for content in ignored:
        assert server.send(request(content)) == 202
    assert not [s for s in server.settled() if s[1] == "gone" or "$" in s[1]]


def test_the_signature_in_hex_and_in_base64(server: Server) -> None:
    """The documentation shows one, and servers are seen to send the other."""
    body = json.dumps(payload("encoded")).encode()
    encoded = base64.b64encode(bytes.fromhex(sign(KEY, body))).decode()
    for signature in (encoded, sign(KEY, body).upper(), f"sha256={sign(KEY, body)}"):
        assert server.send(request(body, **{SIGNATURE: signature})) == 202
    assert [s[1] for s in server.settled()].count("encoded") == 1


def forged() -> dict[str, tuple[bytes, int]]:
    """Return each request that is not one of W&B's, with the status of its refusal."""
    content = payload("forged")
    body = json.dumps(content).encode()
    return {
        "body altered": (request(body).replace(b"model/forged:v3", b"model/forged:v4"), 401),
        "another secret": (request(body, **{SIGNATURE: sign(b"another secret", body)}), 401),
        "no signature": (request(body, **{SIGNATURE: None}), 401),
        "empty signature": (request(body, **{SIGNATURE: ""}), 401),
        "truncated signature": (request(body, **{SIGNATURE: sign(KEY, body)[:62]}), 401),
        "signature that is no ASCII": (request(body, **{SIGNATURE: "\xff" * 64}), 401),
        "two signatures": (request(body).replace(b"\r\n\r\n", b"\r\nX-Wandb-Signature: 00\r\n\r\n", 1), 401),
        "no token": (request(body, **{TOKEN: None}), 401),
        "another token": (request(body, **{TOKEN: "Bearer another"}), 401),
        "the token's beginning": (request(body, **{TOKEN: f"Bearer {KEY[:0:-1].decode()}"}), 401),
        "the token without its scheme": (request(body, **{TOKEN: KEY[::-1].decode()}), 401),
        "basic": (request(body, **{TOKEN: f"Basic {KEY[::-1].decode()}"}), 401),
        "MLflow's signature": (receiving.request(body).replace(b"POST /mlflow", b"POST /wandb", 1), 401),
        "at MLflow's path": (request(body).replace(b"POST /wandb", b"POST /mlflow", 1), 401),
        "GET": (b"GET /wandb HTTP/1.1\r\nhost: receiver\r\n\r\n", 405),
        "a form": (request(b"name=forged", content_type="application/x-www-form-urlencoded"), 415),
        "not JSON": (request(b"forged"), 400),
        "a list": (request([content]), 400),
        "nested": (request(b'{"data":' * 8_000), 400),
        "a name twice": (request(body.replace(b'"event_author"', b'"artifact_collection_name"')), 400),
        "half a surrogate": (request(payload("forged\ud800")), 400),
        "a name that is a path": (request(payload("../forged")), 400),
        "a name of 10 kB": (request(payload("forged" * 2000)), 400),
        "says 100 MB": (request(b"", content_length=str(100 * 2**20)), 413),
        "one byte too many": (request(json.dumps({"text": "x" * BODY_BYTES}).encode()), 413),
    }


def test_what_is_forged_or_too_large_is_refused_and_starts_nothing(server: Server) -> None:
    """Each with the status that fits; then only the valid delivery is recorded."""
    assert {who: server.send(raw) for who, (raw, _) in forged().items()} == {w: s for w, (_, s) in forged().items()}
    assert not [s for s in server.settled() if "forged" in s[1]]


def test_it_is_received_only_with_a_secret_or_a_token(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 characters at least; without either, the path is not there."""
    for name in (webhook.SECRET, webhook.WANDB_SECRET, webhook.WANDB_TOKEN):
        monkeypatch.delenv(name, raising=False)
    assert list(webhook.senders(tmp_path)) == ["/mlflow"]
    monkeypatch.setenv(webhook.WANDB_TOKEN, "short")
    with pytest.raises(UsageError, match="SEATRIAL_WANDB_WEBHOOK_TOKEN must have at least 16"):
        webhook.senders(tmp_path)
    monkeypatch.setenv(webhook.WANDB_TOKEN, "a token of some length")
    assert list(webhook.senders(tmp_path)) == ["/mlflow", "/wandb"]
