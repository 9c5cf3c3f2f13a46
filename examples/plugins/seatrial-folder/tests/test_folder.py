"""The registry and its tracker are registered and keep their protocols."""

from __future__ import annotations

from pathlib import Path

from seatrial_folder import FolderRegistry

from seatrial.testing import registered, registry_conforms


def test_it_is_registered() -> None:
    registered("registries", "folder", FolderRegistry)


def test_it_conforms(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "registry")
    registry.root.mkdir()
    registry_conforms(registry, "folder", registry.register, tmp_path)
