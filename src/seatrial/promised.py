"""What the promoted version promises to those who ask it, as far as it was stored with its verdict and its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Promised:
    """Values and paths alone, so that another process can be handed them.

    Attributes:
        version: its number.
        openapi: the document of its service when it last passed; None where none is stored.
        why: there is no document, in words.
        reference: the directory of its reference, for its answers; None where it is the version on trial, or has none.
    """

    version: str
    openapi: Mapping[str, Any] | None = field(default=None, repr=False)
    why: str = ""
    reference: Path | None = None
