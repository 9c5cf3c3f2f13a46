"""Versions, aliases and references."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from seatrial import Reference
from seatrial.errors import ReferenceInvalid, RegistryError, UsageError, VersionNotFound
from seatrial.io.files import atomic_write
from seatrial.registry import Version
from seatrial_folder.tracker import FolderTracker

SCHEME, ROOT = "folder", "FOLDER_REGISTRY"
_URI = re.compile(rf"{SCHEME}:/(?P<name>[^/@]+)(?:/(?P<number>[1-9][0-9]*)|@(?P<alias>[A-Za-z0-9_-]+))")


class FolderRegistry:
    """The registry below ``root``; below what ``FOLDER_REGISTRY`` names by default."""

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root or os.environ.get(ROOT, "registry")).absolute()
        self.tracker = FolderTracker(self.root / "runs")

    def register(self, name: str, model: str | Path, reference: Reference | None = None) -> str:
        """Copy a model's files and its reference in as the next version, and return its number."""
        model_home = self._model(name)
        model_home.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=self.root, prefix=".new-"))
        shutil.copytree(model, beside / "model")
        if reference is not None:
            reference.save(beside / "reference")
        (beside / "version.json").write_text(json.dumps({"created": time.time_ns() // 10**6}), encoding="utf-8")
        while True:
            number = str(max([int(v.number) for v in self._versions(name)], default=0) + 1)
            try:
                beside.rename(model_home / number)  # refused where somebody else was first
            except OSError:
                continue
            return number

    def resolve(self, uri: str) -> Version:
        """Return the version of ``folder:/NAME/VERSION`` or ``folder:/NAME@ALIAS``."""
        match = _URI.fullmatch(uri)
        if not match:
            raise UsageError(f"'{uri}' names no version. Write {SCHEME}:/NAME/VERSION or {SCHEME}:/NAME@ALIAS.")
        number = match["number"] or self.aliases().get(match["name"], {}).get(match["alias"], "")
        version = self._version(match["name"], number) if number else None
        if version is None:
            raise VersionNotFound(f"There is no {uri} in {self.root}. Models: {', '.join(self.aliases()) or 'none'}.")
        return version

    def changed_since(self, since: float = 0.0, *, model: str = "") -> Sequence[Version]:
        """Return the versions registered at ``since`` or later, the latest first."""
        if not self.root.is_dir():
            raise RegistryError(f"There is no folder {self.root}. Set {ROOT} to the registry's.")
        found = [v for name in ([model] if model else self.aliases()) for v in self._versions(name)]
        return sorted((v for v in found if v.created >= since), key=lambda v: v.created, reverse=True)

    def aliases(self) -> Mapping[str, Mapping[str, str]]:
        """Return every model with its aliases."""
        homes = sorted((self.root / "models").glob("*"))
        return {unquote(home.name): self._aliases(unquote(home.name)) for home in homes}

    def move_alias(self, version: Version, alias: str) -> bool:
        """Put an alias on a version."""
        atomic_write(self._model(version.name) / "aliases" / alias, version.number.encode())
        return self._aliases(version.name)[alias] == version.number

    def fetch(self, version: Version, into: Path) -> Path:
        """Copy the model's files to ``into``."""
        return self._copy(version, "model", into)

    def reference(self, version: Version, into: Path) -> Reference:
        """Copy the reference to ``into`` and verify it."""
        if not (self._home(version) / "reference").is_dir():
            raise ReferenceInvalid(f"{version.uri} carries no reference. Give one to FolderRegistry.register.")
        return Reference.load(self._copy(version, "reference", into))

    def store_reference(self, reference: Reference, run_id: str) -> None:
        """Store a reference with a version, whose run is the version itself."""
        reference.save(self.root / "models" / run_id / "reference")

    def can_take_reference(self, version: Version) -> None:
        """Raise RegistryError where the version has a reference."""
        if (self._home(version) / "reference").exists():
            raise RegistryError(f"{version.uri} has a reference already. Register a new version to capture another.")

    def annotate(
        self, version: Version, tags: Mapping[str, str], texts: Sequence[str] = (), run_id: str = "", page: str = ""
    ) -> None:
        """Write tags to ``tags.json`` and the verdict to ``verdict.md``."""
        home = self._home(version)
        atomic_write(home / "tags.json", json.dumps({**_tags(home), **tags}, indent=1).encode())
        if texts:
            links = "\n".join(filter(None, [run_id and f"Run: {run_id}", page]))
            atomic_write(home / "verdict.md", f"{texts[0]}\n{links}\n".encode())

    def _model(self, name: str) -> Path:
        return self.root / "models" / quote(name, safe="")

    def _home(self, version: Version) -> Path:
        return self._model(version.name) / version.number

    def _aliases(self, name: str) -> dict[str, str]:
        files = sorted((self._model(name) / "aliases").glob("[!.]*"))
        return {file.name: file.read_text(encoding="utf-8") for file in files}

    def _version(self, name: str, number: str) -> Version | None:
        home = self._model(name) / number
        if not (home / "version.json").is_file():
            return None
        created = int(json.loads((home / "version.json").read_text(encoding="utf-8"))["created"])
        held = tuple(alias for alias, on in self._aliases(name).items() if on == number)
        run_id = f"{quote(name, safe='')}/{number}"
        where = str(self.root)
        return Version(name, number, created, run_id, "", held, created, where, SCHEME, _tags(home))

    def _versions(self, name: str) -> list[Version]:
        numbers = [home.name for home in self._model(name).glob("[1-9]*")]
        return [version for number in numbers if (version := self._version(name, number))]

    def _copy(self, version: Version, part: str, into: Path) -> Path:
        shutil.rmtree(into, ignore_errors=True)
        try:
            return Path(shutil.copytree(self._home(version) / part, into))
        except OSError as error:
            raise RegistryError(f"The {part} of {version.uri} cannot be copied from {self.root}: {error}.") from error


def _tags(home: Path) -> dict[str, str]:
    file = home / "tags.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
