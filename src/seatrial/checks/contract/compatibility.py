"""The OpenAPI of the live service against the one of the version that is promoted, or that a team has pinned."""

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
WEIGHS = {"error": Severity.ERROR, "warning": Severity.WARNING, "allow": Severity.INFO}


def compare_documents(name: str, trial: Trial, document: Mapping[str, Any] | None, why: str) -> Iterator[Event]:
    """Yield the findings of the comparison, and the document to keep with the verdict."""
    before, whose = _before(trial)
    if document is not None:
        yield Attachment(name, SERVICE, DOCUMENT, json.dumps(document, indent=1, sort_keys=True).encode())
    if before is None:
        if document is None and why:
            service = trial.pipeline.service
            own = service is not None and service.predict.startswith("/")  # model servers have protocols in its place
            yield Finding(
                name, SERVICE, f"There is no OpenAPI to judge: {why}", cause="no-openapi",
                severity=Severity.WARNING if own else Severity.INFO,
                advice="Say where it is with Service(openapi=…), or openapi=None where the service has none.",
            )  # fmt: skip
        if document is not None and trial.champion_contract is not None:
            yield Finding(
                name, SERVICE, f"The OpenAPI was compared with nothing. Of {whose}: {trial.champion_contract.why}.",
                cause="nothing-to-compare", severity=Severity.INFO,
                advice="Validate that version again, or pin its document as expectations/contract/openapi.json.",
            )  # fmt: skip
        return
    if document is None:
        yield Finding(
            name, SERVICE, f"The OpenAPI of {whose} has no successor: {why or 'the service declares none.'}",
            cause="no-openapi", advice="Serve it at the path that Service(openapi=…) names.",
        )  # fmt: skip
        return
    changes = openapi_diff(before, document)
    told = [{k: str(v) for k, v in vars(c).items()} for c in changes]
    yield Attachment(name, SERVICE, "openapi-changes.json", json.dumps(told, indent=1).encode())
    for compat in Compat:
        yield Measurement(name, SERVICE, f"openapi {compat.value} changes", sum(c.compat is compat for c in changes))
    for change in changes:
        if change.compat is not Compat.COMPATIBLE:
            yield _finding(name, change, whose, WEIGHS[trial.policy.contract.unknown_changes])


def compared(trial: Trial, document: Mapping[str, Any] | None) -> int:
    """Return how many operations were compared."""
    before, _ = _before(trial)
    return len(operations(before)) if before is not None and is_openapi(before) and document is not None else 0


def _before(trial: Trial) -> tuple[Mapping[str, Any] | None, str]:
    """Return what is compared with: a pinned document is a team's own word, and goes before the promoted one."""
    pinned = trial.policy.pinned.openapi
    if pinned is not None:
        return pinned, "expectations/contract"
    champion_contract = trial.champion_contract
    return (
        (champion_contract.openapi, f"version {champion_contract.version}, the promoted one")
        if champion_contract
        else (None, "")
    )


def _finding(name: str, change: ContractChange, whose: str, unknown: Severity) -> Finding:
    breaking = change.compat is Compat.BREAKING
    who = "Requests as they are sent today" if change.side == "request" else "Readers of the answers"
    place = f"{change.where} · {change.side}" if change.where else change.side
    field = f" · {change.field}" if change.field else ""
    means = f"{who} break." if breaking else "Whether that breaks anyone cannot be told."
    return Finding(
        name, SERVICE, f"{place}{field}: {change.words} {means}",
        column=change.field.split(".")[-1].removesuffix("[]") or None if change.field else None,
        severity=Severity.ERROR if breaking else unknown,
        cause=f"openapi-{change.what}",
        advice=f"Keep what {whose} promises beside the new, or agree with those who ask and pin the new document as "
        "expectations/contract/openapi.json.",
        evidence={"class": change.compat.value, "side": change.side, "operation": change.where, "field": change.field},
    )  # fmt: skip
