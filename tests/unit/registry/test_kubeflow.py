"""What of Kubeflow Model Registry needs no server: addresses, when a token is sent, how S3 is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import RegistryError
from seatrial.registry.kubeflow import addresses, client, storage
from seatrial.registry.kubeflow.addresses import Address


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("model-registry:/iris/7", Address("iris", id="7")),
        ("model-registry:/org/iris/7", Address("org/iris", id="7")),
        ("model-registry:/a@b/7", Address("a@b", id="7")),
        ("model-registry:/org/iris@champion", Address("org/iris", alias="champion")),
        ("model-registry:/iris/7@champion", Address("iris/7", alias="champion")),
        ("model-registry://iris/7", Address("iris", version="7")),
        ("model-registry://here:80/iris/v1.0", Address("iris", version="v1.0")),
    ],
)
def test_a_uri_has_one_meaning(uri: str, found: Address) -> None:
    """After one slash a number is an id, after two it is a name; a model's name may hold slashes, as Hugging Face's."""
    assert addresses.read(uri, "here:80") == found


def test_the_pods_own_token_is_sent_over_tls_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless its file is named: then whoever set it up decided."""
    token = tmp_path / "token"
    token.write_text("t\n", encoding="utf-8")
    monkeypatch.setattr(client, "POD_TOKEN", str(token))
    monkeypatch.delenv(client.TOKEN_PATH, raising=False)
    assert client._token("http://registry:8080") is None
    assert client._token("https://registry") == "t"
    monkeypatch.setenv(client.TOKEN_PATH, str(token))
    assert client._token("http://registry:8080") == "t"


def test_s3_is_reached_as_the_address_says_else_as_the_environment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon's own where neither names an endpoint."""
    for name in (storage.ENDPOINT, storage.REGION):
        monkeypatch.delenv(name, raising=False)
    assert storage.s3_options("s3://b/k") == {}
    monkeypatch.setenv(storage.REGION, "eu-1")
    assert storage.s3_options("s3://b/k") == {"region": "eu-1"}
    monkeypatch.setenv(storage.ENDPOINT, "https://minio:9000/")
    elsewhere = {"endpoint_override": "minio:9000", "scheme": "https", "region": "eu-1"}
    assert storage.s3_options("s3://b/k") == elsewhere
    assert storage.s3_options("s3://b/k?endpoint=http://other")["endpoint_override"] == "other"


def test_a_reference_has_a_place_beside_the_model_and_none_in_it() -> None:
    """Whoever downloads all that begins with the model's address gets no reference with it."""
    model = "s3://b/iris/v1/"
    place = storage.beside(model, "seatrial-references/ab")
    assert place == "s3://b/iris/seatrial-references/ab"
    assert not place.startswith(model.rstrip("/"))
    with pytest.raises(RegistryError, match="is a whole bucket"):
        storage.beside("s3://b", "seatrial-references/ab")
