"""ClearML's models as versions: registered by the package, as training tasks do, looked up and promoted here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import ReferenceInvalid, RegistryError, UsageError, VersionNotFound
from seatrial.io.bundle import directory_digest
from seatrial.reference.snapshot import Reference
from seatrial.registry import aliases, reachable
from seatrial.registry.clearml import client
from seatrial.registry.clearml.addresses import split
from seatrial.registry.clearml.registry import ClearMLRegistry
from seatrial.registry.descriptions import END
from seatrial.registry.pages import HasPages
from seatrial.registry.protocol import Version
from seatrial.registry.unavailable import is_unavailable
from seatrial.testing import registered, registry_conforms
from seatrial.testing.samples import sample_reference
from tests.integration.registry.clearml.conftest import Server

pytestmark = pytest.mark.server
MODEL = "team/payments/fraud%2Frisk 100%25 (a.b)"


@pytest.fixture
def registry() -> ClearMLRegistry:
    return ClearMLRegistry()


@pytest.fixture
def trained(server: Server, tmp_path: Path) -> Path:
    """Return a model's folder."""
    (tmp_path / "model" / "data").mkdir(parents=True)
    (tmp_path / "model" / "weights.txt").write_text("1.5", encoding="utf-8")
    (tmp_path / "model" / "data" / "a.txt").write_text("a", encoding="utf-8")
    return tmp_path / "model"


def train(server: Server, registry: ClearMLRegistry, folder: Path, model: str) -> Version:
    """Register a folder as a training task does, and return its version."""
    project, name = split(model)
    made = server.call("register", project=project, name=name, folder=str(folder))
    return registry.resolve(f"clearml:/{made['model']}")


def test_it_is_registered() -> None:
    registered("registries", "clearml", ClearMLRegistry)


def test_it_conforms(server: Server, registry: ClearMLRegistry, tmp_path: Path) -> None:
    def register(name: str, model: Path, reference: Reference | None) -> str:
        made: dict[str, Any] = server.call("register_bare", name=name, folder=str(model))
        if reference is not None:
            registry.store_reference(reference, made["task"])
        return registry.resolve(f"clearml:/{made['model']}").number

    registry_conforms(registry, "clearml", register, tmp_path)
    assert isinstance(registry, HasPages)


def test_a_model_that_a_task_made_is_a_version(server: Server, registry: ClearMLRegistry, trained: Path) -> None:
    version = train(server, registry, trained, MODEL)
    assert version.uri == f"clearml:/{MODEL}/{version.created}"
    assert registry.resolve(version.uri) == version
    assert registry.resolve(version.uri).registry == server.url
    assert directory_digest(registry.fetch(version, trained.parent / "again")) == directory_digest(trained)
    with pytest.raises(ReferenceInvalid, match=r"run_id=task\.id, registry='clearml'"):
        registry.reference(version, trained.parent / "reference")
    reference = sample_reference()
    registry.can_take_reference(version)
    registry.store_reference(reference, version.run_id)
    assert registry.reference(version, trained.parent / "reference").digest == reference.digest
    with pytest.raises(RegistryError, match="has a reference already"):
        registry.can_take_reference(version)
    another = {"folder": str(reference.root), "digest": "sha256:" + "0" * 64}
    client.call("store_reference", task_id=version.run_id, **another)
    with pytest.raises(ReferenceInvalid, match="is not the one its task stored"):
        registry.reference(version, trained.parent / "reference")


def test_the_verdict_is_shown_on_the_model(server: Server, registry: ClearMLRegistry, trained: Path) -> None:
    version = train(server, registry, trained, "shown/model")
    server.call("tag", model_id=version.model_id, tags=["of a person", "seatrial: fail"])
    registry.annotate(
        version,
        {"seatrial.verdict": "fail", "seatrial.head": "{}"},
        ["seatrial: fail · first\n---"],
        "run",
        "http://flow",
    )
    registry.annotate(version, {"seatrial.verdict": "pass"})
    registry.annotate(version, {}, ["seatrial: pass · second\n---", "short"], "run")
    shown = server.call("model", model_id=version.model_id)
    assert sorted(shown["tags"]) == ["of a person", "seatrial: pass"]
    assert {key: item["value"] for key, item in shown["metadata"].items()} == {
        "seatrial.verdict": "pass", "seatrial.head": "{}"
    }  # fmt: skip
    assert shown["comment"].count(END) == 1
    assert "seatrial: pass · second\n---\n" in shown["comment"]
    assert f"[ClearML run]({server.url}" in shown["comment"]
    assert "first" not in shown["comment"]
    assert shown["comment"].startswith("snapshot [")  # what the package wrote there stays
    assert registry.resolve(version.uri).aliases == ("of a person",)


