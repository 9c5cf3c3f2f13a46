"""What changed between two documents, and what that means to those who rely on the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

Side = Literal["request", "response"]


class Compat(StrEnum):
    """What a change means to those who rely on what was before, the worst first."""

    BREAKING = "breaking"
    UNKNOWN = "unknown"
    COMPATIBLE = "compatible"


class Effect(StrEnum):
    """How the set of values changed."""

    NARROWER = "narrower"
    WIDER = "wider"
    DIFFERENT = "different"
    MAYBE_NARROWER = "maybe narrower"
    MAYBE_WIDER = "maybe wider"
    UNKNOWN = "unknown"


MEANS: Mapping[Side, Mapping[Effect, Compat]] = {
    "request": {
        Effect.NARROWER: Compat.BREAKING,
        Effect.WIDER: Compat.COMPATIBLE,
        Effect.DIFFERENT: Compat.BREAKING,
        Effect.MAYBE_NARROWER: Compat.UNKNOWN,
        Effect.MAYBE_WIDER: Compat.COMPATIBLE,
        Effect.UNKNOWN: Compat.UNKNOWN,
    },
    "response": {
        Effect.NARROWER: Compat.COMPATIBLE,
        Effect.WIDER: Compat.BREAKING,
        Effect.DIFFERENT: Compat.BREAKING,
        Effect.MAYBE_NARROWER: Compat.COMPATIBLE,
        Effect.MAYBE_WIDER: Compat.UNKNOWN,
        Effect.UNKNOWN: Compat.UNKNOWN,
    },
}


@dataclass(frozen=True)
class ContractChange:
    """One difference between two documents.

    Attributes:
        compat: what it means to those who rely on the first.
        side: of the exchange it is on.
        operation: such as ``POST /score``.
        field: the path of the field, ``reasons[]`` for the items of a list; empty for the whole.
        kind: of the change: ``type``, ``removed``, ``required``, ``enum``, ``limit`` and so on.
        message: what was before, and what is now.
        path: where it is in the document, such as ``$.paths['/score'].post.parameters``; references are followed.
    """

    compat: Compat
    side: Side
    operation: str
    field: str
    kind: str
    message: str
    path: str = "$"


@dataclass(frozen=True)
class SchemaPair:
    """A position in the comparison: two documents, a side, and the path so far.

    Attributes:
        before: the first document.
        after: the second document.
        side: of the exchange.
        operation: such as ``POST /score``.
        at: the path of the field.
        way: the pairs of references that were followed to come here.
        path: the JSON path in the document.
        omittable: whether a caller of the first document could leave this field out, so that its default held.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    side: Side
    operation: str
    at: str = ""
    way: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    path: str = "$"
    omittable: bool = True

    def inside(self, name: str) -> SchemaPair:
        """One field further in; ``[]`` for the items of a list."""
        at = self.at + name if name == "[]" else f"{self.at}.{name}".lstrip(".")
        return replace(self, at=at, omittable=True)

    def step(self, *keys: str) -> SchemaPair:
        """The same field, further in the document.

        >>> SchemaPair({}, {}, "request", "").step("paths", "/score", "post").path
        "$.paths['/score'].post"
        """
        told = "".join(f".{k}" if k.isidentifier() else f"['{k}']" for k in keys)
        return replace(self, path=self.path + told)

    def change(self, kind: str, effect: Effect | Compat, message: str) -> ContractChange:
        """A change here."""
        compat = effect if isinstance(effect, Compat) else MEANS[self.side][effect]
        return ContractChange(compat, self.side, self.operation, self.at, kind, message, self.path)
