"""The messages of the Open Inference Protocol, version 2, as far as a client needs them.

The names, numbers and types are those of ``open_inference_grpc.proto`` (github.com/kserve/open-inference-protocol,
Apache-2.0). They are described here at run time, in a pool of their own: nothing generated to keep in step with the
protobuf version, and nothing that collides with another package's copy of the same names.
"""

from __future__ import annotations

from functools import cache
from typing import Any

PACKAGE = "inference"
_SCALARS = {"bool": 8, "int32": 5, "int64": 3, "uint32": 13, "uint64": 4, "float": 2, "double": 1, "string": 9,
            "bytes": 12}  # fmt: skip
_REPEATED, _OPTIONAL, _MESSAGE = 3, 1, 11

# message: fields as (name, number, type), "*" before a type that repeats, "{" before the values of a map
MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": (("live", 1, "bool"),),
    "ServerReadyRequest": (),
    "ServerReadyResponse": (("ready", 1, "bool"),),
    "ModelReadyRequest": (("name", 1, "string"), ("version", 2, "string")),
    "ModelReadyResponse": (("ready", 1, "bool"),),
    "ModelMetadataRequest": (("name", 1, "string"), ("version", 2, "string")),
    "TensorMetadata": (("name", 1, "string"), ("datatype", 2, "string"), ("shape", 3, "*int64")),
    "ModelMetadataResponse": (
        ("name", 1, "string"), ("versions", 2, "*string"), ("platform", 3, "string"),
        ("inputs", 4, "*TensorMetadata"), ("outputs", 5, "*TensorMetadata"),
    ),
    "InferParameter": (("bool_param", 1, "bool"), ("int64_param", 2, "int64"), ("string_param", 3, "string")),
    "InferTensorContents": (
        ("bool_contents", 1, "*bool"), ("int_contents", 2, "*int32"), ("int64_contents", 3, "*int64"),
        ("uint_contents", 4, "*uint32"), ("uint64_contents", 5, "*uint64"), ("fp32_contents", 6, "*float"),
        ("fp64_contents", 7, "*double"), ("bytes_contents", 8, "*bytes"),
    ),
    "InferTensor": (
        ("name", 1, "string"), ("datatype", 2, "string"), ("shape", 3, "*int64"),
        ("parameters", 4, "{InferParameter"), ("contents", 5, "InferTensorContents"),
    ),
    "ModelInferRequest": (
        ("model_name", 1, "string"), ("model_version", 2, "string"), ("id", 3, "string"),
        ("parameters", 4, "{InferParameter"), ("inputs", 5, "*InferTensor"), ("raw_input_contents", 7, "*bytes"),
    ),
    "ModelInferResponse": (
        ("model_name", 1, "string"), ("model_version", 2, "string"), ("id", 3, "string"),
        ("parameters", 4, "{InferParameter"), ("outputs", 5, "*InferTensor"), ("raw_output_contents", 6, "*bytes"),
    ),
}  # fmt: skip

# datatype: the field of InferTensorContents that carries it; FP16 goes as raw bytes alone
CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


def message(name: str, /, **fields: Any) -> Any:
    """Return a new message of that name."""
    return _classes()[name](**fields)


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="open_inference.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, number, kind in fields:
            if kind.startswith("{"):
                entry = described.nested_type.add(name=f"{field.capitalize()}Entry")
                entry.options.map_entry = True
                _add(entry, "key", 1, "string")
                _add(entry, "value", 2, kind[1:])
                _add(described, field, number, f"*{name}.{entry.name}")
            else:
                _add(described, field, number, kind)
            if name == "InferParameter":
                described.field[-1].oneof_index = 0
        if name == "InferParameter":
            described.oneof_decl.add(name="parameter_choice")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


def _add(described: Any, name: str, number: int, kind: str) -> None:
    field = described.field.add(name=name, number=number, label=_REPEATED if kind.startswith("*") else _OPTIONAL)
    kind = kind.lstrip("*")
    field.type = _SCALARS.get(kind, _MESSAGE)
    if kind not in _SCALARS:
        field.type_name = f".{PACKAGE}.{kind}"
