"""Malformed tensors: the fixed probes of the Open Inference Protocol, each a valid request with one error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from seatrial.targets.probes.base import Expect, Probe
from seatrial.targets.probes.records import DEEP

_MARK = "\ue000seatrial\ue000"


def tensor_probes(payload: Mapping[str, Any]) -> Iterator[Probe]:
    """Yield the probes made from a request whose inputs are tensors; a correct service refuses all but a few."""
    first = payload["inputs"][0]
    name, data, shape = str(first["name"]), list(first["data"]), list(first["shape"])
    whole = json.dumps(payload).encode()

    def changed(raw: str | None = None, **tensor: Any) -> bytes:
        body = deepcopy(dict(payload))
        body["inputs"][0] |= tensor
        return json.dumps(body).replace(json.dumps(_MARK), raw or "").encode()

    def without(member: str) -> bytes:
        body = deepcopy(dict(payload))
        del body["inputs"][0][member]
        return json.dumps(body).encode()

    for description, body in (
        ("a shape larger than its data", changed(shape=[shape[0] + 1, *shape[1:]])),
        ("a shape smaller than its data", changed(shape=[0, *shape[1:]])),
        ("a negative shape", changed(shape=[-1, *shape[1:]])),
        ("a shape that is text", changed(shape="2")),
        ("a shape of a billion rows", changed(shape=[10**9, *shape[1:]])),
        ("data with one value missing", changed(data=data[:-1])),
        ("no data", changed(data=[])),
        ("null in place of data", changed(data=None)),
        ("ragged data", changed(data=[data, data[:-1]])),
        ("an unknown datatype", changed(datatype="FP99")),
        ("a number in place of the datatype", changed(datatype=64)),
        *(
            (f"a tensor without '{member}'", without(member))
            for member in ("data", "shape", "datatype", "name")
            if member in first
        ),
    ):
        yield Probe("malformed-tensor", description, body, field_name=name)
    yield from _numbers(first, whole, changed)
    others = {k: v for k, v in payload.items() if k != "inputs"}
    for description, body in (
        ("a request without inputs", json.dumps(others).encode()),
        ("no inputs", json.dumps({**others, "inputs": []}).encode()),
        ("an object in place of inputs", json.dumps({**others, "inputs": first}).encode()),
        ("text in place of inputs", json.dumps({**others, "inputs": "x"}).encode()),
        ("an empty body", b""),
        ("null in place of a request", b"null"),
        ("a list in place of a request", b"[]"),
        ("half a request", whole[: len(whole) // 2]),
        ("a body that is not UTF-8", whole[:-1] + b', "\xff\xfe": 1}'),
        (f"lists nested {DEEP:,} deep", b"[" * DEEP + b"]" * DEEP),
    ):
        yield Probe("malformed", description, body)
    yield Probe("content-type", "JSON declared as text/plain", whole, Expect.EITHER, content_type="text/plain")


def _numbers(first: Mapping[str, Any], whole: bytes, changed: Callable[..., bytes]) -> Iterator[Probe]:
    """Yield probes whose tensor of numbers holds a cell that is not a number."""
    name, kind, data = str(first["name"]), str(first["datatype"]), list(first["data"])
    if kind in ("BYTES", "BOOL") or not data:
        return
    for literal in ("NaN", "Infinity", "1e999"):
        yield Probe(
            "not-a-number", f"{literal} in a tensor", changed(literal, data=[_MARK, *data[1:]]), field_name=name
        )
    text = changed(data=[str(data[0]), *data[1:]])
    yield Probe("dtype-coercion", "a number sent as text", text, field_name=name, equivalent=whole)
    yield Probe("null", "null in place of a number", changed(data=[None, *data[1:]]), field_name=name)
    if "INT" in kind:
        fraction = changed(f"{int(data[0])}.5", data=[_MARK, *data[1:]])
        yield Probe("truncation", "a fraction in place of an integer", fraction, field_name=name, equivalent=whole)
