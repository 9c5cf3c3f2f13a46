"""The state that the parts of the contract check share: the live service, its OpenAPI, and valid requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from seatrial.checks.contract.fields import declared_by_schema, declared_by_signature
from seatrial.checks.contract.meaning.signature import inputs_of
from seatrial.checks.serving.service import LiveService
from seatrial.errors import AnswerError, TargetError
from seatrial.openapi.document import answer_schema, body_schema, documented_path, is_openapi
from seatrial.policy.service import Contract
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import Connection, DeclaredFields, Probe, Probeable, ProbePlan
from seatrial.trial import Trial


@dataclass(frozen=True)
class Session:
    """One live service under the contract check.

    Attributes:
        trial: the trial.
        live: the live service.
        http: a client of the service's root path.
        settings: ``[contract]`` of service.toml.
        path: the path of predictions; None where the target has no probe plan.
        document: the service's OpenAPI, None where it has none.
        plan: the target's valid requests and probes; None where it has no probe plan.
    """

    trial: Trial
    live: LiveService
    http: Http
    settings: Contract
    path: str | None
    document: Mapping[str, Any] | None
    plan: ProbePlan | None

    @classmethod
    def of(cls, trial: Trial, live: LiveService, http: Http, document: Mapping[str, Any] | None) -> Session:
        """Return the session of a trial's live service."""
        target = live.target
        plan = target.probe_plan(_requests(trial, live)) if isinstance(target, Probeable) else None
        return cls(trial, live, http, trial.policy.contract, plan.path if plan else None, document, plan)

    @property
    def over_http(self) -> bool:
        """Whether predictions are requested over ``http``."""
        return self.plan is None or self.plan.connect is None

    @property
    def connection(self) -> Connection:
        """The connection on which predictions are requested."""
        return self.http if self.over_http else cast(Connection, self.live.target)

    def headers(self, content_type: str) -> dict[str, str] | None:
        """Return the headers of a request; None where the protocol is not HTTP."""
        return {"content-type": content_type} if self.over_http else None

    def separate_connection(self) -> AbstractContextManager[Connection]:
        """Return a new connection to the service; use it in a ``with`` block."""
        seconds = self.settings.timeout_seconds
        if self.plan is not None and self.plan.connect is not None:
            return self.plan.connect(seconds)
        return self.live.root(seconds=seconds, connections=1)

    @property
    def operation(self) -> str:
        """The operation of a prediction, as the OpenAPI names it: ``POST /score``."""
        path = self.path or ""
        return f"POST {documented_path(self.document, path) if self.document is not None else path}"

    def ask(self, body: bytes, content_type: str | None = None) -> Response:
        """Send a request by itself and return the response with its answer.

        Raises:
            TargetError: there is none.
        """
        with_type = content_type or (self.plan.content_type if self.plan is not None else "application/json")
        payload = self.payload(body, with_type)
        response = self.connection.send(payload, path=self.path, headers=self.headers(with_type))
        [last] = self.settled([response])
        if isinstance(last, TargetError):
            raise last
        return last or response

    def payload(self, body: bytes, content_type: str) -> Any:
        """Return a body as it is sent, with what a request of this service has beside it."""
        message = self.plan.message if self.plan is not None else None
        return body if message is None else message(body, content_type)

    def settled(self, results: Sequence[Response | TargetError | None]) -> Sequence[Response | TargetError | None]:
        """Return the last response to each request, where the service says that its answer is fetched later."""
        return results if self.plan is None or self.plan.settle is None else self.plan.settle(results)

    def read(self, response: Response) -> Any:
        """Return the answer in a response, as JSON values; AnswerError where it cannot be read."""
        return response.json() if self.plan is None or self.plan.read is None else self.plan.read(response)

    def valid_requests(self) -> list[bytes]:
        """Return the bodies of requests that a correct service answers."""
        return list(self.plan.valid) if self.plan is not None else []

    def probes(self, at: int) -> list[Probe]:
        """Return the fixed probes, made from the valid request at position ``at``."""
        return list(self.plan.probes(at, self.declared)) if self.plan is not None else []

    @property
    def declared(self) -> DeclaredFields:
        """The fields of a request: of the OpenAPI, of the model's signature, or learned from recorded requests."""
        found, plan = None, self.plan
        if plan is None or not plan.records:
            return DeclaredFields({})
        if self.document is not None and plan.declared_by == "openapi":
            found = declared_by_schema(self.document, body_schema(self.document, self.operation))
        if found is None and plan.declared_by == "signature" and self.trial.model_path is not None:
            try:
                inputs = inputs_of(self.trial.model_path)
            except ValueError:
                inputs = None
            found = declared_by_signature(inputs) if inputs else None
        return found or plan.learned or DeclaredFields({})

    def schema_of(self, status: int) -> tuple[bool, Any]:
        """Return whether the OpenAPI documents this status of a prediction, and the schema of its body."""
        return (False, None) if self.document is None else answer_schema(self.document, self.operation, status)

    def without_varying(self, response: Response) -> Any:
        """Return an answer without the fields declared as varying; None where there is no answer to compare."""
        try:
            answer = self.read(response) if response.ok else None
        except AnswerError:
            return None
        varying = {*self.trial.policy.golden.varying, *(self.plan.varying if self.plan is not None else ())}
        if isinstance(answer, list):
            return [{k: v for k, v in a.items() if k not in varying} if isinstance(a, dict) else a for a in answer]
        return {k: v for k, v in answer.items() if k not in varying} if isinstance(answer, dict) else answer


def fetch_openapi(http: Http, path: str) -> tuple[Mapping[str, Any] | None, str]:
    """Return the OpenAPI of a service and an empty string, or None and the reason as a sentence.

    Raises:
        TargetError: the service is not reachable.
    """
    response = http.send(path=path, method="GET")
    if not response.ok:
        return None, f"'{path}' returns status {response.status}."
    try:
        document = response.json()
    except AnswerError as error:
        return None, f"'{path}': {error}"
    return (document, "") if is_openapi(document) else (None, f"'{path}' returns no OpenAPI 3 document.")


def _requests(trial: Trial, live: LiveService) -> pd.DataFrame:
    """Return the recorded requests of the service: those of the path, or the input of the stage that it serves."""
    stage = live.service.serves
    return trial.reference.requests if stage is None else trial.input_of(stage)
