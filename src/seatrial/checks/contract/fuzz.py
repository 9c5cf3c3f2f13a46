"""Generated requests: what the OpenAPI allows must be answered as it says, what it excludes must be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from seatrial.checks.contract.generate import GenerationError, GeneratorMissingError, generate
from seatrial.checks.contract.send import judge_all, send
from seatrial.checks.contract.session import Session
from seatrial.events import Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.openapi.conformance import conforms
from seatrial.openapi.document import body_schema, documented_path, operations
from seatrial.openapi.schema import UnreadableError
from seatrial.pipeline import SERVICE
from seatrial.policy.service import GENERATED
from seatrial.targets.probes.base import Expect, Probe

BATCH_SHARE = 0.25  # of the requests go to the path that takes batches, where there is one


def ask_generated(name: str, ground: Session) -> Iterator[Event]:
    """Send generated requests within the budget and yield what is wrong with the answers."""
    settings, seed = ground.settings, ground.trial.seed
    total = GENERATED if settings.generated is None else settings.generated
    if not total or ground.document is None or ground.path is None or not ground.over_http:
        return
    batch = ground.live.service.batch
    many = {ground.path: total - int(total * BATCH_SHARE) * bool(batch)}
    if batch:
        many[batch] = total - many[ground.path]
    sent = 0
    for path, count in many.items():
        here = replace(ground, path=path)
        if here.operation not in operations(ground.document):
            yield Finding(
                name, SERVICE, f"The OpenAPI does not document {here.operation}, so no requests were generated for it.",
                severity=Severity.INFO, cause="not-documented",
            )  # fmt: skip
            continue
        try:
            bodies = generate(
                ground.document,
                documented_path(ground.document, path),
                "POST",
                count=count,
                seed=seed,
                seconds=settings.generated_seconds / 4,
            )
        except GeneratorMissingError as error:
            if settings.generated is None:
                yield Finding(name, SERVICE, f"Not asked: {error}.", severity=Severity.INFO, cause="not-installed")
            else:
                yield NotEvaluated(name, SERVICE, str(error))
            return
        except GenerationError as error:
            yield NotEvaluated(name, SERVICE, str(error))
            return
        asked = [_probe(here, body) for body in bodies]
        told = send(here, asked, seconds=settings.generated_seconds / 2)
        for finding in judge_all(name, here, told):
            yield _seeded(finding, seed)
        if missing := sum(each.told is None for each in told):
            yield NotEvaluated(name, SERVICE, f"{missing:,} of {count:,} generated requests could not be sent in time")
        sent += len(told)
    yield Measurement(name, SERVICE, f"generated requests, seed {seed}", sent, "requests")


def _probe(ground: Session, body: bytes) -> Probe:
    """Return a generated request; it must be refused where it breaks what the OpenAPI says of it for certain."""
    assert ground.document is not None
    try:
        broken = conforms(ground.document, body_schema(ground.document, ground.operation), json.loads(body))
    except (UnreadableError, ValueError):
        broken = ""
    if broken:
        return Probe("excluded", f"a request that its OpenAPI excludes ({broken})", body)
    return Probe("generated", "a generated request that its OpenAPI allows", body, Expect.EITHER)


def _seeded(finding: Finding, seed: int) -> Finding:
    return replace(
        finding, message=f"{finding.message} Generated with seed {seed}.", evidence={**finding.evidence, "seed": seed}
    )
