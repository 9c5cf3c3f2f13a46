"""The registered versions of MLflow, and their aliases."""

from __future__ import annotations

import re
from typing import Any

from seatrial.errors import UsageError, VersionNotFound
from seatrial.registry.mlflow.client import client, registry_errors, registry_uri
from seatrial.registry.mlflow.stores import Listing, missing
from seatrial.registry.protocol import Version

PAGE, ALL = 200, 10_000  # versions or models in one request
_URI = re.compile(r"^models:/(?P<name>[^/]+?)(?:/(?P<version>[^/@]+)|@(?P<alias>[^/@]+))$")


def resolve(uri: str) -> Version:
    """Return the version that ``models:/name/1`` or ``models:/name@alias`` means now.

    Raises:
        UsageError: not such a URI.
        VersionNotFound: there is no such model, version or alias.
        RegistryError: the registry does not answer.
    """
    name, number, alias = parts(uri)
    registry = client()
    with registry_errors("looked up", uri):
        try:
            version = (
                registry.get_model_version_by_alias(name, alias) if alias else registry.get_model_version(name, number)
            )
        except Exception as error:
            if getattr(error, "error_code", "") not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise VersionNotFound(_missing(registry, name, number, alias)) from error
    return _version(version)


def parts(uri: str) -> tuple[str, str | None, str | None]:
    """Return the model, and either the version's number or its alias.

    Raises:
        UsageError: not such a URI.

    Example:
        >>> parts("models:/payments@champion")
        ('payments', None, 'champion')
    """
    match = _URI.match(uri)
    if not match:
        raise UsageError(
            f"'{uri}' is not the URI of a model version. Write models:/NAME/VERSION or models:/NAME@ALIAS."
        )
    return match["name"], match["version"], match["alias"]


def changed_since(since: float = 0.0, *, model: str = "") -> list[Version]:
    """Return every version that is ready and was last changed at ``since`` or later, the latest first.

    Args:
        since: milliseconds since 1970 by the registry's clock; 0 lists all.
        model: this registered model's alone.

    Raises:
        RegistryError: the registry does not answer.
    """
    found: list[Version] = []
    only = {"filter_string": "name = '{}'".format(model.replace("'", "''"))} if model else {}
    with registry_errors("listed", "The versions"):
        registry, token = client(), None
        while True:
            page = registry.search_model_versions(
                max_results=PAGE if since else ALL, order_by=["last_updated_timestamp DESC"], page_token=token, **only
            )
            late = [v for v in page if (v.last_updated_timestamp or 0) >= since]
            found += [_version(v) for v in late if v.status == "READY"]
            token = page.token
            if not token or len(late) < len(page):
                return found


def aliases() -> dict[str, dict[str, str]]:
    """Return every registered model with its aliases: model to alias to version's number.

    Raises:
        RegistryError: the registry does not answer.
    """
    found: dict[str, dict[str, str]] = {}
    with registry_errors("listed", "The models"):
        registry, token = client(), None
        while True:
            page = registry.search_registered_models(max_results=PAGE, page_token=token)
            found |= {m.name: {a: str(n) for a, n in (m.aliases or {}).items()} for m in page}
            token = page.token
            if not token:
                return found


def move_alias(version: Version, alias: str) -> bool:
    """Move an alias to a version; False if another process moved it elsewhere at the same moment.

    MLflow has no compare-and-set: all that can be done is to look again afterwards.

    Raises:
        RegistryError: the registry does not answer.
    """
    with registry_errors("given an alias", version.uri):
        registry = client()
        registry.set_registered_model_alias(version.name, alias, version.number)
        return str(registry.get_model_version_by_alias(version.name, alias).version) == version.number


def _version(version: Any) -> Version:
    return Version(
        name=version.name,
        number=str(version.version),
        created=int(version.creation_timestamp or 0),
        run_id=version.run_id or "",
        model_id=model_id(version),
        aliases=tuple(version.aliases or ()),
        changed=int(version.last_updated_timestamp or 0),
        registry=registry_uri(),
        tags=dict(version.tags or {}),
    )


def model_id(version: Any) -> str:
    """Return the LoggedModel behind a version, read from its source, or the empty string."""
    match = re.match(r"^models:/(m-[0-9a-f]+)$", version.source or "")
    return getattr(version, "model_id", None) or (match[1] if match else "")


def _missing(registry: Any, name: str, number: str | None, alias: str | None) -> str:
    found = Listing(tuple(m.name for m in registry.search_registered_models()))
    if name in found.models:
        numbers = {str(v.version): v.run_id or "" for v in registry.search_model_versions(f"name='{name}'")}
        found = Listing(found.models, numbers, dict(registry.get_registered_model(name).aliases or {}))
    return missing(found, name, number, alias)
