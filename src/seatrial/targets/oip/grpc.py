"""The Open Inference Protocol, version 2, over gRPC: ``oip+grpc://host:port/model``. Needs ``seatrial[oip]``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.pipeline import Key
from seatrial.pipeline.address import GRPC_STATUS, UNCONNECTED
from seatrial.targets.http import LIMIT_BYTES
from seatrial.targets.messages import Response
from seatrial.targets.oip.messages import CONTENTS, message
from seatrial.targets.oip.tensors import DATATYPES, PROBED, Layout, Tensor, infer, tensors_of
from seatrial.targets.probes.base import ProbePlan
from seatrial.targets.probes.grpc import message_probes
from seatrial.targets.sending import FAILURES

CONNECT_SECONDS = 5.0
SERVICE = "/inference.GRPCInferenceService/"
INFER = f"{SERVICE}ModelInfer"
_NUMPY = {datatype: np.dtype(name) for name, datatype in DATATYPES.items()}


class OipGrpc:
    """A model behind the protocol's gRPC form. Numbers go as they are: NaN, infinity and every digit.

    Args:
        url: ``//host:port/model``, as :func:`seatrial.targets.connect` hands it over, or with ``oip+grpc:`` before it.
        key: the column that names a row; it stays here and is put beside the answers.
        layout: as for :class:`seatrial.targets.oip.rest.Oip`.
        input_name: of the matrix.
        content_type: the request's ``content_type`` parameter, where the server needs one.
        seconds: the deadline of one call.
        limit_bytes: of one answer.
    """

    def __init__(
        self,
        url: str,
        *,
        key: Key | None = None,
        layout: Layout = "auto",
        input_name: str = "input-0",
        content_type: str | None = None,
        seconds: float = 10.0,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.host, _, self.model = url.removeprefix("oip+grpc:").removeprefix("//").partition("/")
        if ":" not in self.host or not self.model:
            raise UsageError(f"'{url}' names no port or model; say it like oip+grpc://127.0.0.1:8081/model.")
        self.url = f"oip+grpc://{self.host}/{self.model}"
        self.key, self.layout, self.input_name, self.content_type = key, layout, input_name, content_type
        self.seconds, self.limit_bytes = seconds, limit_bytes
        self._channel: Any = None
        self._met = False

    def __enter__(self) -> OipGrpc:
        try:
            import grpc
        except ImportError as error:
            raise UsageError("gRPC is spoken with grpcio: pip install 'seatrial[oip]'.") from error
        self._channel = grpc.insecure_channel(
            self.host,
            options=[("grpc.max_receive_message_length", self.limit_bytes), ("grpc.enable_http_proxy", 0)],
        )
        return self

    def __exit__(self, *_: object) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def ready(self) -> bool:
        """Whether the server says that the model is ready."""
        answer = self.send(message("ModelReadyRequest", name=self.model), path="ModelReady")
        return answer.ok and bool(type(message("ModelReadyResponse")).FromString(answer.body).ready)

    def payload(self, frame: pd.DataFrame) -> Any:
        """Return the request message for these rows."""
        request = message("ModelInferRequest", model_name=self.model)
        if self.content_type:
            request.parameters["content_type"].string_param = self.content_type
        for tensor in tensors_of(frame, self.layout, self.input_name, key=self.key):
            told = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            if tensor.datatype not in CONTENTS:
                raise UsageError(f"{tensor.datatype} is not sent over gRPC here; cast the columns to float32.")
            data = [cell.encode() for cell in tensor.data] if tensor.datatype == "BYTES" else tensor.data
            getattr(told.contents, CONTENTS[tensor.datatype]).extend(data)
        return request

    step = infer

    def send(
        self,
        payload: Any = None,
        *,
        path: str | None = None,
        method: str = "POST",  # noqa: ARG002  gRPC has one
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Response:
        """Call a method, ``ModelInfer`` unless ``path`` names another, with a message or with its bytes.

        The response's status is the HTTP status that gateways give this gRPC code, which stands in ``grpc-status``.

        Raises:
            TargetError: nobody listens there.
            AnswerError: no answer in time, or one that is too long.
        """
        import grpc

        if self._channel is None:
            raise UsageError(f"The connection to {self.url} is not open; use it in a with block.")
        content = (
            payload if isinstance(payload, bytes) else (payload or message("ModelInferRequest")).SerializeToString()
        )
        limit = seconds or self.seconds
        begin = time.perf_counter()
        self._meet(min(limit, CONNECT_SECONDS))
        call = self._channel.unary_unary(SERVICE + (path or "ModelInfer"))
        try:
            body = call(content, timeout=limit, metadata=list((headers or {}).items()))
        except grpc.RpcError as error:
            spent, code, said = time.perf_counter() - begin, error.code().name, str(error.details())
            if code == "DEADLINE_EXCEEDED":
                raise AnswerError(f"{self.url} gave no answer within {limit:g} s.") from error
            if code == "RESOURCE_EXHAUSTED" and "larger than max" in said:
                raise AnswerError(f"The answer of {self.url} is longer than {self.limit_bytes:,} bytes.") from error
            if code == "UNAVAILABLE" and UNCONNECTED.match(said):
                raise TargetError(f"No connection to {self.url}.") from error
            return Answered(GRPC_STATUS.get(code, 500), {"grpc-status": code}, said.encode(), spent)
        spent = time.perf_counter() - begin
        if spent > limit:  # gRPC's own timer is coarser than the clock
            raise AnswerError(f"{self.url} gave no answer within {limit:g} s.")
        return Answered(200, {"grpc-status": "OK"}, body, spent)

    def send_all(
        self, payloads: Sequence[Any], *, path: str | None = None, all_seconds: float = 600.0, **options: Any
    ) -> list[Response | TargetError | None]:
        """Call once for each payload, one after the other, and return what became of each, in order.

        An error stands in its request's place, and None for what was not sent: after ``FAILURES`` requests without an
        answer, or after ``all_seconds``.
        """
        told: list[Response | TargetError | None] = [None] * len(payloads)
        until, failures = time.monotonic() + all_seconds, 0
        for n, payload in enumerate(payloads):
            if failures >= FAILURES or time.monotonic() > until:
                break
            try:
                told[n] = self.send(payload, path=path, **options)
            except TargetError as error:
                failures += 1
                told[n] = error
        return told

    def _meet(self, seconds: float) -> None:
        """Wait for the first connection: a server's gRPC port may open after its HTTP port is ready."""
        import grpc

        if not self._met:
            call = self._channel.unary_unary(SERVICE + "ServerLive")
            try:
                call(b"", timeout=seconds, wait_for_ready=True)
            except grpc.RpcError as error:  # any status but this one is an answer
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise TargetError(f"No connection to {self.url}.") from error
            self._met = True

    def outputs(self, response: Response) -> list[Tensor]:
        """Return the tensors of an answer; AnswerError where none can be read."""
        told = _read(response.body)
        try:
            return [
                Tensor(t.name, t.datatype, tuple(t.shape), _data(t, told.raw_output_contents[n:n + 1]))
                for n, t in enumerate(told.outputs)
            ]  # fmt: skip
        except (ValueError, KeyError) as error:
            raise AnswerError(f"The inference server's answer cannot be read: {error}.") from error

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return the contract check's requests: a message of the first rows, and what it can say wrongly."""
        request = self.payload(requests.iloc[:PROBED].reset_index(drop=True))
        return ProbePlan(
            "ModelInfer",
            valid=[request.SerializeToString()],
            probes=lambda _at, _declared: message_probes(request),
            varying=frozenset({"id"}),
            connect=lambda seconds: OipGrpc(self.url, seconds=seconds),
        )


@dataclass(frozen=True)
class Answered(Response):
    """An answer whose body is a message."""

    def json(self) -> Any:
        """Return the message as JSON's own types; AnswerError where it is none."""
        from google.protobuf.json_format import MessageToDict

        return MessageToDict(_read(self.body))


def _read(body: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return type(message("ModelInferResponse")).FromString(body)
    except DecodeError as error:
        raise AnswerError(f"The inference server's answer cannot be read: {error}.") from error


def _data(tensor: Any, raw: Any) -> list[Any]:
    if not raw:
        found = list(getattr(tensor.contents, CONTENTS[tensor.datatype]))
        return [cell.decode("utf-8", "replace") for cell in found] if tensor.datatype == "BYTES" else found
    if tensor.datatype == "BYTES":  # each with its length before it, four bytes, little-endian
        out, at = [], 0
        while at < len(raw[0]):
            size = int.from_bytes(raw[0][at : at + 4], "little")
            out.append(raw[0][at + 4 : at + 4 + size].decode("utf-8", "replace"))
            at += 4 + size
        return out
    values: list[Any] = np.frombuffer(raw[0], dtype=_NUMPY[tensor.datatype].newbyteorder("<")).tolist()
    return values
