"""Versions: looked up and listed; aliases as custom properties of the registered model.

``alias.champion`` of a model is the *name* of a version, as people and KServe's URIs write it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.errors import VersionNotFound, nearest
from seatrial.registry.kubeflow.addresses import SCHEME, Address, read
from seatrial.registry.kubeflow.client import SECONDS, absent, ask, base_url, every, host, properties
from seatrial.registry.protocol import Version

ALIAS = "alias."  # of a registered model's custom property, followed by the alias
SHOWN = 10


def resolve(uri: str) -> Version:
    """Return the version that a URI means now; see :func:`seatrial.registry.kubeflow.addresses.read`."""
    address = read(uri, host())

    async def question(api: Any) -> Version:
        model = await _model(api, address.model)
        return _version(model, await _found(api, model, address))

    return ask(question, f"{uri} cannot be looked up.")


def version_of(number: str) -> Version:
    """Return a version by its id alone."""

    async def question(api: Any) -> Version:
        found = await by_id(api, number, f"The version with the id {number}")
        model = await api.get_registered_model(found.registered_model_id, _request_timeout=SECONDS)
        return _version(model, found)

    return ask(question, f"The version with the id {number} cannot be looked up.")


def changed_since(since: float = 0.0, *, model: str = "") -> Sequence[Version]:
    """Return the versions that were last changed at ``since`` or later, newest first; archived ones are left out."""

    async def question(api: Any) -> list[Version]:
        if model:
            try:
                models = [await _model(api, model)]
            except VersionNotFound:
                return []
            listed = await every(api.get_registered_model_versions, models[0].id)
        else:
            models = await every(api.get_registered_models)
            listed = await every(api.get_model_versions)
        by_id = {each.id: each for each in models if _live(each)}
        return [
            _version(by_id[v.registered_model_id], v) for v in listed if v.registered_model_id in by_id and _live(v)
        ]

    found = ask(question, "Versions cannot be listed.")
    recent = (version for version in found if version.changed >= since)
    return sorted(recent, key=lambda version: (version.changed, int(version.number)), reverse=True)


def aliases() -> Mapping[str, Mapping[str, str]]:
    """Return every registered model that has aliases: model to alias to version's number."""

    async def question(api: Any) -> dict[str, dict[str, str]]:
        found = {}
        for model in await every(api.get_registered_models):
            if on := aliases_of(model):
                numbers = {v.name: v.id for v in await every(api.get_registered_model_versions, model.id)}
                found[model.name] = {alias: numbers[name] for alias, name in on.items() if name in numbers}
        return found

    return ask(question, "Aliases cannot be listed.")


async def _model(api: Any, name: str) -> Any:
    """Return the registered model of a name; VersionNotFound with the nearest name where there is none."""
    from mr_openapi.exceptions import NotFoundException

    found = None
    with contextlib.suppress(NotFoundException):
        found = await api.find_registered_model(name=name, _request_timeout=SECONDS)
    if found is not None and found.name == name:
        return found
    models = {each.name: each for each in await every(api.get_registered_models)}
    if name in models:  # the registry takes "_" and "%" of a name for wildcards, and finds several or another one
        return models[name]
    known = ", ".join(sorted(models)[:SHOWN]) or "none"
    raise VersionNotFound(
        f"There is no registered model '{name}'. Registered: {known}.{nearest(name, models)} Looked in {base_url()}."
    )


async def _found(api: Any, model: Any, address: Address) -> Any:
    """Return the version of a model that an address names; VersionNotFound with those that are there."""
    if address.id:
        with contextlib.suppress(VersionNotFound):
            named = await by_id(api, address.id, "")
            if named.registered_model_id == model.id:
                return named
    versions = await every(api.get_registered_model_versions, model.id)
    by_name = {each.name: each for each in versions}
    on = aliases_of(model)
    if address.alias and address.alias not in on:
        known = ", ".join(sorted(on)) or "none"
        hint = nearest(address.alias, on)
        raise VersionNotFound(f"Model '{model.name}' has no alias '{address.alias}'. Aliases: {known}.{hint}")
    name = on[address.alias] if address.alias else address.version
    if name in by_name:
        return by_name[name]
    shown = ", ".join(f"{each.name} (id {each.id})" for each in sorted(versions, key=lambda v: int(v.id))[-SHOWN:])
    what, hint = f"named '{name}'", nearest(name, by_name)
    if address.id:
        what = f"with the id {address.id}"
        hint = f" By its name: {SCHEME}://{model.name}/{address.id}." if address.id in by_name else ""
    raise VersionNotFound(f"Model '{model.name}' has no version {what}. Versions: {shown or 'none'}.{hint}")


async def by_id(api: Any, number: str, what: str) -> Any:
    """Return a version as the API has it; VersionNotFound where the registry says that there is none."""
    from mr_openapi.exceptions import NotFoundException

    try:
        return await api.get_model_version(number, _request_timeout=SECONDS)
    except NotFoundException as error:
        if not absent(error):
            raise
        raise VersionNotFound(f"{what} is no longer registered.") from error


def _version(model: Any, found: Any) -> Version:
    held = tuple(sorted(alias for alias, name in aliases_of(model).items() if name == found.name))
    return Version(
        name=model.name,
        number=found.id,
        created=int(found.create_time_since_epoch or 0),
        run_id=found.id,  # a reference is stored with the version itself: it has no run
        model_id="",
        aliases=held,
        changed=int(found.last_update_time_since_epoch or 0),
        registry=base_url(),
        scheme=SCHEME,
        tags=properties(found),
    )


def aliases_of(model: Any) -> dict[str, str]:
    """Return the aliases of a registered model, each with the name of the version that it is on."""
    held = properties(model)
    return {
        name.removeprefix(ALIAS): to for name, to in held.items() if name.startswith(ALIAS) and name != ALIAS and to
    }


def _live(entity: Any) -> bool:
    return str(getattr(entity.state, "value", entity.state)) != "ARCHIVED"
