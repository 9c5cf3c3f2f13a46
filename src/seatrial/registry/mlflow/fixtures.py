"""Fixtures in MLflow: stored once under their digest, referred to by every version that uses them.

The artifacts are in the run of the version that stored them first, ``seatrial/fixtures/<digest>``. A version refers to
a fixture by a tag, ``seatrial.fixture.<name>``: its digest and the run with its artifacts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import RegistryError
from seatrial.registry.capabilities import FixtureLink
from seatrial.registry.mlflow import unity
from seatrial.registry.mlflow.client import client, registry_errors
from seatrial.registry.protocol import Version

FIXTURES_PATH = "seatrial/fixtures"  # of a run's artifacts
TAG = "seatrial.fixture."  # of a version, followed by the fixture's name
MOST = 10_000  # versions of a model that are searched


def store_fixture(version: Version, name: str, digest: str, folder: Path) -> FixtureLink:
    """Store the files of a fixture in the run of the version, unless another version's run has them.

    Raises:
        RegistryError: the registry does not answer, or the version was registered without a run.
    """
    if unity.is_open_source():
        raise RegistryError(
            f"{version.uri} takes no fixture: the open-source Unity Catalog has no tags in MLflow's client."
        )
    if not version.run_id:
        raise RegistryError(f"{version.uri} was registered without a run, and a fixture is stored in the model's run.")
    with registry_errors("given a fixture", version.uri):
        registry = client()
        same = (link for link in _links(registry, version.name) if link.digest == digest)
        link = next((link for link in same if _is_whole(registry, link, folder)), None)
        if link is None:
            link = _link(digest, version.run_id)
            registry.log_artifacts(link.run_id, str(folder), link.path)
        for key, value in unity.written({TAG + name: f"{link.digest} {link.run_id}"}).items():
            registry.set_model_version_tag(version.name, version.number, key, value)
    return link


def fixtures(version: Version) -> Mapping[str, FixtureLink]:
    """Return the fixtures that a version refers to, by name; RegistryError if the registry does not answer."""
    with registry_errors("looked up", version.uri):
        return _of(client().get_model_version(version.name, version.number))


def download_fixture(link: FixtureLink, into: Path) -> Path:
    """Download the files of a fixture into a directory; RegistryError if the registry does not answer."""
    with registry_errors("downloaded", f"fixture {link.digest}"):
        return Path(client().download_artifacts(link.run_id, link.path, dst_path=str(into)))


def _link(digest: str, run_id: str) -> FixtureLink:
    return FixtureLink(digest, run_id, f"{FIXTURES_PATH}/{digest.removeprefix('sha256:')}")


def _links(registry: Any, name: str) -> list[FixtureLink]:
    if unity.is_unity():
        versions = unity.changed_since(registry, 0, [name])
    else:
        versions = registry.search_model_versions("name = '{}'".format(name.replace("'", "''")), max_results=MOST)
    return list(dict.fromkeys(link for version in versions for link in _of(version).values()))


def _of(version: Any) -> dict[str, FixtureLink]:
    tags = {k.removeprefix(TAG): v.split() for k, v in unity.read(version.tags).items() if k.startswith(TAG)}
    return {name: _link(*parts) for name, parts in tags.items() if len(parts) == 2}


def _is_whole(registry: Any, link: FixtureLink, folder: Path) -> bool:
    """Return whether the run still has every file; a deleted run has none."""
    try:
        if registry.get_run(link.run_id).info.lifecycle_stage != "active":
            return False
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    there = {Path(f.path).name: f.file_size for f in registry.list_artifacts(link.run_id, link.path)}
    here = {p.name: p.stat().st_size for p in folder.iterdir()}
    return there == here
