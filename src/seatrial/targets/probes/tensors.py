"""Malformed tensors: the fixed probes of the Open Inference Protocol, each one thing wrong with a sound request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from seatrial.targets.probes.base import Expect, Probe
from seatrial.targets.probes.records import DEEP

_MARK = "\ue000seatrial\ue000"


def tensor_probes(payload: Mapping[str, Any]) -> Iterator[Probe]:
    """Yield the probes of a request whose inputs are tensors; a sound service refuses all but a few of them."""
    first = payload["inputs"][0]
    name, data, shape = str(first["name"]), list(first["data"]), list(first["shape"])
    whole = json.dumps(payload).encode()

    def changed(raw: str | None = None, **tensor: Any) -> bytes:
        body = deepcopy(dict(payload))
        body["inputs"][0] |= tensor
        return json.dumps(body).replace(json.dumps(_MARK), raw or "").encode()

    def without(word: str) -> bytes:
        body = deepcopy(dict(payload))
        del body["inputs"][0][word]
        return json.dumps(body).encode()

    for words, body in (
        ("a shape that its data do not fill", changed(shape=[shape[0] + 1, *shape[1:]])),
        ("a shape of less than its data", changed(shape=[0, *shape[1:]])),
        ("a negative shape", changed(shape=[-1, *shape[1:]])),
        ("a shape that is text", changed(shape="2")),
        ("a shape of a billion rows", changed(shape=[10**9, *shape[1:]])),
        ("data that are one short", changed(data=data[:-1])),
        ("no data", changed(data=[])),
        ("null for data", changed(data=None)),
        ("ragged data", changed(data=[data, data[:-1]])),
        ("a datatype nobody knows", changed(datatype="FP99")),
        ("a number for a datatype", changed(datatype=64)),
        *(
            (f"a tensor without '{word}'", without(word))
            for word in ("data", "shape", "datatype", "name")
            if word in first
        ),
    ):
        yield Probe("malformed-tensor", words, body, of=name)
    yield from _numbers(first, whole, changed)
    others = {k: v for k, v in payload.items() if k != "inputs"}
    for words, body in (
        ("a request without inputs", json.dumps(others).encode()),
        ("no inputs", json.dumps({**others, "inputs": []}).encode()),
        ("an object for inputs", json.dumps({**others, "inputs": first}).encode()),
        ("text for inputs", json.dumps({**others, "inputs": "x"}).encode()),
        ("an empty body", b""),
        ("null for a request", b"null"),
        ("a list for a request", b"[]"),
        ("half a request", whole[: len(whole) // 2]),
        ("a body that is not UTF-8", whole[:-1] + b', "\xff\xfe": 1}'),
        (f"lists in lists, {DEEP:,} deep", b"[" * DEEP + b"]" * DEEP),
    ):
        yield Probe("malformed", words, body)
    yield Probe("content-type", "JSON that calls itself text/plain", whole, Expect.EITHER, content_type="text/plain")


def _numbers(first: Mapping[str, Any], whole: bytes, changed: Callable[..., bytes]) -> Iterator[Probe]:
    """Yield what is no number in a tensor of numbers."""
    name, kind, data = str(first["name"]), str(first["datatype"]), list(first["data"])
    if kind in ("BYTES", "BOOL") or not data:
        return
    for word in ("NaN", "Infinity", "1e999"):
        yield Probe("not-a-number", f"{word} in a tensor", changed(word, data=[_MARK, *data[1:]]), of=name)
    text = changed(data=[str(data[0]), *data[1:]])
    yield Probe("dtype-coercion", "a number as text", text, of=name, twin=whole)
    yield Probe("null", "null for a number", changed(data=[None, *data[1:]]), of=name)
    if "INT" in kind:
        fraction = changed(f"{int(data[0])}.5", data=[_MARK, *data[1:]])
        yield Probe("truncation", "a fraction for an integer", fraction, of=name, twin=whole)
