"""The registry of an address, and the operations that are the same for every registry.

What a trial needs is imported where it is used: capture stores a reference beside nothing but pandas and pyarrow.
"""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import plugins
from seatrial.errors import ReferenceInvalid, UsageError, VersionNotFound, nearest
from seatrial.events import Verdict
from seatrial.io import strict_json
from seatrial.io.bundle import directory_digest
from seatrial.openapi.document import is_openapi
from seatrial.registry.protocol import Fetched, Registry, Version

if TYPE_CHECKING:
    from seatrial.reference.champion import ChampionContract

OPENAPI, OPENAPI_BYTES = "openapi.json", 8 * 2**20  # of a verdict's run, and how much of it is read


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
            f"'{uri}' is not the URI of a model version. Write {known[0]}:/NAME/VERSION or {known[0]}:/NAME@ALIAS."
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
    model = registry.download_model(version, into / "model")
    reference = registry.fetch_reference(version, into / "reference")
    return Fetched(version, model, directory_digest(model), reference)


def with_alias(scheme: str, name: str, alias: str) -> Version | None:
    """Return the version of a model that has an alias; None only where the registry says that no version has it.

    Raises:
        RegistryError: the registry does not answer. It is never taken for a model without a champion.
    """
    try:
        return named(scheme).resolve(f"{scheme}:/{name}@{alias}")
    except VersionNotFound:
        return None


def champion_contract(version: Version, alias: str, into: Path) -> ChampionContract | None:
    """Return the contract of the version that has ``alias``; None where none has it.

    The OpenAPI is that of its last pass: a later verdict that failed may be of a service that broke its contract.

    Args:
        version: the one on trial.
        alias: of the champion.
        into: where the reference of the champion is downloaded to.
    """
    best = with_alias(version.scheme, version.name, alias)
    if best is None:
        return None
    document, reason = _stored_openapi(best)
    reference = None
    if best.number != version.number:
        with contextlib.suppress(ReferenceInvalid):
            reference = of(best.uri).fetch_reference(best, into).root
    from seatrial.reference.champion import ChampionContract

    return ChampionContract(best.number, document, reason, reference)


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

    return of(fetched.version.uri).tracker.log_run(run_payload(verdict, fetched, " (partial)", page), artifacts)


def _stored_openapi(version: Version) -> tuple[dict[str, Any] | None, str]:
    """Return the OpenAPI stored with the version's last pass, or None and why."""
    tracker = of(version.uri).tracker
    text = next(tracker.artifacts(version, OPENAPI, most_bytes=OPENAPI_BYTES, passed=True), None)
    if text is None:
        return None, f"none of at most {OPENAPI_BYTES:,} bytes is stored with a verdict that it passed"
    try:
        document = strict_json.loads(text, depth=500, any_text=True)
    except ValueError:
        document = None
    return (document, "") if is_openapi(document) else (None, "the stored one is no OpenAPI 3 document")
