"""The versions of a registry of Weights & Biases: the collections of the W&B Registry are the models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from seatrial.errors import UsageError, VersionNotFound, nearest
from seatrial.formatting import without_user
from seatrial.registry.early import Use
from seatrial.registry.protocol import Version
from seatrial.registry.wandb.client import PREFIX, REGISTRY, api, registry_errors, registry_name

SCHEME = "wandb"
AUTOMATIC = re.compile(r"latest|v\d+", re.ASCII)  # aliases that W&B itself sets
SHOWN = 8  # versions in a message
_URI = re.compile(r"wandb:/(?P<name>[^/:@]+)(?:/v?(?P<number>\d{1,10})|@(?P<alias>[^/:@]+))", re.ASCII)


def parts(uri: str) -> tuple[str, str]:
    """Return the collection, and the version or alias in it, of ``wandb:/NAME/VERSION`` or ``wandb:/NAME@ALIAS``.

    Raises:
        UsageError: not such a URI.

    Example:
        >>> parts("wandb:/payments/3"), parts("wandb:/payments@champion")
        (('payments', 'v3'), ('payments', 'champion'))
    """
    match = _URI.fullmatch(uri)
    if not match:
        raise UsageError(f"'{uri}' is not the URI of a model version. Write wandb:/NAME/VERSION or wandb:/NAME@ALIAS.")
    return match["name"], match["alias"] or f"v{int(match['number'])}"


def resolve(uri: str) -> Version:
    """Return the version that an address means now; W&B counts from 0.

    Raises:
        UsageError: none of its addresses.
        VersionNotFound: there is no such collection, version or alias.
        RegistryError: W&B does not answer, or there is no such registry.
    """
    name, reference = parts(uri)
    return version_of(find(name, reference))


def refuse(uri: str, use: Use) -> None:  # noqa: ARG001  whatever it is wanted for
    """Raise what the later look-up would: the package takes a second to import, and a validation tens to start.

    Raises:
        UsageError: none of its addresses.
        VersionNotFound: there is no such collection, version or alias.
        RegistryError: W&B does not answer, or there is no such registry.
    """
    find(*parts(uri))


def find(name: str, reference: str) -> Any:
    """Return the package's artifact of a version, by its ``v3`` or its alias.

    Raises:
        VersionNotFound: there is no such collection, version or alias.
        RegistryError: W&B does not answer, or there is no such registry.
    """
    client = api()
    with registry_errors("looked up", f"{SCHEME}:/{name}"):
        try:
            return client.artifact(f"{PREFIX}{registry_name()}/{name}:{reference}")
        except Exception as error:
            there = listed(name)  # says whether it is missing, whatever the error was
            if any(reference in (each.version, *each.aliases) for each in there):
                raise
            raise VersionNotFound(_missing(there, name, reference)) from error


def _missing(there: Sequence[Any], name: str, reference: str) -> str:
    if not there:
        return (
            f"The registry '{registry_name()}' of Weights & Biases has no collection '{name}' with a version. "
            f"Link one to it, or name another registry: {REGISTRY}=NAME"
        )
    numbers = sorted((int(each.version.removeprefix("v")) for each in there), reverse=True)[:SHOWN]
    known = sorted({alias for each in there for alias in each.aliases})
    return (
        f"Collection '{name}' has no version or alias '{reference}'. Newest versions: {', '.join(map(str, numbers))}. "
        f"Aliases: {', '.join(known) or 'none'}.{nearest(reference, known)} Try {SCHEME}:/{name}/{numbers[0]}."
    )


def listed(model: str = "") -> list[Any]:
    """Return the artifact of every version, or of every one of one collection."""
    client = api()
    with registry_errors("listed", "The versions"):
        registry = client.registry(registry_name())
        return list(registry.collections(filter={"name": model}).versions() if model else registry.versions())


def changed_since(since: float = 0.0, *, model: str = "") -> list[Version]:
    """Return every version that was changed or linked at ``since`` or later, the latest first.

    W&B orders or filters by the time of a change on some servers alone, so all are listed, a hundred in a request.

    Args:
        since: milliseconds since 1970 by the server's clock; 0 for all.
        model: this collection's alone.

    Raises:
        RegistryError: W&B does not answer.
    """
    found = [version_of(artifact) for artifact in listed(model) if _changed(artifact) >= since]
    return sorted(found, key=lambda version: version.changed, reverse=True)


def aliases() -> dict[str, dict[str, str]]:
    """Return every collection with its aliases: collection to alias to version's number.

    Raises:
        RegistryError: W&B does not answer.
    """
    found: dict[str, dict[str, str]] = {}
    for artifact in listed():
        number = artifact.version.removeprefix("v")
        held = found.setdefault(artifact.name.partition(":")[0], {})
        held |= {alias: number for alias in artifact.aliases if not AUTOMATIC.fullmatch(alias)}
    return found


def version_of(artifact: Any) -> Version:
    """Return a version as its artifact describes it."""
    run = source_run(artifact)
    return Version(
        name=artifact.name.partition(":")[0],
        number=artifact.version.removeprefix("v"),
        created=_milliseconds(artifact.linked_at or artifact.created_at),
        run_id=run.id if run else "",
        model_id=artifact.id,
        aliases=tuple(alias for alias in artifact.aliases if not AUTOMATIC.fullmatch(alias)),
        changed=_changed(artifact),
        registry=f"{without_user(api().settings['base_url'])}/{artifact.entity}/{artifact.project}",
        scheme=SCHEME,
        tags={name: value for name, value in artifact.metadata.items() if isinstance(value, str)},
    )


def source_run(artifact: Any) -> Any:
    """Return the run that logged an artifact, or None where there is none, or none any more."""
    from wandb.apis.public.runs import RunNotFoundError

    with registry_errors("looked up", f"The run of {artifact.name}"):
        try:
            return artifact.logged_by()
        except RunNotFoundError:
            return None


def move_alias(version: Version, alias: str) -> bool:
    """Move an alias to a version of its collection; False if another process moved it elsewhere at the same moment.

    Raises:
        RegistryError: W&B does not answer, or protects the alias from this API key.
    """
    reference = f"v{version.number}"
    artifact = find(version.name, reference)
    with registry_errors("given an alias", version.uri):
        if alias not in artifact.aliases:
            artifact.aliases.append(alias)
            artifact.save()
    return bool(find(version.name, alias).version == reference)


def _changed(artifact: Any) -> int:
    times = (artifact.created_at, artifact.updated_at, artifact.linked_at)
    return max(_milliseconds(time) for time in times if time)


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
