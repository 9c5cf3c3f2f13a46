"""What every registry and every tracker offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from seatrial.events import Subject

if TYPE_CHECKING:
    from seatrial.reference.snapshot import Reference  # slow to import, and a look-up needs none

VALIDATED = "validated"  # the alias that every version gets on a pass
MLFLOW = "models"  # the scheme of MLflow's addresses


@dataclass(frozen=True)
class Version:
    """A registered model version, as the registry described it when it was looked up.

    Attributes:
        name: of the registered model.
        number: of the version, a whole number as text that grows with each registration.
        created: when it was registered, milliseconds since 1970 by the registry's clock.
        run_id: the run that logged it; empty where there is none.
        model_id: the registry's own id of the model's files; empty where there is none.
        aliases: that stand on it.
        changed: when it last was, milliseconds since 1970.
        registry: the registry's address, without what may be secret in it.
        scheme: of its address, by which its registry is found.
        tags: of the version, as far as the registry lists them; they change, so versions are not compared by them.
    """

    name: str
    number: str
    created: int
    run_id: str
    model_id: str
    aliases: tuple[str, ...] = ()
    changed: int = 0
    registry: str = ""
    scheme: str = MLFLOW
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def uri(self) -> str:
        """``models:/name/number``, with its registry's scheme."""
        return f"{self.scheme}:/{self.name}/{self.number}"


@dataclass(frozen=True)
class Fetched:
    """A version's model and reference on this disk; the digest is of the model's files as we hashed them."""

    version: Version
    model: Path
    digest: str
    reference: Reference

    @property
    def subject(self) -> Subject:
        """Who is on trial."""
        return subject_of(self.version, self.digest)


def subject_of(version: Version, digest: str = "") -> Subject:
    """Return the subject that a version is, with the digest of its files where they were hashed."""
    return Subject(version.name, version.number, version.registry, version.created, digest)


@runtime_checkable
class Tracker(Protocol):
    """Where runs are logged: the verdict of each validation, its numbers and its files.

    An extension registers its class, or a function that makes one, as an entry point of the group
    ``seatrial.trackers``. It is called with the project's state directory. ``trackers`` of ``[tool.seatrial]`` names
    those that every verdict is logged to, beside the registry's own.
    """

    def log_run(self, body: Mapping[str, Any], artifacts: Path, key: str = "") -> str:
        """Log a run with every file of a directory, and return its id.

        Args:
            body: the content, as :func:`seatrial.registry.runs.run_payload` returns it.
            artifacts: the directory.
            key: of the verdict. A run with that key is completed, or left as it is where it ended: whoever logs may
                die at any line and begin again.

        Raises:
            RegistryError: the tracker does not answer, or refuses the run.
        """
        ...


@runtime_checkable
class RunStore(Tracker, Protocol):
    """A tracker whose files are read back: by 'seatrial verify', and for the contract of the champion."""

    def artifacts(self, version: Version, name: str, *, most_bytes: int, passed: bool = False) -> Iterator[bytes]:
        """Yield the files of that name of the version's runs, the newest first; a longer file is left out.

        Args:
            version: the version.
            name: such as ``openapi.json``.
            most_bytes: of one file.
            passed: those of passing verdicts alone.

        Raises:
            RegistryError: the registry does not answer.
        """
        ...

    def files(self, version: Version, key: str, into: Path) -> Path | None:
        """Download every file of the verdict's run with this key to ``into``, and return it; None without a run.

        Raises:
            RegistryError: the registry does not answer.
        """
        ...


@runtime_checkable
class Registry(Protocol):
    """Where model versions are registered.

    An extension registers its class, or a function that makes one, as an entry point of the group
    ``seatrial.registries``, under the scheme of its addresses: ``SCHEME:/NAME/VERSION`` and ``SCHEME:/NAME@ALIAS``. It
    is called without arguments and reads from the environment where its server or folder is. Every method may be
    called from several threads, and raises RegistryError if the registry does not answer. What else a registry may
    offer has a protocol of its own, in :mod:`seatrial.registry.capabilities`.

    Example:
        >>> isinstance(of("models:/payments/1"), Registry)
        True
    """

    def resolve(self, uri: str) -> Version:
        """Return the version that an address means now.

        Raises:
            UsageError: what is none of its addresses.
            VersionNotFound: the registry responded, and has no such model, version or alias.
            RegistryError: it did not respond. Only the error before means that there is no champion.
        """
        ...

    def changed_since(self, since: float = 0.0, *, model: str = "") -> Sequence[Version]:
        """Return every version, or every one of one model, that was last changed at ``since`` or later, newest first.

        Args:
            since: milliseconds since 1970 by the registry's clock; 0 lists all.
            model: this registered model's alone.
        """
        ...

    def fetch(self, version: Version, into: Path) -> Path:
        """Download the version's model files to ``into``, which is emptied first, and return their directory."""
        ...

    def reference(self, version: Version, into: Path) -> Reference:
        """Download the version's reference to ``into``, which is emptied first; ReferenceInvalid where it has none."""
        ...

    def annotate(
        self, version: Version, tags: Mapping[str, str], texts: Sequence[str] = (), run_id: str = "", page: str = ""
    ) -> None:
        """Set tags of a version, and put the verdict into its description; what people wrote there stays.

        Args:
            version: the version.
            tags: those to set; others stay.
            texts: the verdict in Markdown, the longest text first; the first that fits is taken. Without one the
                description stays as it is.
            run_id: the run that holds the report.
            page: the address of the flow run's page.
        """
        ...

    def move_alias(self, version: Version, alias: str) -> bool:
        """Move an alias to a version; False if another process moved it elsewhere at the same moment."""
        ...
