"""The Open Inference Protocol, version 2, over REST: ``oip+http://host:port/model`` (KServe, MLServer, Triton).

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from seatrial.errors import AnswerError, UsageError
from seatrial.io import frame_json
from seatrial.pipeline import Key
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.oip.tensors import PROBED, Layout, Tensor, infer, tensors_of
from seatrial.targets.probes.base import ProbePlan
from seatrial.targets.probes.tensors import tensor_probes


class Oip(Http):
    """A model behind the protocol's REST form.

    Args:
        url: ``http://host:port/model``, or with a prefix of its own before the model's name.
        key: the column that names a row; it stays here and is put beside the answers.
        layout: ``matrix`` is one tensor of all columns, ``columns`` one tensor a column; ``auto`` is a matrix where
            every column is a number.
        input_name: of the matrix.
        content_type: the ``parameters.content_type`` of the request, such as ``pd`` for MLServer's pandas codec.
        options: ``seconds``, ``limit_bytes`` and ``connections`` of :class:`~seatrial.targets.http.Http`.
    """

    def __init__(
        self,
        url: str,
        *,
        key: Key | None = None,
        layout: Layout = "auto",
        input_name: str = "input-0",
        content_type: str | None = None,
        **options: Any,
    ) -> None:
        server, _, model = url.rstrip("/").rpartition("/")
        if not model or server.endswith("/") or server.endswith(":"):
            raise UsageError(f"'{url}' names no model; say it like oip+http://127.0.0.1:8080/model.")
        super().__init__(server, **options)
        prefix = self.url.path.rstrip("/")
        self.model = model
        self.metadata_path = f"{prefix}/v2/models/{quote(model, safe='')}"
        self.url = self.url.copy_with(path=f"{self.metadata_path}/infer")
        self.key, self.layout, self.input_name, self.content_type = key, layout, input_name, content_type

    def __enter__(self) -> Oip:
        super().__enter__()
        return self

    def payload(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Return the request for these rows, as JSON's own types."""
        tensors = tensors_of(frame, self.layout, self.input_name, key=self.key)
        body: dict[str, Any] = {
            "inputs": [
                {"name": t.name, "shape": list(t.shape), "datatype": t.datatype, "data": _json_data(t)} for t in tensors
            ]
        }
        if self.content_type:
            body["parameters"] = {"content_type": self.content_type}
        return body

    step = infer

    def outputs(self, response: Response) -> list[Tensor]:
        """Return the tensors of an answer; AnswerError where none can be read."""
        told = response.json()
        if not isinstance(told, Mapping) or not isinstance(told.get("outputs"), list):
            raise AnswerError("The inference server answered JSON without 'outputs'.")
        return [_tensor(each) for each in told["outputs"]]

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return the contract check's requests: tensors of the first rows, and what can be wrong with them."""
        payload = self.payload(requests.iloc[:PROBED].reset_index(drop=True))
        return ProbePlan(
            self.url.path,
            valid=[frame_json.as_text(payload).encode()],
            probes=lambda _at, _declared: tensor_probes(payload),
            varying=frozenset({"id"}),
        )


def _json_data(tensor: Tensor) -> list[Any]:
    if not tensor.datatype.startswith("FP"):
        return tensor.data
    if not np.isfinite(np.asarray(tensor.data, dtype="float64")).all():
        raise UsageError(f"Input '{tensor.name}' holds NaN or infinity, which JSON does not have; use oip+grpc.")
    return tensor.data


def _tensor(told: Any) -> Tensor:
    try:
        data = told["data"]
        while data and isinstance(data[0], list):  # nested rows are allowed too
            data = [cell for row in data for cell in row]
        return Tensor(str(told["name"]), str(told["datatype"]), tuple(int(n) for n in told["shape"]), list(data))
    except (TypeError, KeyError, ValueError) as error:
        raise AnswerError(f"An output tensor cannot be read: {type(error).__name__} {error}.") from error
