"""What users of the champion rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ChampionContract:
    """The champion contract: what users of the champion rely on. It holds plain values and paths, to cross processes.

    Attributes:
        version: the champion's version.
        openapi: the OpenAPI document of its service when it last passed; None where none is stored.
        reason: why there is no document; empty where there is one.
        reference: the folder of its reference, for its recorded responses; None where it has none, or is the version
            under validation.
    """

    version: str
    openapi: Mapping[str, Any] | None = field(default=None, repr=False)
    reason: str = ""
    reference: Path | None = None
