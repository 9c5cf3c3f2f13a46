"""What a registry or a tracker may offer beyond its protocol; each is asked for by its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from seatrial.registry.protocol import RunStore, Version

if TYPE_CHECKING:
    from seatrial.reference.snapshot import Reference


@dataclass(frozen=True)
class HandedOver:
    """What a tracker handed over to its server: a sentence for each run that was, and for each that waits and why."""

    done: Sequence[str] = ()
    waiting: Sequence[str] = ()


@runtime_checkable
class SyncsLater(Protocol):
    """A tracker that can log without its server, and hand over later what it could not."""

    def sync(self) -> HandedOver:
        """Hand over what waits on this disk, as far as the server takes it."""
        ...


@runtime_checkable
class HasTracker(Protocol):
    """A registry beside which the runs of its verdicts are stored."""

    @property
    def tracker(self) -> RunStore:
        """Where the verdicts of its versions are logged and read back."""
        ...


@runtime_checkable
class StoresReferences(Protocol):
    """A registry that takes the reference of a version, when its training run captures one or later."""

    def store_reference(self, reference: Reference, run_id: str) -> None:
        """Store a reference with the run that logged a model."""
        ...

    def can_take_reference(self, version: Version) -> None:
        """Raise RegistryError where the version cannot have a reference stored, or has one already."""
        ...


@runtime_checkable
class ListsAliases(Protocol):
    """A registry that tells its aliases without listing every version."""

    def aliases(self) -> Mapping[str, Mapping[str, str]]:
        """Return every registered model with its aliases: model to alias to version's number."""
        ...


@runtime_checkable
class ListsByPattern(Protocol):
    """A registry that lists the models of one project without reading those of others.

    Patterns are those of a shell, such as ``payments-*``. More models than fit them may be listed, never fewer.
    """

    def changed_among(self, patterns: Sequence[str], since: float = 0.0) -> Sequence[Version]:
        """Return what :meth:`Registry.changed_since` does, of the models that fit one of the patterns."""
        ...

    def aliases_among(self, patterns: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return what :meth:`ListsAliases.aliases` does, of the models that fit one of the patterns."""
        ...


@dataclass(frozen=True)
class FixtureLink:
    """The reference of a version to a fixture: its digest, the run with its artifacts, and its path among them."""

    digest: str
    run_id: str
    path: str


@runtime_checkable
class FixtureStore(Protocol):
    """A registry that stores fixtures beside its models: stored once by digest, referred to by each version."""

    def store_fixture(self, version: Version, name: str, digest: str, folder: Path) -> FixtureLink:
        """Store the files of a fixture, unless another version's run holds them, and refer to them."""
        ...

    def fixtures(self, version: Version) -> Mapping[str, FixtureLink]:
        """Return the fixtures that a version refers to, by name."""
        ...

    def download_fixture(self, link: FixtureLink, into: Path) -> Path:
        """Download the files of a fixture into a directory and return where they are."""
        ...


@runtime_checkable
class SendsWebhooks(Protocol):
    """A registry that calls an address when a version is registered."""

    def put_webhook(self, project: str, url: str, secret: str) -> None:
        """Have one webhook of a project, to this address, signed with this secret; those of others stay."""
        ...

    def remove_webhook(self, project: str) -> bool:
        """Remove a project's webhook; False where it has none."""
        ...
