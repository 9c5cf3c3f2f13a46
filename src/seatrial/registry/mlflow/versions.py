"""The registered versions of MLflow, and their aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from seatrial.errors import RegistryError, UsageError, VersionNotFound
from seatrial.registry.mlflow import unity
from seatrial.registry.mlflow.client import client, registry_errors, registry_uri
from seatrial.registry.mlflow.stores import Listing, missing
from seatrial.registry.protocol import Version

PAGE, ALL, FEW = 200, 10_000, 50  # versions or models in one request; a poll finds few
_UNSAFE = re.compile(r"[^A-Za-z0-9_. :-]")
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
        if unity.is_unity() and not unity.answers(number, alias):
            raise VersionNotFound(_missing(registry, name, number, alias))
        try:
            version = (
                registry.get_model_version_by_alias(name, alias) if alias else registry.get_model_version(name, number)
            )
        except Exception as error:
            if not _says_missing(error):
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
    return changed_among([model] if model else ["*"], since, exactly=bool(model))


def changed_among(patterns: Sequence[str], since: float = 0.0, *, exactly: bool = False) -> list[Version]:
    """Return what :func:`changed_since` does, of the models that fit one of the patterns; MLflow reads no others.

    Args:
        patterns: those of a shell.
        since: milliseconds since 1970 by the registry's clock; 0 lists all.
        exactly: they are names.

    Raises:
        RegistryError: the registry does not answer.
    """
    with registry_errors("listed", "The versions"):
        registry = client()
        if unity.is_unity():
            names = list(patterns) if exactly else unity.models(registry, patterns)
            return [_version(v) for v in unity.changed_since(registry, since, names)]
        found = dict[tuple[str, str], Version]()
        for only in [_only(name) for name in patterns] if exactly else filters(patterns):
            late = (v for v in _late(registry, only, since) if not exactly or v.name in patterns)
            found |= {(v.name, str(v.version)): _version(v) for v in late}
    return sorted(found.values(), key=lambda version: -version.changed)


def _late(registry: Any, only: str, since: float) -> Iterator[Any]:
    token = None
    while True:
        page = registry.search_model_versions(
            only or None, max_results=FEW if since else ALL, order_by=["last_updated_timestamp DESC"], page_token=token
        )
        late = [v for v in page if (v.last_updated_timestamp or 0) >= since]
        yield from (v for v in late if v.status == "READY")
        token = page.token
        if not token or len(late) < len(page):
            return


def aliases() -> dict[str, dict[str, str]]:
    """Return every registered model with its aliases: model to alias to version's number.

    Raises:
        RegistryError: the registry does not answer.
    """
    return aliases_among(["*"])


def aliases_among(patterns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what :func:`aliases` does, of the models that fit one of the patterns; MLflow reads no others.

    Raises:
        RegistryError: the registry does not answer.
    """
    with registry_errors("listed", "The models"):
        registry, found = client(), dict[str, dict[str, str]]()
        if unity.is_unity():
            return {name: _aliases(registry.get_registered_model(name)) for name in unity.models(registry, patterns)}
        for only in filters(patterns):
            token = None
            while True:
                page = registry.search_registered_models(only or None, max_results=PAGE, page_token=token)
                found |= {m.name: _aliases(m) for m in page}
                token = page.token
                if not token:
                    break
    return found


def filters(patterns: Sequence[str]) -> list[str]:
    """Return MLflow's conditions for models that fit patterns of a shell; one that is empty is no condition.

    Each takes in at least what fits: what MLflow's LIKE or its parser may read in another way stands for anything.

    Example:
        >>> filters(["fraud", "payments-*", "shop-[ab]"])
        ["name = 'fraud'", "name LIKE 'payments-%'", "name LIKE 'shop-%'"]
        >>> filters(["fraud", "*"])
        ['']
    """
    likes = dict.fromkeys(re.sub("%+", "%", _UNSAFE.sub("%", re.sub(r"\[.*", "*", each))) for each in patterns)
    if "%" in likes:
        return [""]
    return [f"name LIKE '{each}'" if "%" in each else f"name = '{each}'" for each in likes]


def move_alias(version: Version, alias: str) -> bool:
    """Move an alias to a version; False if another process moved it elsewhere at the same moment.

    MLflow has no compare-and-set: all that can be done is to look again afterwards.

    Raises:
        RegistryError: the registry does not answer.
    """
    if unity.is_open_source():
        raise RegistryError(f"{version.uri} was given no alias: {unity.OPEN_SOURCE}.")
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
        tags=unity.read(version.tags or {}),
    )


def model_id(version: Any) -> str:
    """Return the LoggedModel behind a version, read from its source, or the empty string."""
    match = re.match(r"^models:/(m-[0-9a-f]+)$", version.source or "")
    return getattr(version, "model_id", None) or (match[1] if match else "")


def _aliases(model: Any) -> dict[str, str]:
    return {alias: str(number) for alias, number in (model.aliases or {}).items()}


def _says_missing(error: Exception) -> bool:
    """Return whether a registry says that there is no such thing; Unity Catalog has a code of its own for each kind."""
    codes = {getattr(error, "error_code", ""), (getattr(error, "json", None) or {}).get("error_code", "")}
    if codes & {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
        return True
    return unity.is_unity() and any(code in unity.MISSING for code in codes)


def _missing(registry: Any, name: str, number: str | None, alias: str | None) -> str:
    """Return the message for what is missing; a registry may be too long to list, so the model itself is asked for."""
    try:
        found = Listing((name,), _numbers(registry, name), _aliases(registry.get_registered_model(name)))
    except Exception as error:
        if not _says_missing(error):
            raise
        found = Listing(tuple(m.name for m in registry.search_registered_models()))
    return missing(found, name, number, alias)


def _numbers(registry: Any, name: str) -> dict[str, str]:
    listed = unity.versions(registry, name) if unity.is_unity() else registry.search_model_versions(_only(name))
    return {str(v.version): v.run_id or "" for v in listed}


def _only(name: str) -> str:
    """Return MLflow's condition for one model, and maybe others; its parser knows no escapes."""
    quote = next((each for each in "'\"" if each not in name), "")
    return f"name = {quote}{name}{quote}" if quote else filters([name])[0]
