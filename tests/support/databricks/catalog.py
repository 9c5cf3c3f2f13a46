"""The state of a Unity Catalog, and what it refuses, as Databricks documents it or is reported to answer."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TypeVar

RESERVED = re.compile(r"[.,\-=/:]")
T = TypeVar("T")
PER_PAGE = 2  # whatever is asked for: a server may return fewer


class Refused(Exception):
    """An answer other than 200, with the code that MLflow reads."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass
class Version:
    """A version of a model; ``ready`` once its files were written."""

    name: str
    number: int
    source: str
    run_id: str
    created: int
    updated: int
    description: str = ""
    ready: bool = False
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Model:
    """A registered model."""

    name: str
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)


class Catalog:
    """Registered models with versions, aliases and tags; its clock ticks by a second with every change."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self._clock = itertools.count(1_700_000_000_000, 1_000)

    def create(self, name: str) -> Model:
        _three_levels(name)
        if name in self.models:
            raise Refused("RESOURCE_ALREADY_EXISTS", f"Model '{name}' already exists.")
        self.models[name] = Model(name)
        return self.models[name]

    def model(self, name: str) -> Model:
        _three_levels(name)
        if name not in self.models:
            raise Refused("RESOURCE_DOES_NOT_EXIST", f"Registered Model '{name}' does not exist.", 404)
        return self.models[name]

    def add(self, name: str, source: str, run_id: str) -> Version:
        model, now = self.model(name), next(self._clock)
        number = max(model.versions, default=0) + 1
        model.versions[number] = Version(name, number, source, run_id, now, now)
        return model.versions[number]

    def version(self, name: str, number: str) -> Version:
        model = self.model(name)
        if not number.isdigit():
            raise Refused("INVALID_PARAMETER_VALUE", f"'{number}' is no version number.")
        if int(number) not in model.versions:
            raise Refused("RESOURCE_DOES_NOT_EXIST", f"Model version '{name}' {number} does not exist.", 404)
        return model.versions[int(number)]

    def by_alias(self, name: str, alias: str) -> Version:
        model = self.model(name)
        if alias not in model.aliases:
            raise Refused("RESOURCE_DOES_NOT_EXIST", f"Alias '{alias}' of '{name}' does not exist.", 404)
        return model.versions[model.aliases[alias]]

    def set_alias(self, name: str, alias: str, number: str) -> None:
        version = self.version(name, number)
        self.models[name].aliases[alias] = version.number
        version.updated = next(self._clock)

    def aliases_of(self, version: Version) -> list[str]:
        return [a for a, number in self.models[version.name].aliases.items() if number == version.number]

    def describe(self, name: str, number: str, text: str) -> Version:
        version = self.version(name, number)
        version.description, version.updated = text, next(self._clock)
        return version

    def finalize(self, name: str, number: str) -> Version:
        version = self.version(name, number)
        version.ready = True
        return version

    def tag(self, name: str, number: str, key: str, value: str) -> None:
        if RESERVED.search(key):
            raise Refused(
                "INVALID_PARAMETER_VALUE",
                f"Tag name {key} contains one or more of the reserved characters: List(., ,, -, =, /, :)",
            )
        if not key or len(key) > 255 or len(value) > 1_000 or {key.strip(), value.strip()} != {key, value}:
            raise Refused("INVALID_PARAMETER_VALUE", f"Tag {key} is too long, or has blanks around it.")
        version = self.version(name, number)
        if len({*version.tags, key}) > 50:
            raise Refused("INVALID_PARAMETER_VALUE", "A securable has 50 tags at most.")
        version.tags[key], version.updated = value, next(self._clock)


def page(items: list[T], token: str, most: int, threshold: int) -> tuple[list[T], str]:
    """Return one page of a listing, and the token of the next."""
    if most > threshold:
        raise Refused("INVALID_PARAMETER_VALUE", f"max_results is {most}; at most {threshold}.")
    start = int(token or 0)
    end = start + min(most or PER_PAGE, PER_PAGE)
    return items[start:end], str(end) if end < len(items) else ""


def _three_levels(name: str) -> None:
    parts = name.split(".")
    if len(parts) != 3 or not all(parts):
        raise Refused("INVALID_PARAMETER_VALUE", f"Invalid name '{name}': specify all three levels of the model.")
