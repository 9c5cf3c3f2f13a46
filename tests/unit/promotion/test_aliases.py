"""The watch over aliases: what is another project's is not asked for, and one version does not stop it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seatrial import registry
from seatrial.errors import RegistryError, VersionNotFound
from seatrial.events import Outcome
from seatrial.io.bundle import directory_digest
from seatrial.ledger import Facts, Ledger
from seatrial.project import Project
from seatrial.promotion import aliases
from seatrial.promotion.aliases import check_aliases
from seatrial.registry import Version


@dataclass
class Shelf:
    """A registry of two projects; the files of ``gone`` cannot be downloaded."""

    stands: Mapping[str, Mapping[str, str]]
    gone: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    downloaded: list[str] = field(default_factory=list)
    breaks: bool = False
    down: bool = False
    created: int = 0

    def aliases(self) -> Mapping[str, Mapping[str, str]]:
        return self.stands

    def resolve(self, uri: str) -> Version:
        self.asked.append(uri)
        if self.down:
            raise RegistryError("The registry is down.")
        name, _, number = uri.removeprefix("models:/").partition("/")
        if not number:
            raise VersionNotFound(uri)
        return Version(name, number, self.created or int(number), "run", "")

    def changed_since(self, since: float = 0.0, *, model: str = "") -> list[Version]:
        return []

    def fetch(self, version: Version, into: Path) -> Path:
        self.downloaded.append(version.uri)
        if version.uri in self.gone:
            self.down = self.breaks
            raise RegistryError(f"{version.uri} could not be downloaded.")
        into.mkdir(parents=True)
        (into / "model.txt").write_text(version.name)
        return into


def digest(name: str, folder: Path) -> str:
    """Return the digest of what the shelf gives for a model."""
    (folder / name).mkdir()
    (folder / name / "model.txt").write_text(name)
    return directory_digest(folder / name)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The registry behind every address."""
    both = {"validated": "1", "champion": "1"}
    made = Shelf({"shop-a": both, "shop-b": both, "other": both, "shop-bare": {"stable": "1"}})
    monkeypatch.setattr(registry, "named", lambda _: made)
    monkeypatch.setattr(registry, "of", lambda _: made)
    monkeypatch.setattr(registry, "reachable", lambda _: not made.down)
    monkeypatch.setattr(registry, "present", made.resolve)
    return made


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in which both versions of the project passed."""
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        for name in ("shop-a", "shop-b"):
            version = Version(name, "1", 1, "run", "")
            job = opened.claim_version(version, "host:1")
            opened.commit(job, Facts(Outcome.PASS, "pass", digest=digest(name, tmp_path)))
        yield opened


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose models are called shop-*."""
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "p.py:p"\nmodels = ["shop-*"]\n')
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "service.toml").write_text('[promotion]\nalias = "champion"\n')
    return Project.find(tmp_path)


def test_the_watch_asks_once_a_version_and_for_none_of_others(shelf: Shelf, ledger: Ledger, project: Project) -> None:
    """Two aliases on a version are one download."""
    assert check_aliases(ledger, project, hashing=True) == []
    assert shelf.downloaded == ["models:/shop-a/1", "models:/shop-b/1"]
    assert sorted(shelf.asked) == ["models:/shop-a/1", "models:/shop-b/1"]


def test_between_the_full_listings_the_ledger_answers(shelf: Shelf, ledger: Ledger, project: Project) -> None:
    """The registry is asked for what has no pass alone, such as a version that was registered again."""
    assert check_aliases(ledger, project) == []
    assert shelf.asked == []
    ledger.observe([Version("shop-a", "1", 2, "another run", "")])
    assert check_aliases(ledger, project) == [], "the registry has the first one still"
    assert shelf.asked == ["models:/shop-a/1"]
    shelf.created = 2
    found = check_aliases(ledger, project)
    assert {(each.model, each.reason) for each in found} == {("shop-a", "it has no verdict")}


def test_a_version_that_cannot_be_downloaded_does_not_stop_the_watch(
    shelf: Shelf, ledger: Ledger, project: Project
) -> None:
    """It is told, is not moved, and the one after it is looked at."""
    shelf.gone.add("models:/shop-a/1")
    found = check_aliases(ledger, project, hashing=True)
    assert [(each.model, each.alias, each.reason) for each in found] == [
        ("shop-a", "champion", aliases.UNKNOWN), ("shop-a", "validated", aliases.UNKNOWN),
    ]  # fmt: skip
    assert shelf.downloaded[-1] == "models:/shop-b/1"


def test_a_registry_that_is_down_ends_the_watch(shelf: Shelf, ledger: Ledger, project: Project) -> None:
    """It says nothing about any version."""
    shelf.gone.add("models:/shop-a/1")
    shelf.breaks = True
    with pytest.raises(RegistryError, match="could not be downloaded"):
        check_aliases(ledger, project, hashing=True)
