"""What a registry may offer so that a version of no use is refused before anything slow is imported or started."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

Use = Literal["validate", "capture", "look up"]
"""What a version is wanted for: to validate it, it needs a reference; to capture one, it must have none."""


@runtime_checkable
class RefusesEarly(Protocol):
    """A registry that can often tell within a second, without what is slow to import, that a version is of no use."""

    def refuse(self, uri: str, use: Use) -> None:
        """Raise what the later look-up is sure to raise; return where that is not known at once.

        Args:
            uri: of the version.
            use: what it is wanted for.

        Raises:
            UsageError: what is none of its addresses.
            VersionNotFound: there is no such model, version or alias.
            ReferenceInvalid: the version carries no reference.
            RegistryError: the registry is down, or the version cannot take a reference.
        """
        ...
