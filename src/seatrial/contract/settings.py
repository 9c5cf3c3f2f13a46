"""``[contract]`` of service.toml: how much of a contract is asked, and what a breach weighs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seatrial.errors import PolicyError, unknown

GENERATED = 100
WEIGHTS = ("error", "warning", "allow")


@dataclass(frozen=True)
class Contract:
    """How the live service's contract is judged.

    Attributes:
        coercion: what it weighs that a value of another type is accepted silently: ``"1"`` for 1, 1.5 for an integer.
        unknown_fields: what it weighs that a field nobody knows is accepted, a misspelt one among them.
        unknown_changes: what a change of the OpenAPI weighs of which it cannot be told whether it breaks.
        generated: requests that are generated from the OpenAPI; 0 for none. Left out, as many as ``GENERATED`` where
            schemathesis is installed; stated, they must be sent.
        generated_seconds: how long they may take altogether.
        seconds: the deadline of one answer.
    """

    coercion: str = "error"
    unknown_fields: str = "error"
    unknown_changes: str = "warning"
    generated: int | None = None
    generated_seconds: float = 20.0
    seconds: float = 10.0


def check_settings(path: Path, table: Any) -> None:
    """Raise PolicyError unless ``table`` is what [contract] may be."""
    if not isinstance(table, Mapping):
        raise PolicyError(f"{path}: 'contract' is a table, [contract].")
    known = [f.name for f in fields(Contract)]
    for name, value in table.items():
        if name not in known:
            raise PolicyError(f"{path}: {unknown('[contract]: setting', name, known)}")
        if name in ("coercion", "unknown_fields", "unknown_changes"):
            if value not in WEIGHTS:
                raise PolicyError(f"{path}, [contract]: '{name}' is one of {', '.join(WEIGHTS)}.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise PolicyError(f"{path}, [contract]: '{name}' is a number, 0 or more.")
        elif name == "generated" and not isinstance(value, int):
            raise PolicyError(f"{path}, [contract]: '{name}' is a whole number of requests.")
        elif name != "generated" and value == 0:
            raise PolicyError(f"{path}, [contract]: '{name}' is a number of seconds above 0.")
