"""Frames as tensors, as both forms of the Open Inference Protocol carry them, and answers as columns again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from seatrial.errors import AnswerError, UsageError
from seatrial.io import frame_json
from seatrial.pipeline import Key
from seatrial.targets.messages import Response, unnamed
from seatrial.targets.mlflow import beside_key, in_fields, numbered, without_key

_GENERIC = re.compile(r"(?:output|out|predict|prediction|y)?s?[-_.:]*[0-9]*", re.IGNORECASE)
PROBED = 2  # rows of the request that the contract check probes with
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


def tensors_of(
    frame: pd.DataFrame, layout: Layout = "auto", name: str = "input-0", *, key: Key | None = None
) -> list[Tensor]:
    """Return a frame as tensors: one of rows × columns where all are numbers, else one of shape [rows, 1] a column.

    The ``key`` names a row and is no input.

    Raises:
        UsageError: the protocol cannot say it: a null where the datatype has none, an integer that a common type would
            round, or cells that are neither numbers, text nor lists of numbers.
    """
    frame = without_key(in_fields(frame), key)
    numbers = [np.dtype(t) for t in frame.dtypes if isinstance(t, np.dtype) and t.name in DATATYPES]
    if layout == "matrix" or (layout == "auto" and len(numbers) == len(frame.columns) > 0):
        if len(numbers) != len(frame.columns):
            odd = next(str(c) for c, t in frame.dtypes.items() if str(t) not in DATATYPES)
            raise UsageError(f"Column '{odd}' is no number; a matrix holds numbers of one type. Use layout='columns'.")
        common = np.result_type(*numbers)
        lost = next((str(c) for c in frame.columns if not _exact(frame[c], common)), None)
        if lost is None:
            matrix = frame.to_numpy(dtype=common)
            return [Tensor(name, DATATYPES[common.name], matrix.shape, matrix.ravel().tolist())]
        if layout == "matrix":
            raise UsageError(
                f"Column '{lost}' has integers that {DATATYPES[common.name]} would round, and a matrix holds numbers "
                "of one type. Use layout='columns', or cast the column to text."
            )
    return [_column(str(c), frame[c]) for c in frame.columns]


def columns_of(outputs: Sequence[Tensor], rows: int) -> dict[str, list[Any]]:
    """Return tensors as columns; of shape [rows], [rows, 1] or [rows, k]. AnswerError for any other."""
    columns: dict[str, list[Any]] = {}
    for tensor in outputs:
        size = int(np.prod(tensor.shape)) if tensor.shape else len(tensor.data)
        if size != len(tensor.data) or (tensor.shape and tensor.shape[0] != rows) or (rows and size % rows):
            raise AnswerError(
                f"Output '{tensor.name}' has shape {list(tensor.shape)} and {len(tensor.data):,} values; "
                f"{rows:,} rows were requested."
            )
        wide = size // rows if rows else 1
        for n in range(wide):
            columns[numbered(tensor.name, n)] = tensor.data[n::wide]
    if not columns:
        raise AnswerError("The service answered no output tensor.")
    return columns


class Inference(Protocol):
    """What the two forms have of their own: how a request is made and how an answer is read."""

    key: Key | None

    def payload(self, frame: pd.DataFrame) -> Any:
        """Return the request for these rows."""
        ...

    def send(self, payload: Any = None) -> Response:
        """Send it and return what came back."""
        ...

    def outputs(self, response: Response) -> list[Tensor]:
        """Return the tensors of an answer; AnswerError where none can be read."""
        ...


def infer(self: Inference, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the output tensors beside the key, one column a value: ``output``, ``output_1`` and on.

    Several outputs with names of their own are compared by name; the one of a single output is the server's choice.

    Raises:
        TargetError: no answer, or one whose tensors do not fit the rows.
    """
    frame = in_fields(frame)
    response = self.send(self.payload(frame))
    if not response.ok:
        raise AnswerError(f"The inference server answered {response.headers.get('grpc-status', response.status)}.")
    outputs = self.outputs(response)
    answers = beside_key(frame, self.key, columns_of(outputs, len(frame)))
    return unnamed(answers) if chosen_by_server(outputs) else answers


def chosen_by_server(outputs: Sequence[Tensor]) -> bool:
    """Whether the names of the outputs say nothing of the columns: one alone, or all of the kind ``output-0``.

    A model's only output is called as its server likes, such as ``predict`` or ``y``, and several values of one
    tensor have no names at all.
    """
    return len(outputs) == 1 or all(_GENERIC.fullmatch(tensor.name) for tensor in outputs)


def _column(name: str, column: pd.Series) -> Tensor:
    shape = (len(column), 1)
    kind = str(column.dtype).lower().replace("boolean", "bool")
    if kind in DATATYPES:
        if kind[:5] != "float" and column.isna().any():
            raise UsageError(f"Column '{name}' has nulls, and {DATATYPES[kind]} has none: the protocol cannot say it.")
        return Tensor(name, DATATYPES[kind], shape, column.tolist())
    raw = next((type(cell).__name__ for cell in column if isinstance(cell, bytes | bytearray | memoryview)), None)
    if raw is not None:
        raise UsageError(f"Column '{name}' has {raw}, which JSON cannot say; write it as text, such as base64.")
    cells = [row[name] for row in frame_json.rows(column.to_frame(name))]
    if any(cell is None for cell in cells):
        raise UsageError(f"Column '{name}' has nulls, and BYTES has none: the protocol cannot say it.")
    if all(isinstance(cell, str) for cell in cells):
        return Tensor(name, "BYTES", shape, cells)
    return _nested(name, cells)


def _nested(name: str, cells: Sequence[Any]) -> Tensor:
    """Return cells that are numbers, or lists of numbers of one shape, as a tensor with the rows first."""
    try:
        values = np.array(cells)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"Column '{name}' has lists of different lengths, and a tensor has one shape.") from error
    leaves = list(_leaves(cells))
    kinds = {type(each) for each in leaves}
    whole = kinds <= {int} and values.dtype == np.int64
    exact = all(float(each) == each for each in leaves if type(each) is int)
    numbers = kinds <= {int, float} and values.dtype == np.float64 and exact
    if not (kinds == {bool} or whole or numbers):
        told = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise UsageError(
            f"Column '{name}' has cells of {told} that a tensor cannot hold: it holds numbers of one type, or text. "
            "Cast the column, or write it as text."
        )
    size = values.shape if values.ndim > 1 else (len(cells), 1)
    return Tensor(name, DATATYPES[values.dtype.name], size, values.ravel().tolist())


def _leaves(cell: Any) -> Iterator[Any]:
    if isinstance(cell, list):
        for each in cell:
            yield from _leaves(each)
    else:
        yield cell.item() if isinstance(cell, np.generic) else cell


def _exact(column: pd.Series, common: np.dtype[Any]) -> bool:
    """Whether a column's numbers stay what they are in another type."""
    if column.dtype.kind not in "iu" or common.kind != "f":
        return True
    bound = 2 ** (np.finfo(common).nmant + 1)  # up to here every integer is a float of its own
    return not len(column) or (int(column.min()) >= -bound and int(column.max()) <= bound)
