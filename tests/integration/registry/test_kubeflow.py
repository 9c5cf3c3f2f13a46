"""Kubeflow Model Registry: versions as its own client registers and reads them, at a stub of its API."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial import registry
from seatrial.errors import ReferenceInvalid, RegistryError, UsageError, VersionNotFound
from seatrial.registry.kubeflow.registry import KubeflowRegistry
from seatrial.registry.protocol import Version
from seatrial.testing import registry_conforms
from seatrial.testing.samples import sample_reference
from tests.support.kubeflow_team import SCHEME, Team, team
from tests.support.ports import free_port

pytestmark = pytest.mark.server


@pytest.fixture
def iris(tmp_path: Path) -> Iterator[Team]:
    """An empty registry."""
    with team(tmp_path / "storage") as made:
        yield made


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The files of a model."""
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "weights.txt").write_text("1.5", encoding="utf-8")
    return tmp_path / "trained"


@pytest.fixture
def first(iris: Team, model: Path) -> Version:
    """Version 'v1' of 'iris'."""
    return registry.resolve(f"{SCHEME}:/iris/{iris.register('iris', model)}")


def test_it_keeps_the_protocol(iris: Team, tmp_path: Path) -> None:
    """Found by its scheme, and held to the suite that MLflow's is held to."""
    assert isinstance(registry.named(SCHEME), KubeflowRegistry)
    registry_conforms(iris.ours, SCHEME, iris.register, tmp_path)


def test_a_version_is_found_by_id_by_name_and_by_alias(iris: Team, first: Version, model: Path) -> None:
    """By its name as KServe's URIs have it; names are compared exactly, though the server takes '_' for a wildcard."""
    second = iris.register("iris", model, version="1")
    host = iris.stub.url.removeprefix("http://")
    for uri in (f"{SCHEME}://iris/v1", f"{SCHEME}://{host}/iris/v1", first.uri):
        assert registry.resolve(uri) == first
    assert registry.resolve(f"{SCHEME}://iris/1").number == second
    assert iris.ours.move_alias(first, "champion")
    assert iris.theirs.get_registered_model("iris").custom_properties == {"alias.champion": "v1"}
    found = registry.resolve(f"{SCHEME}:/iris@champion")
    assert (found.number, found.aliases) == (first.number, ("champion",))
    for name in ("a_b", "axb", "org/iris"):
        iris.register(name, model, version="v_1")
        iris.register(name, model, version="vx1")
        assert registry.resolve(f"{SCHEME}:/{name}/{iris.read(name, 'vx1').id}").name == name
    assert registry.resolve(f"{SCHEME}://a_b/v_1").name == "a_b"
    assert len(iris.ours.changed_since(model="axb")) == 2


ABSENT = [
    (":/iris/77", VersionNotFound, r"no version with the id 77. Versions: v1 \(id 2\)"),
    (":/iris/5", VersionNotFound, r"no version with the id 5"),
    (":/other/2", VersionNotFound, "no version with the id 2"),
    (":/iris/10", VersionNotFound, r"By its name: model-registry://iris/10\."),
    ("://iris/v11", VersionNotFound, "no version named 'v11'.*Did you mean 'v1'"),
    (":/irs/1", VersionNotFound, "no registered model 'irs'. Registered: iris, other. Did you mean 'iris'"),
    (":/o_her/5", VersionNotFound, "no registered model 'o_her'. Registered: iris, other. Did you mean 'other'"),
    (":/iris@champoin", VersionNotFound, "no alias 'champoin'. Aliases: champion, gone. Did you mean 'champion'"),
    (":/iris@gone", VersionNotFound, "no version named 'v9'"),
    (":/iris/v1", UsageError, "A version by its name: model-registry://iris/v1"),
    (":iris", UsageError, "Write model-registry://MODEL/VERSION"),
    ("://iris", UsageError, "names no version"),
    ("://elsewhere:80/iris/v1", UsageError, "is of the registry at elsewhere:80"),
]


