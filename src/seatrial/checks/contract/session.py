"""What the parts of the contract check share: the live service, its OpenAPI, and requests it knows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from seatrial.checks.contract.fields import declared_by_schema, declared_by_signature, guessed
from seatrial.checks.contract.signature import inputs_of
from seatrial.checks.serving.service import LiveService
from seatrial.errors import AnswerError
from seatrial.openapi.document import answer_schema, body_schema, documented_path, is_openapi
from seatrial.policy.service import Contract
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import Connection, Declared, Probe, Probeable, ProbePlan
from seatrial.trial import Trial


@dataclass(frozen=True)
class Session:
    """One live service under the contract check.

    Attributes:
        http: to the service, from its root.
        path: of its prediction; None where it speaks a protocol that is not probed here.
        document: its OpenAPI, None where it has none.
        plan: sound requests and probes that its target brings; None where it brings none.
    """

    trial: Trial
    live: LiveService
    http: Http
    settings: Contract
    path: str | None
    document: Mapping[str, Any] | None
    plan: ProbePlan | None

    @property
    def over_http(self) -> bool:
        """Whether predictions are requested over ``http``."""
        return self.plan is None or self.plan.connect is None

    @property
    def asked(self) -> Connection:
        """Where predictions are asked."""
        return self.http if self.over_http else cast(Connection, self.live.target)

    def headers(self, content_type: str) -> dict[str, str] | None:
        """Return the headers of a request; a protocol that is not HTTP has none."""
        return {"content-type": content_type} if self.over_http else None

    def alone(self) -> AbstractContextManager[Connection]:
        """Return another connection to the same, to be used in a ``with`` block."""
        seconds = self.settings.seconds
        if self.plan is not None and self.plan.connect is not None:
            return self.plan.connect(seconds)
        return self.live.root(seconds=seconds, connections=1)

    @property
    def operation(self) -> str:
        """The operation of a prediction, as the diff names it."""
        path = self.path or ""
        return f"POST {documented_path(self.document, path) if self.document is not None else path}"

    def plain(self) -> list[bytes]:
        """Return the bodies of requests that a sound service answers."""
        return list(self.plan.sound) if self.plan is not None else []

    def probes(self, at: int) -> list[Probe]:
        """Return the fixed probes, made of the sound request at this place."""
        return list(self.plan.probes(at, self.declared)) if self.plan is not None else []

    @property
    def declared(self) -> Declared:
        """What is declared of a request's fields, by the OpenAPI or the model's signature."""
        found, plan = None, self.plan
        if plan is None or not plan.records:
            return guessed({})
        if self.document is not None and plan.declared_by == "openapi":
            found = declared_by_schema(self.document, body_schema(self.document, self.operation))
        if found is None and plan.declared_by == "signature" and self.trial.model_path is not None:
            try:
                inputs = inputs_of(self.trial.model_path)
            except ValueError:
                inputs = None
            found = declared_by_signature(inputs) if inputs else None
        return found or guessed(plan.records[0])

    def schema_of(self, status: int) -> tuple[bool, Any]:
        """Return whether the OpenAPI documents this status of a prediction, and the schema of its body."""
        return (False, None) if self.document is None else answer_schema(self.document, self.operation, status)

    def without_varying(self, response: Response) -> Any:
        """Return an answer without what is declared to vary, or None where there is none to compare."""
        try:
            told = response.json() if response.ok else None
        except AnswerError:
            return None
        varying = {*self.trial.policy.golden.varying, *(self.plan.varying if self.plan is not None else ())}
        return {k: v for k, v in told.items() if k not in varying} if isinstance(told, dict) else told


def ground_of(trial: Trial, live: LiveService, http: Http, document: Mapping[str, Any] | None) -> Session:
    """Return the ground of a trial's live service."""
    target = live.target
    plan = target.probe_plan(_requests(trial, live)) if isinstance(target, Probeable) else None
    return Session(trial, live, http, trial.policy.contract, plan.path if plan else None, document, plan)


def fetch_openapi(http: Http, path: str) -> tuple[Mapping[str, Any] | None, str]:
    """Return the OpenAPI that a service tells, or None and why not.

    Raises:
        TargetError: nobody answered.
    """
    response = http.send(path=path, method="GET")
    if not response.ok:
        return None, f"'{path}' answers {response.status}."
    try:
        document = response.json()
    except AnswerError as error:
        return None, f"'{path}': {error}"
    return (document, "") if is_openapi(document) else (None, f"'{path}' is no OpenAPI 3 document.")


def _requests(trial: Trial, live: LiveService) -> pd.DataFrame:
    """Return what the service is sent: the requests, or what the stage that it serves was fed."""
    stage = live.service.serves
    return trial.reference.requests if stage is None else trial.input_of(stage)
