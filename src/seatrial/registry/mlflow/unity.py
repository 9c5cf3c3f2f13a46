"""Unity Catalog behind MLflow's client: of Databricks (``databricks-uc``), and the open-source one (``uc``).

Its stores list the versions of one model at a time, unsorted, and without aliases and tags. Names have three levels.
Keys of tags take fewer characters. The open-source one has neither tags nor aliases. Both keep the files of a version
themselves, and give them out by the version's address alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seatrial.project import matches
from seatrial.registry.mlflow.stores import store

PAGE = 200  # versions or models in one request
# Of what MLflow takes in the key of a tag, letters, digits, '_' and blanks are left: what is not taken becomes a blank
# and two digits. https://docs.databricks.com/aws/en/database-objects/tags
RESERVED = re.compile(r"[.,\-=/: ]")
ESCAPED = re.compile(r" ([0-9a-f]{2})")
MISSING = {"CATALOG_DOES_NOT_EXIST", "SCHEMA_DOES_NOT_EXIST", "NOT_FOUND"}  # codes, beside those of MLflow itself
BEGINNINGS = {"seatrial.fixture.": "seatrial_fixture_", "seatrial.": "seatrial_"}  # of our keys, the longer one first
OPEN_SOURCE = (
    "the open-source Unity Catalog has no aliases in MLflow's client, so no version is promoted there. To promote, set "
    "MLFLOW_REGISTRY_URI to another registry"
)


def is_unity() -> bool:
    """Return whether the registry is a Unity Catalog."""
    return _scheme() in ("databricks-uc", "uc")


def is_open_source() -> bool:
    """Return whether the registry is the open-source Unity Catalog."""
    return _scheme() == "uc"


def has_three_levels(name: str) -> bool:
    """Return whether a name is of the form ``catalog.schema.model``."""
    parts = name.split(".")
    return len(parts) == 3 and all(parts)


def answers(number: str | None, alias: str | None) -> bool:
    """Return whether the store can be asked for a version: it takes numbers alone, the open-source one no alias."""
    return number.isdigit() if number is not None else bool(alias) and not is_open_source()


def models(registry: Any, patterns: Sequence[str] = ("*",)) -> Iterator[str]:
    """Yield the names of the registered models that fit one of the patterns, page by page.

    Args:
        registry: a client of MLflow.
        patterns: those of a shell.
    """
    token = None
    while True:
        page = registry.search_registered_models(max_results=PAGE, page_token=token)
        yield from (m.name for m in page if matches(m.name, patterns))
        token = page.token
        if not token:
            return


def versions(registry: Any, name: str) -> Iterator[Any]:
    """Yield the versions of a model as a search returns them, in no order; none where there is no such model.

    Args:
        registry: a client of MLflow.
        name: of the model.
    """
    if not has_three_levels(name):
        return
    token = None
    while True:
        try:
            page = registry.search_model_versions(f"name = '{name}'", max_results=PAGE, page_token=token)
        except Exception as error:
            if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
                raise
            return
        yield from page
        token = page.token
        if not token:
            return


def changed_since(registry: Any, since: float, names: Iterable[str]) -> list[Any]:
    """Return the versions that were registered or changed at ``since`` or later, whole, the latest first.

    Args:
        registry: a client of MLflow.
        since: milliseconds since 1970.
        names: of the models.
    """
    late = [v for name in names for v in versions(registry, name) if changed(v) >= since and v.status == "READY"]
    late.sort(key=changed, reverse=True)
    return [registry.get_model_version(v.name, v.version) for v in late]


def changed(version: Any) -> int:
    """Return when a version last changed, milliseconds since 1970."""
    return max(int(version.creation_timestamp or 0), int(version.last_updated_timestamp or 0))


def written(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with keys that the registry takes, ``seatrial_verdict`` for ``seatrial.verdict``; or none at all."""
    if is_open_source():
        return {}
    return {_written(key): value for key, value in tags.items()} if is_unity() else dict(tags)


def read(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a version with the keys that :func:`written` was given."""
    return {_read(key): value for key, value in tags.items()} if is_unity() else dict(tags)


def _written(key: str) -> str:
    ours = next((each for each in BEGINNINGS if key.startswith(each)), "")
    return BEGINNINGS.get(ours, "") + RESERVED.sub(lambda found: f" {ord(found[0]):02x}", key.removeprefix(ours))


def _read(key: str) -> str:
    ours = next((each for each, there in BEGINNINGS.items() if key.startswith(there)), "")
    return ours + ESCAPED.sub(lambda found: chr(int(found[1], 16)), key.removeprefix(BEGINNINGS.get(ours, "")))


def _scheme() -> str:
    return store()[0].partition(":")[0]
