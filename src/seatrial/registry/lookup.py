"""The registry of an address, and the operations that are the same for every registry.

What a trial needs is imported where it is used: capture stores a reference beside nothing but pandas and pyarrow.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from seatrial import plugins
from seatrial.errors import RegistryError, UsageError, VersionNotFound, nearest
from seatrial.events import Verdict
from seatrial.io.bundle import directory_digest
from seatrial.registry.capabilities import HasTracker, ListsAliases, ListsByPattern, StoresReferences
from seatrial.registry.protocol import MLFLOW, Fetched, Registry, RunStore, Tracker, Version

DAY = 86_400.0  # seconds


def of(uri: str) -> Registry:
    """Return the registry of an address such as ``models:/payments/1``.

    Raises:
        UsageError: the address has no scheme, or one that no installed registry has.
    """
    scheme, colon, _ = uri.partition(":")
    known = plugins.names("registries")
    if not colon or scheme not in known:
        others = f" Registries: {', '.join(f'{each}:' for each in known)}." if len(known) > 1 else ""
        hint = nearest(scheme, known) if colon else ""
        raise UsageError(
            f"'{uri}' is not the URI of a model version. Write {MLFLOW}:/NAME/VERSION or {MLFLOW}:/NAME@ALIAS."
            f"{others}{hint}"
        )
    return named(scheme)


@cache
def named(scheme: str) -> Registry:
    """Return the registry of a scheme, made once.

    Raises:
        UsageError: no installed package has it, with the nearest name; or what it has is no registry.

    Example:
        >>> type(named("models")).__name__
        'MLflowRegistry'
    """
    made = plugins.load("registries", scheme)()
    if not isinstance(made, Registry):
        raise plugins.misfit("registries", scheme, "a seatrial.registry.Registry", made)
    return made


def resolve(uri: str) -> Version:
    """Return the version that an address means now.

    Raises:
        UsageError: no such address.
        VersionNotFound: there is no such model, version or alias.
        RegistryError: the registry does not answer.
    """
    return of(uri).resolve(uri)


def fetch(version: Version, into: Path) -> Fetched:
    """Download the version's model and reference below ``into``.

    Raises:
        RegistryError: the registry does not answer, or the files cannot be downloaded.
        ReferenceInvalid: the version carries no reference, or one that is damaged or of another run.
    """
    into.mkdir(parents=True, exist_ok=True)
    registry = of(version.uri)
    model = registry.fetch(version, into / "model")
    reference = registry.reference(version, into / "reference")
    return Fetched(version, model, directory_digest(model), reference)


def present(uri: str) -> Version | None:
    """Return the version as it is registered now, or None where it is not.

    Raises:
        RegistryError: the registry does not answer.
    """
    try:
        return resolve(uri)
    except VersionNotFound:
        return None


def reachable(uri: str) -> bool:
    """Return whether the registry of an address answers: it is asked for what is to be registered tomorrow.

    The look-up of the version itself may be all that fails.
    """
    try:
        of(uri).changed_since((time.time() + DAY) * 1000)
    except Exception:  # noqa: BLE001  any failure is the answer
        return False
    return True


def changed_among(registry: Registry, patterns: Sequence[str], since: float = 0.0) -> Sequence[Version]:
    """Return what changed at ``since`` or later, newest first, of the models that fit a pattern, and maybe of others.

    Raises:
        RegistryError: the registry does not answer.
    """
    if isinstance(registry, ListsByPattern):
        return registry.changed_among(patterns, since)
    return registry.changed_since(since)


def aliases(registry: Registry, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, str]]:
    """Return the models that fit a pattern, and maybe others, with their aliases: model to alias to version's number.

    Raises:
        RegistryError: the registry does not answer.
    """
    if isinstance(registry, ListsByPattern):
        return registry.aliases_among(patterns)
    if isinstance(registry, ListsAliases):
        return registry.aliases()
    found = defaultdict[str, dict[str, str]](dict)
    for version in registry.changed_since():
        found[version.name] |= dict.fromkeys(version.aliases, version.number)
    return found


def references(version: Version) -> StoresReferences:
    """Return the registry of a version as one that takes references.

    Raises:
        RegistryError: it takes none.
    """
    registry = of(version.uri)
    if not isinstance(registry, StoresReferences):
        raise RegistryError(
            f"The registry of {version.uri} stores no references. Capture where the model is trained: "
            "seatrial.capture(pipeline, requests, model=…), and log the folder it returns as the registry's page says."
        )
    return registry


def run_store(uri: str) -> RunStore | None:
    """Return where the registry of an address logs verdicts and reads them back; None where it stores none."""
    registry = of(uri)
    return registry.tracker if isinstance(registry, HasTracker) else None


def tracker(name: str, state: Path) -> Tracker:
    """Return one of a project's trackers.

    Args:
        name: as ``trackers`` of ``[tool.seatrial]`` has it.
        state: the project's state directory.

    Raises:
        UsageError: no installed package has it, with the nearest name; or what it has is no tracker.
    """
    made = plugins.load("trackers", name)(state)
    if not isinstance(made, Tracker):
        raise plugins.misfit("trackers", name, "a seatrial.registry.Tracker", made)
    return made


def with_alias(scheme: str, name: str, alias: str) -> Version | None:
    """Return the version of a model that has an alias; None only where the registry says that no version has it.

    Raises:
        RegistryError: the registry does not answer. It is never taken for a model without a champion.
    """
    try:
        return named(scheme).resolve(f"{scheme}:/{name}@{alias}")
    except VersionNotFound:
        return None


def record(verdict: Verdict, fetched: Fetched, artifacts: Path, page: str = "") -> str:
    """Log part of a validation, which is no verdict on the version, and return the run's id.

    Args:
        verdict: the result.
        fetched: the version.
        artifacts: a directory to log: report, JUnit, JSON, suites.
        page: the address of the flow run's page.

    Raises:
        RegistryError: the registry does not answer.
    """
    from seatrial.registry.runs import run_payload

    store = run_store(fetched.version.uri)
    return store.log_run(run_payload(verdict, fetched, " (partial)", page), artifacts) if store else ""
