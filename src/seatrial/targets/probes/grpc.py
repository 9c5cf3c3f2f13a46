"""Malformed tensors over gRPC: what a message can say wrongly; bytes that are no message never reach a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from seatrial.targets.probes.base import Expect, Probe


def message_probes(request: Any) -> Iterator[Probe]:
    """Yield the probes of a sound ``ModelInferRequest``; a sound server refuses every one but NaN."""
    first = request.inputs[0]
    held = next((field.name for field, _ in first.contents.ListFields()), "")
    shape, count = list(first.shape), len(getattr(first.contents, held)) if held else 0

    def changed(change: Callable[[Any], object]) -> bytes:
        other = type(request).FromString(request.SerializeToString())
        change(other)
        written: bytes = other.SerializeToString()
        return written

    def of_first(change: Callable[[Any], object]) -> bytes:
        return changed(lambda r: change(r.inputs[0]))

    def shaped(*sizes: int) -> bytes:
        def change(tensor: Any) -> None:
            del tensor.shape[:]
            tensor.shape.extend(sizes)

        return of_first(change)

    def raw(size: int) -> bytes:
        def change(r: Any) -> None:
            r.inputs[0].ClearField("contents")
            r.raw_input_contents.append(b"\0" * size)

        return changed(change)

    for words, body in (
        ("a shape that its data do not fill", shaped(shape[0] + 1, *shape[1:])),
        ("a shape of less than its data", shaped(0, *shape[1:])),
        ("a negative shape", shaped(-1, *shape[1:])),
        ("a shape of a billion rows", shaped(10**9, *shape[1:])),
        ("a tensor without 'shape'", shaped()),
        *([("data that are one short", of_first(lambda t: getattr(t.contents, held).pop()))] if count else []),
        ("no data", of_first(lambda t: t.ClearField("contents"))),
        ("raw data of three bytes", raw(3)),
        ("a datatype nobody knows", of_first(lambda t: setattr(t, "datatype", "FP99"))),
        ("a tensor without 'datatype'", of_first(lambda t: t.ClearField("datatype"))),
        ("data in the field of another datatype", of_first(lambda t: _moved(t, held))),
    ):
        yield Probe("malformed-tensor", words, body, of=first.name)
    if "fp" in held and count:
        nan = of_first(lambda t: getattr(t.contents, held).__setitem__(0, float("nan")))
        yield Probe("not-a-number", "NaN in a tensor", nan, Expect.EITHER, of=first.name)
    for words, body in (
        ("an empty message", b""),
        ("a request without inputs", changed(lambda r: r.ClearField("inputs"))),
        ("a model nobody knows", changed(lambda r: setattr(r, "model_name", "seatrial-nobody"))),
    ):
        yield Probe("malformed", words, body)


def _moved(tensor: Any, held: str) -> None:
    values = list(getattr(tensor.contents, held)) if held else []
    tensor.ClearField("contents")
    if held == "bytes_contents":
        tensor.contents.fp64_contents.extend(0.0 for _ in values)
    else:
        tensor.contents.bytes_contents.extend(b"1" for _ in values)
