"""What the live service must hold under load, and what the loss of a dependency may cost: parts of service.toml."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from seatrial import plugins
from seatrial.errors import PolicyError, UsageError, unknown
from seatrial.loadgen.schedule import Profile

T = TypeVar("T")


def read(kind: type[T], where: str, table: Mapping[str, Any]) -> T:
    """Return a table of service.toml as ``kind``; PolicyError says which setting cannot be used, and why."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise PolicyError(f"{where}: {unknown('setting', name, list(known))}")
    if missing := [n for n, f in known.items() if f.default is MISSING and n not in table]:
        raise PolicyError(f"{where} does not say '{missing[0]}'.")
    hints = get_type_hints(kind)
    for name, value in table.items():
        if wrong := _wrong(name, value, hints[name]):
            raise PolicyError(f"{where}: '{name}' is {wrong}.")
    return kind(**table)


def _wrong(name: str, value: Any, hint: Any) -> str:
    """Return what a setting should be where the value is not that, or the empty string."""
    kinds = set(get_args(hint)) or {hint}
    if name == "profile":
        wrong = _wrong_profile(value)
    elif bool in kinds:
        wrong = "" if isinstance(value, bool) else "true or false"
    elif str in kinds and float not in kinds and not isinstance(hint, type(Sequence[str])):
        wrong = "" if isinstance(value, str) and value else "text"
    elif kinds & {int, float}:
        wrong = _wrong_number(name, value, whole=int in kinds)
    elif not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        wrong = "a list of texts"
    elif name == "faults" and (strange := [each for each in value if each not in plugins.names("faults")]):
        wrong = f"a list of faults. {unknown('Fault', strange[0], plugins.names('faults'))}".rstrip(".")
    else:
        wrong = ""
    return wrong


def _wrong_profile(value: Any) -> str:
    try:
        Profile(tuple(tuple(corner) for corner in value))
    except UsageError as error:
        return f"no profile. {error}".rstrip(".")
    except (TypeError, ValueError):
        return "a list of corners, such as [[0, 5], [60, 20]]"
    return ""


def _wrong_number(name: str, value: Any, *, whole: bool) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        return "a number above 0"
    if whole and not isinstance(value, int):
        return "a whole number"
    if name in ("percentile", "confidence") and not value < 1:
        return "a share between 0 and 1, such as 0.99"
    return "at most 0.8: beyond that no number of runs helps" if name == "utilisation" and value > 0.8 else ""


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} is not TOML: {error}.") from error


def _table(path: Path, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PolicyError(f"{path}: '{name}' is a table, [{name}].")
    return value


def _known(path: Path, what: str, found: Iterable[str], known: Iterable[str]) -> None:
    allowed = list(known)
    for name in found:
        if name not in allowed:
            raise PolicyError(f"{path}: {unknown(what, name, allowed)}")