def test_a_tag_moves_forward_and_back(server: Server, registry: ClearMLRegistry, trained: Path) -> None:
    first, second = (train(server, registry, trained, "moved/model") for _ in range(2))
    for version in (first, second, first):
        assert registry.move_alias(version, "champion")
        assert registry.move_alias(version, "champion")
        assert registry.resolve("clearml:/moved/model@champion") == registry.resolve(version.uri)
        assert aliases(registry)["moved/model"] == {"champion": version.number}
    server.call("tag", model_id=second.model_id, tags=["champion"])  # by a person, who left it on the first one too
    assert registry.resolve("clearml:/moved/model@champion").number == second.number
    assert aliases(registry)["moved/model"] == {"champion": second.number}


def test_what_is_not_there_is_told_with_what_is(server: Server, registry: ClearMLRegistry, trained: Path) -> None:
    version = train(server, registry, trained, "told/fraud")
    with pytest.raises(VersionNotFound, match=f"Newest versions of told/fraud: {version.number}"):
        registry.resolve("clearml:/told/fraud/1")
    with pytest.raises(VersionNotFound, match=r"Models of project 'told': told/fraud\. Did you mean 'told/fraud'\?"):
        registry.resolve("clearml:/told/frauds/1")
    with pytest.raises(VersionNotFound, match="clearml:/PROJECT/MODEL/NUMBER"):
        registry.resolve("clearml:/nobody/1")


def test_a_model_is_listed_once_its_file_is_uploaded(server: Server, registry: ClearMLRegistry) -> None:
    """As the package registers one: with the address of a file that is not there yet."""
    made = server.call("register_at", name="uploaded", uri=f"{server.url}/uploading_file")["model"]
    version = registry.resolve(f"clearml:/{made}")
    assert not [each for each in registry.changed_since() if each.number == version.number]
    assert not registry.changed_since(model="uploaded")
    server.call("upload", model_id=made, name="uploaded", uri=f"{server.url}/model.zip")
    [listed] = registry.changed_since(model="uploaded")
    assert listed.number == version.number
    assert listed.changed > version.changed
    assert listed in registry.changed_since(version.changed + 1)


def test_a_file_of_this_machine_is_not_read(server: Server, registry: ClearMLRegistry, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    made = server.call("register_at", name="local", uri=secret.as_uri())
    version = registry.resolve(f"clearml:/{made['model']}")
    with pytest.raises(RegistryError, match="is a file of the machine that registered it"):
        registry.fetch(version, tmp_path / "into")
    assert not list((tmp_path / "into").iterdir())


def test_a_server_that_is_away_is_no_missing_version(
    stand_in: Any, registry: ClearMLRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stand_in[1].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CLEARML_API_HOST", "http://ann:hidden@127.0.0.1:9")
    with pytest.raises(RegistryError, match=r"ClearML did not answer within 0\.01 s") as caught:
        client.call("aliases", seconds=0.01)  # its process is ended, and another one answers
    assert is_unavailable(caught.value)
    with pytest.raises(RegistryError, match=r"ClearML at http://127\.0\.0\.1:9 did not do it") as caught:
        registry.resolve("clearml:/payments/fraud@champion")
    assert not isinstance(caught.value, VersionNotFound)
    assert is_unavailable(caught.value)
    assert "hidden" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not reachable("clearml:/nobody/1")


def test_a_wrong_key_is_told_without_it(
    stand_in: Any, registry: ClearMLRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stand_in[1].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CLEARML_API_SECRET_KEY", "mistyped")
    with pytest.raises(RegistryError, match="Unauthorized") as caught:
        registry.changed_since()
    assert "mistyped" not in str(caught.value)
    assert not is_unavailable(caught.value)


def test_without_credentials_the_registry_says_what_to_set(offline: None, registry: ClearMLRegistry) -> None:
    with pytest.raises(RegistryError, match="CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY, or run: clearml-init"):
        registry.changed_since()


def test_a_process_that_dies_is_told(offline: None, registry: ClearMLRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARML_LOG_LEVEL", "of a process of its own")
    monkeypatch.setattr(client.sys, "executable", "/bin/false")
    with pytest.raises(RegistryError, match=r"The process that speaks to ClearML ended\. Run the command again"):
        registry.changed_since()


def test_what_is_no_address_starts_nothing(offline: None, registry: ClearMLRegistry) -> None:
    with pytest.raises(UsageError, match="clearml:/PROJECT/MODEL@TAG"):
        registry.resolve("clearml:nonsense")
