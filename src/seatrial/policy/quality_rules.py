"""Rules of the values in a ``Quality``: each says what was found and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

from seatrial.errors import PolicyError


def is_number(value: Any) -> bool:
    """Whether a value is a number, and not a flag or NaN."""
    return hasattr(value, "__float__") and not isinstance(value, bool | str) and not math.isnan(float(value))


def is_columns(value: Any) -> bool:
    """Whether a value maps hashable names to different columns."""
    return (
        isinstance(value, Mapping)
        and all(isinstance(c, str) and c for c in value.values())
        and all(isinstance(k, Hashable) for k in value)
        and len({*value.values()}) == len(value)
    )


def check_number(name: str, value: Any, low: float, high: float, rule: str) -> None:
    """Raise PolicyError where a setting is no number in its range."""
    if not (is_number(value) and low <= value <= high):
        raise PolicyError(f"Quality({name}={value!r}): {rule}.")


def check_limits(name: str, limits: Any) -> None:
    """Raise PolicyError where a setting does not map names to numbers."""
    if not isinstance(limits, Mapping):
        raise PolicyError(f"Quality({name}={limits!r}): '{name}' maps metrics to limits, such as {{\"roc_auc\": 0.8}}.")
    for each, limit in limits.items():
        if not is_number(limit):
            raise PolicyError(f"Quality({name}=...): the limit of '{each}' is a number; found {limit!r}.")


def check_limit(where: str, name: str, limit: float, low: float, high: float) -> None:
    """Raise PolicyError where a limit is a value that its metric never has."""
    if not low <= limit <= high:
        allowed = f"at least {low:g}" if math.isinf(high) else f"at most {high:g}" if math.isinf(low) else ""
        raise PolicyError(
            f"Quality({where}): the limit of '{name}' is {limit!r}, but its values are "
            f"{allowed or f'between {low:g} and {high:g}'}."
        )


def check_groups(groups: Any) -> None:
    """Raise PolicyError where groups are no columns with limits."""
    if not isinstance(groups, Mapping) or not all(isinstance(c, str) for c in groups):
        raise PolicyError(
            f"Quality(groups={groups!r}): 'groups' maps a column to limits, such as "
            '{"sex": {"recall_difference": 0.1}}.'
        )
    for column, limits in groups.items():
        check_limits(f"groups, '{column}'", limits)
