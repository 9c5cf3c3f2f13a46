"""The champion of a model: the version that an alias is on, its model, and what its users rely on."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import ReferenceInvalid
from seatrial.io import strict_json
from seatrial.openapi.document import is_openapi
from seatrial.registry.lookup import of, run_store, with_alias
from seatrial.registry.protocol import Fetched, Version

if TYPE_CHECKING:
    from seatrial.reference.champion import ChampionContract

OPENAPI, OPENAPI_BYTES = "openapi.json", 8 * 2**20  # of a verdict's run, and how much of it is read


def champion_model(fetched: Fetched, alias: str) -> Path | None:
    """Download the model of the version with an alias beside a version's own; None where that is this version, or none.

    Raises:
        RegistryError: the registry does not answer.
    """
    version = fetched.version
    champion = with_alias(version.scheme, version.name, alias)
    if champion is None or champion.number == version.number:
        return None
    return of(champion.uri).fetch(champion, fetched.model.parent / "champion")


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
            reference = of(best.uri).reference(best, into).root
    from seatrial.reference.champion import ChampionContract

    return ChampionContract(best.number, document, reason, reference)


def _stored_openapi(version: Version) -> tuple[dict[str, Any] | None, str]:
    """Return the OpenAPI stored with the version's last pass, or None and why."""
    tracker = run_store(version.uri)
    if tracker is None:
        return None, f"the registry of '{version.scheme}:' stores no files with its verdicts"
    text = next(tracker.artifacts(version, OPENAPI, most_bytes=OPENAPI_BYTES, passed=True), None)
    if text is None:
        return None, f"none of at most {OPENAPI_BYTES:,} bytes is stored with a verdict that it passed"
    try:
        document = strict_json.loads(text, depth=500, any_text=True)
    except ValueError:
        document = None
    return (document, "") if is_openapi(document) else (None, "the stored one is no OpenAPI 3 document")