def test_what_is_not_there_is_told_with_what_is(iris: Team, first: Version, model: Path) -> None:
    """The id of a version of another model is none of this model's."""
    assert iris.register("other", model) == "5"
    iris.register("iris", model, version="10")
    properties = {"alias.champion": "v1", "alias.gone": "v9"}
    iris.theirs.update(iris.theirs.get_registered_model("iris").model_copy(update={"custom_properties": properties}))
    for uri, error, message in ABSENT:
        with pytest.raises(error, match=message):
            iris.ours.resolve(f"{SCHEME}{uri}")


def test_versions_are_polled_page_by_page_without_the_archived(iris: Team, first: Version, model: Path) -> None:
    """A version changes when it is annotated, and comes back."""
    later = [iris.register("iris", model) for _ in range(4)]
    assert [v.number for v in iris.ours.changed_since()] == [*reversed(later), first.number]
    assert [v.number for v in iris.ours.changed_since(int(iris.stub.versions[later[2]]["createTimeSinceEpoch"]))] == [
        later[3], later[2],
    ]  # fmt: skip
    iris.stub.versions[later[3]]["state"] = "ARCHIVED"
    iris.ours.annotate(first, {"seatrial.verdict": "pass"})
    assert [v.number for v in iris.ours.changed_since()] == [first.number, *reversed(later[:3])]
    assert sum(request == "GET /model_versions" for request in iris.stub.requests) >= 3


def test_what_others_wrote_stays(iris: Team, first: Version) -> None:
    """Properties of every type, the description, and the state: a PATCH replaces what it names, and makes live."""
    mine = {"reviewed": True, "score": 0.5, "rows": 3, "team": "plants"}
    there = iris.read("iris", "v1").model_copy(update={"custom_properties": mine, "description": "By Ann."})
    iris.theirs.update(there)
    iris.stub.versions[first.number]["state"] = "ARCHIVED"
    iris.ours.annotate(first, {"seatrial.verdict": "fail", "seatrial.page": "x"}, ["seatrial: fail\n---\nlong"])
    iris.ours.annotate(first, {"seatrial.page": ""}, ["seatrial: fail\n---\nlong"])
    found = iris.read("iris", "v1")
    assert found.custom_properties == {**mine, "seatrial.verdict": "fail"}
    assert found.description == "By Ann.\n\nseatrial: fail\n---\nlong\n\n[//]: # (seatrial: end)"
    assert found.state.value == "ARCHIVED"
    writes = sum(request.startswith("PATCH") for request in iris.stub.requests)
    iris.ours.annotate(first, {"seatrial.verdict": "fail"}, ["seatrial: fail\n---\nlong"])
    assert sum(request.startswith("PATCH") for request in iris.stub.requests) == writes


def test_what_is_overwritten_at_the_same_moment_is_written_again(iris: Team, first: Version) -> None:
    """Until it stays; where it does not, the effect is tried again later. A lost alias is told."""
    held = iris.stub.versions[first.number]
    iris.stub.race = [lambda: held.pop("customProperties", None)]
    iris.ours.annotate(first, {"seatrial.verdict": "pass"})
    assert registry.resolve(first.uri).tags == {"seatrial.verdict": "pass"}
    iris.stub.race = [lambda: held.pop("customProperties", None)] * 9
    with pytest.raises(RegistryError, match="was changed by others while its verdict was written"):
        iris.ours.annotate(first, {"seatrial.verdict": "fail"})
    iris.stub.race = [lambda: next(iter(iris.stub.models.values())).pop("customProperties")]
    assert not iris.ours.move_alias(first, "champion")
    iris.stub.race = []
    assert iris.ours.move_alias(first, "champion")


