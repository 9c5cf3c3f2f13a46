"""Files at the address of an artifact: what is read and written, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.errors import RegistryError
from seatrial.registry.kubeflow import storage
from tests.support import s3_store

pytestmark = pytest.mark.server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The parameters of a store on 127.0.0.1, and its objects."""
    for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with s3_store.serving("models") as (url, objects):
        yield f"endpoint={url}&defaultRegion=eu-1", objects


def files(folder: Path) -> dict[str, str]:
    """Return the files of a folder by path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}


def test_a_folder_of_s3_is_read_and_written(bucket: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    """At the endpoint that the registry's client writes into the address; a longer name is another folder."""
    where, objects = bucket
    objects |= {"iris/v1/a.txt": b"a", "iris/v1/b/c.txt": b"c", "iris/v10/a.txt": b"x", "one.txt": b"1"}
    uri = f"s3://models/iris/v1?{where}"
    assert files(storage.download(uri, tmp_path / "into")) == {"a.txt": "a", "b/c.txt": "c"}
    assert files(storage.download(f"s3://models/one.txt?{where}", tmp_path / "into")) == {"one.txt": "1"}
    place = storage.beside(uri, "seatrial-references/ab")
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d" / "e.txt").write_text("e", encoding="utf-8")
    storage.upload(source, place)
    assert objects["iris/seatrial-references/ab/d/e.txt"] == b"e"
    assert files(storage.download(place, tmp_path / "into")) == {"d/e.txt": "e"}
    objects["iris/v1/../../../evil.txt"] = b"!"
    with pytest.raises(RegistryError, match="leads out of its folder"):
        storage.download(uri, tmp_path / "into")
    assert not list(tmp_path.rglob("evil.txt"))
    with pytest.raises(RegistryError, match=r"There is no file at s3://models/none\.$"):
        storage.download(f"s3://models/none?{where}", tmp_path / "into")


def test_a_path_of_this_machine_is_read_below_one_directory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever registers a version must not get our files into the worker of his model."""
    root, outside = tmp_path / "models", tmp_path / "secrets"
    for folder in (root / "v1", outside):
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(folder.name, encoding="utf-8")
    (root / "link").symlink_to(outside)
    monkeypatch.delenv(storage.FOLDER, raising=False)
    with pytest.raises(RegistryError, match=r"no directory is allowed\. Set MODEL_REGISTRY_FILES"):
        storage.download((root / "v1").as_uri(), tmp_path / "into")
    monkeypatch.setenv(storage.FOLDER, str(root))
    assert files(storage.download((root / "v1").as_uri(), tmp_path / "into")) == {"a.txt": "v1"}
    for place in (outside.as_uri(), f"file://{root}/../secrets", (root / "link").as_uri(), root.as_uri(), "/etc"):
        with pytest.raises(RegistryError, match="is not below"):
            storage.download(place, tmp_path / "into")
    (root / "v1" / "shadow.txt").symlink_to(outside / "a.txt")
    with pytest.raises(RegistryError, match=r"shadow\.txt is not below"):
        storage.download((root / "v1").as_uri(), tmp_path / "into")
    for uri in ("oci://registry/iris:1", "pvc://claim/iris", "https://hub/iris.onnx"):
        with pytest.raises(RegistryError, match="the kinds of addresses are file, s3, gs"):
            storage.download(uri, tmp_path / "into")
