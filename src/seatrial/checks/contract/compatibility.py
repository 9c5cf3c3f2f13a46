"""Compare the OpenAPI of the live service with the champion's, or with the document that a team has pinned."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.events import Attachment, Event, Finding, Measurement, Severity
from seatrial.openapi.changes import Compat, ContractChange
from seatrial.openapi.diff import openapi_diff
from seatrial.openapi.document import is_openapi, operations
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial

DOCUMENT = "openapi.json"
SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING, "allow": Severity.INFO}


def compare_documents(name: str, trial: Trial, document: Mapping[str, Any] | None, reason: str) -> Iterator[Event]:
    """Yield the findings of the comparison, and the document to store with the verdict.

    Args:
        name: the name of the check that reports.
        trial: the trial whose pinned document or champion contract is compared with.
        document: the OpenAPI document of the live service, None where there is none.
        reason: why there is none, as a sentence; empty where the service declares none.
    """
    before, source = _before(trial)
    if document is not None:
        yield Attachment(name, SERVICE, DOCUMENT, json.dumps(document, indent=1, sort_keys=True).encode())
    if before is None:
        yield from _nothing_to_compare(name, trial, document, reason)
        return
    if document is None:
        yield Finding(
            name, SERVICE,
            f"The service has no OpenAPI document to compare with that of {source}: "
            f"{reason or 'its Service declares openapi=None.'}",
            cause="no-openapi", advice="Serve the document at the path in Service(openapi=…).",
        )  # fmt: skip
        return
    changes = openapi_diff(before, document)
    rows = [{k: str(v) for k, v in vars(c).items()} for c in changes]
    yield Attachment(name, SERVICE, "openapi-changes.json", json.dumps(rows, indent=1).encode())
    for compat in Compat:
        yield Measurement(name, SERVICE, f"openapi {compat.value} changes", sum(c.compat is compat for c in changes))
    for change in changes:
        if change.compat is not Compat.COMPATIBLE:
            yield _finding(name, change, source, SEVERITIES[trial.policy.contract.unknown_changes])


def compared(trial: Trial, document: Mapping[str, Any] | None) -> int:
    """Return how many operations were compared."""
    before, _ = _before(trial)
    return len(operations(before)) if before is not None and is_openapi(before) and document is not None else 0


def _before(trial: Trial) -> tuple[Mapping[str, Any] | None, str]:
    """Return the document to compare with and its source; a pinned document takes precedence over the champion's."""
    pinned = trial.policy.pinned.openapi
    if pinned is not None:
        return pinned, "expectations/contract"
    champion = trial.champion_contract
    return (champion.openapi, f"champion version {champion.version}") if champion else (None, "")


def _nothing_to_compare(name: str, trial: Trial, document: Mapping[str, Any] | None, reason: str) -> Iterator[Finding]:
    if document is None and reason:
        service = trial.pipeline.service
        own = service is not None and service.predict.startswith("/")  # a model server has its protocol instead
        yield Finding(
            name, SERVICE, f"The OpenAPI was not compared, because the service has no document: {reason}",
            cause="no-openapi", severity=Severity.WARNING if own else Severity.INFO,
            advice="Set its path in Service(openapi=…), or openapi=None where the service has no document.",
        )  # fmt: skip
    champion = trial.champion_contract
    if document is not None and champion is not None:
        yield Finding(
            name, SERVICE,
            f"The OpenAPI was not compared, because champion version {champion.version} has no stored document: "
            f"{champion.reason}.",
            cause="nothing-to-compare", severity=Severity.INFO,
            advice="Validate the champion again, or pin its document as expectations/contract/openapi.json.",
        )  # fmt: skip


def _finding(name: str, change: ContractChange, source: str, unknown: Severity) -> Finding:
    breaking = change.compat is Compat.BREAKING
    who = "requests of existing callers" if change.side == "request" else "readers of its answers"
    place = " ".join(part for part in (change.operation, change.side) if part)
    field = f", field '{change.field}'" if change.field else ""
    effect = f"This breaks {who}." if breaking else f"It is not known whether this breaks {who}."
    return Finding(
        name, SERVICE, f"{place[0].upper()}{place[1:]}{field}: {change.message} {effect}",
        column=change.field.split(".")[-1].removesuffix("[]") or None if change.field else None,
        severity=Severity.ERROR if breaking else unknown,
        cause=f"openapi-{change.kind}",
        advice=f"Keep the field or operation of {source} beside the new one, or agree on the change with its consumers "
        "and pin the new document as expectations/contract/openapi.json.",
        evidence={"class": change.compat.value, "side": change.side, "operation": change.operation,
                  "field": change.field, "path": change.path},
    )  # fmt: skip
