"""The maps from results to the NIST AI RMF and the ML Test Score, read from the TOML files in ``maps``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

Section = Literal["Data", "Model", "Infra", "Monitor"]  # of the ML Test Score
SECTIONS: tuple[Section, ...] = get_args(Section)
OTHER = "checks."  # before the name of a check of another package in service.toml


@dataclass(frozen=True)
class Subcategory:
    """One subcategory of the NIST AI RMF, and what supports it; the names are explained in ``nist.toml``."""

    id: str
    text: str
    because: str
    checks: tuple[str, ...] = ()
    declares: tuple[str, ...] = ()
    verdict: bool = False
    records: bool = False
    committed: bool = False
    shows: str = ""
    rest: str = ""


@dataclass(frozen=True)
class Needs:
    """What must have passed for a test of the ML Test Score; the names are explained in ``ml_test_score.toml``."""

    checks: tuple[str, ...]
    stages: Literal["", "service", "dependencies"] = ""
    declares: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True)
class MlTest:
    """One test of the ML Test Score, by its number such as ``Infra 3``, in words of our own."""

    number: str
    says: str
    no: str
    covered: Needs | None = None
    partly: Needs | None = None

    @property
    def section(self) -> str:
        """The section that it counts in."""
        return self.number.partition(" ")[0]


@cache
def subcategories() -> tuple[Subcategory, ...]:
    """Return every subcategory of the NIST AI RMF 1.0, in its order.

    Example:
        >>> len(subcategories()), subcategories()[0].id
        (72, 'GOVERN 1.1')
    """
    tables: Mapping[str, Any] = _read("nist")["subcategories"]
    return tuple(Subcategory(id=name, **_tuples(table)) for name, table in tables.items())


def shows(check: str, *, service: bool) -> str:
    """Return what a check that passed shows, as a clause; of a check that is not in the map, that it passed.

    Example:
        >>> shows("golden", service=True), shows("bounds", service=False)
        ('the running service gave the recorded responses', 'bounds passed')
    """
    clauses: Mapping[str, str] = _read("nist")["shows"]
    return (clauses.get(f"{check} service") if service else None) or clauses.get(check, f"{check} passed")


@cache
def ml_tests() -> tuple[MlTest, ...]:
    """Return the 28 tests of the ML Test Score, in its order.

    Example:
        >>> len(ml_tests()), ml_tests()[-1].section
        (28, 'Monitor')
    """
    tables: Mapping[str, Any] = _read("ml_test_score")["tests"]
    return tuple(MlTest(name, **{key: _needs(value) for key, value in table.items()}) for name, table in tables.items())


def settings_of(check: str) -> tuple[str, ...]:
    """Return which settings of a policy are the thresholds of a check.

    Example:
        >>> settings_of("load"), settings_of("bounds")
        (('slo', 'load', 'stress'), ('checks.bounds',))
    """
    return tuple(_read("thresholds").get(check, (f"{OTHER}{check}",)))


def every_setting() -> frozenset[str]:
    """Return which settings of a policy are the threshold of any check."""
    return frozenset(pattern for patterns in _read("thresholds").values() for pattern in patterns)


def sources() -> tuple[str, str]:
    """Return the addresses of the NIST AI RMF and of the paper."""
    return str(_read("nist")["source"]), str(_read("ml_test_score")["source"])


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "maps" / f"{name}.toml").read_text(encoding="utf-8"))


def _needs(value: Any) -> Any:
    return Needs(**_tuples(value)) if isinstance(value, dict) else value


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
