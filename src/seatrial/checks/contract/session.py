"""What the parts of the contract check share: the live service, its OpenAPI, and requests it knows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seatrial.checks.contract.fields import Declared, declared_by_schema, declared_by_signature, guessed
from seatrial.checks.contract.probes.grpc import message_probes
from seatrial.checks.contract.probes.records import Envelope, Probe, probes
from seatrial.checks.contract.probes.tensors import tensor_probes
from seatrial.checks.contract.signature import inputs_of
from seatrial.checks.serving.service import Live
from seatrial.errors import AnswerError
from seatrial.io import frame_json
from seatrial.openapi.document import answer_schema, body_schema, documented_path, is_openapi
from seatrial.policy.service import Contract
from seatrial.process.running import Running
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.mlflow import MLflow
from seatrial.targets.oip.grpc import OipGrpc
from seatrial.targets.oip.rest import Oip
from seatrial.targets.rest import Rest
from seatrial.trial import Trial

SHOWN = 6  # of the reference's requests are sent as they are
LOOKED_AT = 200


@dataclass(frozen=True)
class Session:
    """One live service under the contract check.

    Attributes:
        http: to the service, from its root.
        path: of its prediction; None where it speaks a protocol that is not probed here.
        document: its OpenAPI, None where it has none.
        envelope: what stands around a record.
        records: requests of the reference, the fullest first.
        tensors: a request of the Open Inference Protocol in place of records, JSON or a message.
        wire: where predictions are asked over gRPC; None where they are asked over ``http``.
    """

    trial: Trial
    live: Live
    http: Http
    settings: Contract
    path: str | None
    document: Mapping[str, Any] | None
    envelope: Envelope
    records: Sequence[Mapping[str, Any]]
    tensors: Any = None
    wire: OipGrpc | None = None

    @property
    def asked(self) -> Http | OipGrpc:
        """Where predictions are asked."""
        return self.wire or self.http

    def headers(self, content_type: str) -> dict[str, str] | None:
        """Return the headers of a request; gRPC has none of its own to give."""
        return {"content-type": content_type} if self.wire is None else None

    def alone(self) -> Http | OipGrpc:
        """Return another connection to the same, to be used in a ``with`` block."""
        seconds = self.settings.timeout_seconds
        if self.wire is not None:
            return OipGrpc(self.wire.url, seconds=seconds)
        return Http(self.live.running.url, seconds=seconds, connections=1)

    @property
    def operation(self) -> str:
        """The operation of a prediction, as the diff names it."""
        path = self.path or ""
        return f"POST {documented_path(self.document, path) if self.document is not None else path}"

    def plain(self) -> list[bytes]:
        """Return the bodies of requests that a sound service answers."""
        if self.wire is not None:
            return [self.tensors.SerializeToString()]
        if self.tensors is not None:
            return [frame_json.as_text(self.tensors).encode()]
        return [self.envelope.body(json.dumps(record)) for record in self.records]

    def probes(self, at: int) -> list[Probe]:
        """Return the fixed probes, made of the sound request at this place."""
        if self.wire is not None:
            return list(message_probes(self.tensors))
        if self.tensors is not None:
            return list(tensor_probes(self.tensors))
        return list(probes(self.records[at], self.declared, self.envelope))

    @property
    def declared(self) -> Declared:
        """What is declared of a request's fields, by the OpenAPI or the model's signature."""
        found = None
        if self.document is not None and not self.envelope.before:
            found = declared_by_schema(self.document, body_schema(self.document, self.operation))
        if found is None and self.envelope.before and self.trial.model_path is not None:
            try:
                inputs = inputs_of(self.trial.model_path)
            except ValueError:
                inputs = None
            found = declared_by_signature(inputs) if inputs else None
        return found or guessed(self.records[0] if self.records else {})

    def schema_of(self, status: int) -> tuple[bool, Any]:
        """Return whether the OpenAPI documents this status of a prediction, and the schema of its body."""
        return (False, None) if self.document is None else answer_schema(self.document, self.operation, status)

    def without_varying(self, response: Response) -> Any:
        """Return an answer without what is declared to vary, or None where there is none to compare."""
        try:
            told = response.json() if response.ok else None
        except AnswerError:
            return None
        varying = {*self.trial.policy.golden.varying, *(["id"] if self.tensors is not None else [])}
        return {k: v for k, v in told.items() if k not in varying} if isinstance(told, dict) else told


def ground_of(trial: Trial, live: Live, http: Http, document: Mapping[str, Any] | None) -> Session:
    """Return the ground of a trial's live service."""
    path, envelope, tensors, wire = None, Envelope(), None, None
    if isinstance(live.target, Rest):
        path = live.service.predict
    elif isinstance(live.target, MLflow):
        path, envelope = live.target.url.path, Envelope('{"dataframe_records":[', "]}")
    elif isinstance(live.target, Oip | OipGrpc):
        path = live.target.url.path if isinstance(live.target, Oip) else "ModelInfer"
        tensors = live.target.payload(_requests(trial, live).iloc[:2].reset_index(drop=True))
        wire = live.target if isinstance(live.target, OipGrpc) else None
    records = _records(trial, live, keyless=bool(envelope.before)) if path and tensors is None else []
    return Session(trial, live, http, trial.policy.contract, path, document, envelope, records, tensors, wire)


def ended(running: Running, seconds: float = 2.0) -> str | None:
    """Return how a service ended that stopped answering: its guard needs a moment to notice. None where it runs."""
    until = time.monotonic() + seconds
    while (how := running.ended()) is None and time.monotonic() < until and not running.listens():
        time.sleep(0.05)
    return how


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


def _records(trial: Trial, live: Live, *, keyless: bool) -> list[dict[str, Any]]:
    """Return some of the reference's requests, each of another shape where there are such, the fullest first."""
    requests = _requests(trial, live)
    if keyless and trial.pipeline.key in requests.columns:
        requests = requests.drop(columns=trial.pipeline.key)
    shapes: dict[Any, dict[str, Any]] = {}
    for text in frame_json.payloads(requests.iloc[:LOOKED_AT]):
        try:
            record = json.loads(text)
        except ValueError:
            continue
        if isinstance(record, dict):
            shapes.setdefault(tuple(sorted(k for k, v in record.items() if v is not None)), record)
    found = sorted(shapes.values(), key=lambda r: -sum(v is not None for v in r.values()))
    return found[:SHOWN]


def _requests(trial: Trial, live: Live) -> pd.DataFrame:
    """Return what the service is sent: the requests, or what the stage that it serves was fed."""
    stage = live.service.serves
    return trial.reference.requests if stage is None else trial.input_of(stage)
