"""The Open Inference Protocol, version 2, over REST: ``oip+http://host:port/model`` (KServe, MLServer, Triton).

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import pandas as pd

from seatrial import jsonform
from seatrial.errors import AnswerError, UsageError
from seatrial.targets.http import Http
from seatrial.targets.mlflow import beside_key, numbered

Layout = Literal["auto", "matrix", "columns"]
DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "float16": "FP16", "float32": "FP32", "float64": "FP64",
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """One named tensor, its data flat in row-major order."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


def tensors_of(frame: pd.DataFrame, layout: Layout = "auto", name: str = "input-0") -> list[Tensor]:
    """Return a frame as tensors: one of rows × columns where all are numbers, else one of shape [rows, 1] a column.

    Raises:
        UsageError: a null where the datatype has none: the protocol cannot say it.
    """
    numbers = [np.dtype(t) for t in frame.dtypes if isinstance(t, np.dtype) and t.name in DATATYPES]
    if layout == "matrix" or (layout == "auto" and len(numbers) == len(frame.columns) > 0):
        if len(numbers) != len(frame.columns):
            odd = next(str(c) for c, t in frame.dtypes.items() if str(t) not in DATATYPES)
            raise UsageError(f"Column '{odd}' is no number; a matrix holds numbers of one type. Use layout='columns'.")
        common = np.result_type(*numbers)
        matrix = frame.to_numpy(dtype=common)
        return [Tensor(name, DATATYPES[common.name], matrix.shape, matrix.ravel().tolist())]
    return [_column(str(c), frame[c]) for c in frame.columns]


def columns_of(outputs: Sequence[Tensor], rows: int) -> dict[str, list[Any]]:
    """Return tensors as columns; of shape [rows], [rows, 1] or [rows, k]. AnswerError for any other."""
    columns: dict[str, list[Any]] = {}
    for tensor in outputs:
        size = int(np.prod(tensor.shape)) if tensor.shape else len(tensor.data)
        if size != len(tensor.data) or (tensor.shape and tensor.shape[0] != rows) or (rows and size % rows):
            raise AnswerError(
                f"Output '{tensor.name}' has shape {list(tensor.shape)} and {len(tensor.data):,} values; "
                f"{rows:,} rows were asked."
            )
        wide = size // rows if rows else 1
        for n in range(wide):
            columns[numbered(tensor.name, n)] = tensor.data[n::wide]
    if not columns:
        raise AnswerError("The service answered no output tensor.")
    return columns


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
        key: str | None = None,
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
        self.ready_path = f"{self.metadata_path}/ready"
        self.url = self.url.copy_with(path=f"{self.metadata_path}/infer")
        self.key, self.layout, self.input_name, self.content_type = key, layout, input_name, content_type

    def __enter__(self) -> Oip:
        super().__enter__()
        return self

    def payload(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Return the request for these rows, as JSON's own types."""
        inputs = frame.drop(columns=self.key) if self.key in frame.columns else frame
        tensors = tensors_of(inputs, self.layout, self.input_name)
        body: dict[str, Any] = {
            "inputs": [
                {"name": t.name, "shape": list(t.shape), "datatype": t.datatype, "data": _json_data(t)} for t in tensors
            ]
        }
        if self.content_type:
            body["parameters"] = {"content_type": self.content_type}
        return body

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the output tensors beside the key, one column a value: ``output``, ``output_1`` and on.

        Raises:
            TargetError: no answer, or one whose tensors do not fit the rows.
        """
        response = self.send(self.payload(frame))
        if not response.ok:
            raise AnswerError(f"The inference server answered {response.status}.")
        told = response.json()
        if not isinstance(told, Mapping) or not isinstance(told.get("outputs"), list):
            raise AnswerError("The inference server answered JSON without 'outputs'.")
        return beside_key(frame, self.key, columns_of([_tensor(each) for each in told["outputs"]], len(frame)))


def _column(name: str, column: pd.Series) -> Tensor:
    shape = (len(column), 1)
    kind = str(column.dtype).lower().replace("boolean", "bool")
    if kind in DATATYPES:
        if kind[:5] != "float" and column.isna().any():
            raise UsageError(f"Column '{name}' has nulls, and {DATATYPES[kind]} has none: the protocol cannot say it.")
        return Tensor(name, DATATYPES[kind], shape, column.tolist())
    cells = [row[name] for row in jsonform.rows(column.to_frame(name))]
    if any(cell is None for cell in cells):
        raise UsageError(f"Column '{name}' has nulls, and BYTES has none: the protocol cannot say it.")
    return Tensor(name, "BYTES", shape, [str(cell) for cell in cells])


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
