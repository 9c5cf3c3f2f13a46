"""Send generated requests: the service must answer those that its OpenAPI allows and refuse those that it excludes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from seatrial.checks.contract.blame import blamed
from seatrial.checks.contract.generate import GeneratorMissingError, generate
from seatrial.checks.contract.send import problem_findings, send
from seatrial.checks.contract.session import Session
from seatrial.events import Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.formatting import part_of
from seatrial.openapi.document import body_schema, documented_path, operations
from seatrial.openapi.references import UnreadableError
from seatrial.openapi.schemas.conformance import conforms
from seatrial.pipeline import SERVICE
from seatrial.policy.service import GENERATED
from seatrial.targets.probes.base import Expect, Probe

BATCH_SHARE = 0.25  # of the requests go to the batch path, where there is one


def send_generated(name: str, session: Session) -> Iterator[Event]:
    """Send generated requests within their budget and yield the findings of their answers."""
    settings, seed = session.settings, session.trial.seed
    total = GENERATED if settings.generated_requests is None else settings.generated_requests
    if not total or session.document is None or session.path is None or not session.over_http:
        return
    if session.plan is not None and session.plan.message is not None:
        return  # a hook writes the requests, and no generator knows their form
    batch = session.live.service.batch
    counts = {session.path: total - int(total * BATCH_SHARE) * bool(batch)}
    if batch:
        counts[batch] = total - counts[session.path]
    sent = 0
    # A generated request may hold any number of records: the OpenAPI alone says what answers it.
    plan = session.plan and replace(session.plan, read=None)
    for path, count in counts.items():
        here = replace(session, path=path, plan=plan)
        if here.operation not in operations(session.document):
            yield Finding(
                name, SERVICE,
                f"No requests were generated for {here.operation}, because the OpenAPI does not document it.",
                severity=Severity.INFO, cause="not-documented", advice=f"Document {here.operation} in the OpenAPI.",
            )  # fmt: skip
            continue
        if body_schema(session.document, here.operation) is None:
            yield Finding(
                name, SERVICE, f"No requests were generated for {here.operation}, because its OpenAPI has no schema of "
                "a JSON request.", severity=Severity.INFO, cause="not-documented",
                advice=f"Document the request of {here.operation}, where the server lets you.",
            )  # fmt: skip
            continue
        try:
            generated = generate(
                session.document, documented_path(session.document, path), "POST", count=count, seed=seed,
                seconds=settings.generated_seconds / len(counts),
            )  # fmt: skip
        except GeneratorMissingError as error:
            if settings.generated_requests is None:
                yield Finding(
                    name, SERVICE, str(error), severity=Severity.INFO, cause="not-installed",
                    advice="Install it to find requests that the fixed probes do not cover.",
                )  # fmt: skip
            else:
                yield NotEvaluated(name, SERVICE, str(error))
            return
        if generated.lacking:
            yield NotEvaluated(name, SERVICE, f"{generated.lacking}. Raise generated_seconds in [contract], or set "
                               "generated_requests = 0 to do without.")  # fmt: skip
        probes = [_probe(here, body) for body in generated.bodies]
        exchanges = send(here, probes, seconds=settings.generated_seconds / len(counts))
        for finding in problem_findings(name, here, blamed(here, exchanges)):
            yield _seeded(finding, seed)
        if unsent := sum(each.result is None for each in exchanges):
            reason = f"{part_of(unsent, len(exchanges), 'generated requests')} could not be sent in time"
            yield NotEvaluated(name, SERVICE, reason)
        sent += len(exchanges)
    yield Measurement(name, SERVICE, f"generated requests, seed {seed}", sent, "requests")


def _probe(session: Session, body: bytes) -> Probe:
    """Return a generated request as a probe; the service must refuse it where it certainly breaks the OpenAPI."""
    assert session.document is not None
    try:
        mismatch = conforms(session.document, body_schema(session.document, session.operation), json.loads(body))
    except (UnreadableError, ValueError):
        mismatch = ""
    if mismatch:
        return Probe("excluded", f"a generated request that the OpenAPI excludes ({mismatch})", body)
    return Probe("generated", "a generated request that the OpenAPI allows", body, Expect.EITHER)


def _seeded(finding: Finding, seed: int) -> Finding:
    message = f"{finding.message} The requests were generated with seed {seed}."
    return replace(finding, message=message, evidence={**finding.evidence, "seed": seed})