def test_the_files_are_those_that_kserve_would_serve(iris: Team, first: Version, model: Path, tmp_path: Path) -> None:
    """Of the newest model artifact; a stored reference is no artifact, or KServe would find no model."""
    newer = iris.storage / "newer.txt"
    newer.write_text("2.5", encoding="utf-8")
    iris.stub.attach(
        first.number,
        json.dumps({"artifactType": "model-artifact", "name": "newer", "uri": newer.as_uri(), "state": "LIVE"}),
    )
    there = iris.ours.fetch(first, tmp_path / "files")
    assert {p.name: p.read_text() for p in there.iterdir()} == {"newer.txt": "2.5"}
    before = len(iris.stub.artifacts[first.number])
    reference = sample_reference(8)
    with pytest.raises(ReferenceInvalid, match=rf"registry='{SCHEME}'\)"):
        iris.ours.reference(first, tmp_path / "reference")
    for use, other in (("validate", "capture"), ("capture", "validate")):
        with pytest.raises((ReferenceInvalid, RegistryError), match="carries no" if use == "validate" else "already"):
            iris.ours.refuse(first.uri, use)
        iris.ours.refuse(first.uri, other)
        if use == "validate":
            iris.ours.store_reference(reference, first.number)
    assert len(iris.stub.artifacts[first.number]) == before
    assert iris.ours.reference(first, tmp_path / "reference").digest == reference.digest
    with pytest.raises(RegistryError, match="has a reference already"):
        iris.ours.store_reference(reference, first.number)
    iris.ours.annotate(first, {"seatrial.reference_digest": "sha256:of-another"})
    with pytest.raises(ReferenceInvalid, match="states sha256:of-another"):
        iris.ours.reference(first, tmp_path / "reference")
    iris.theirs.register_model("iris", "oci://r/iris:1", version="o", model_format_name="x", model_format_version="1")
    with pytest.raises(RegistryError, match="oci://r/seatrial-references/0 are not read"):
        iris.ours.refuse(f"{SCHEME}://iris/o", "capture")


def test_a_registry_that_is_not_there_or_is_another_is_no_missing_version(
    iris: Team, first: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence each; what is refused is never taken for what is absent, and no token is told."""
    token = tmp_path / "token"
    token.write_text("sk-very-secret\n", encoding="utf-8")

    def message(kind: type[Exception] = RegistryError) -> str:
        with pytest.raises(kind) as raised:
            iris.ours.resolve(first.uri)
        assert type(raised.value) is kind
        assert "secret" not in str(raised.value)
        with pytest.raises(kind) as refused:
            iris.ours.annotate(first, {"a": "b"})
        assert type(refused.value) is kind
        return str(raised.value)

    iris.stub.token = "sk-very-secret"
    assert "answered 401: no: 401. Set KF_PIPELINES_SA_TOKEN_PATH to a file" in message()
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    assert iris.ours.resolve(first.uri) == first
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "nowhere"))
    assert "cannot be read from" in message(UsageError)
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    iris.stub.status = 503
    assert "answered 503: no: 503" in message()
    iris.stub.status, iris.stub.root = 0, "/api/model_registry/v1alpha3"
    assert "answered 404: Not Found. Correct MODEL_REGISTRY_BASE_URL, or install the release" in message()
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("MODEL_REGISTRY_BASE_URL", f"https://ann:secret@{address}")
    assert f"Write https://{address}, and set KF_PIPELINES_SA_TOKEN_PATH" in message(UsageError)
    monkeypatch.setenv("MODEL_REGISTRY_BASE_URL", address)
    assert f"does not answer at http://{address}:" in message()
    monkeypatch.setenv("MODEL_REGISTRY_BASE_URL", "ftp://x")
    assert "'ftp://x', which is no address" in message(UsageError)
    monkeypatch.delenv("MODEL_REGISTRY_BASE_URL")
    assert "MODEL_REGISTRY_BASE_URL is not set" in message(UsageError)
    monkeypatch.setenv("MODEL_REGISTRY_BASE_URL", iris.stub.url)
    monkeypatch.setitem(sys.modules, "mr_openapi", None)
    assert message(UsageError).endswith("is not installed. Type: pip install 'seatrial[kubeflow]'")
