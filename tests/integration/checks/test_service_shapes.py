"""Services of other shapes in processes of their own: clean ones pass golden and contract, and bugs are found there."""

import struct
import sys
import zlib
from dataclasses import replace

import pandas as pd
import pytest

from seatrial import HttpRequest, Outcome, Pipeline, Service, capture, run
from seatrial.checks.contract.check import check as contract
from seatrial.checks.golden.check import check as golden
from seatrial.checks.load.check import check as load
from seatrial.events import Severity
from seatrial.io.loading import load_file
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from tests.support.documented import documented
from tests.support.load_shapes import passes_or_lacks_a_core
from tests.support.paths import SUPPORT

FILE = SUPPORT / "shape_service.py"
DOCS = documented("how-to/services.md")  # the hooks of the page are those that are tested
write_csv, read_csv, read_job = DOCS["write_csv"], DOCS["read_csv"], DOCS["read_job"]
write_picture, read_picture = DOCS["write_picture"], DOCS["read_picture"]
served = load_file(FILE)
ROWS = 12
CAPTURED = {}  # references by the stage that answers
OF_SERVICE = {c.name: replace(c, stages=lambda _: ["service"]) for c in (golden, contract)}  # their part over the wire
OF_SERVICE["load"] = load
LOAD = {
    "golden": {"batch_size": 4},
    "slo": {"limit_ms": 2_000, "rate": 120, "percentile": 0.8},
    "load": {"runs": 1, "requests": 300, "samples": 40, "find_max_rate": False, "reserve_cores": False},
}


def numbers():
    return pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "x": [n / 1.7 for n in range(ROWS)]})


def keep(frame):
    return frame


def respond(frame):
    answers = pd.DataFrame([served.scores(x) for x in frame["x"]], index=frame.index)
    return pd.concat([frame[["id"]], answers], axis=1)


def score_alone(frame):
    return respond(frame)[["id", "score"]]


def png(width, height):
    """Return the bytes of a grey PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_packed_csv(rows):
    return write_csv(rows).gzipped()


def verdict_of(shape, fault, *, answer=respond, requests=None, checks=("golden", "contract"), **service):
    """Capture a clean reference, start the service with a fault, and return the verdict."""
    command = [sys.executable, str(FILE), "{port}", shape, fault]
    told = Service(command, openapi=None, **service)
    pipeline = Pipeline("shapes", key="id", raw=keep, response=answer, service=told)
    if answer not in CAPTURED:
        CAPTURED[answer] = capture(pipeline, numbers() if requests is None else requests)
    policy = Policy(service=service_settings(LOAD))
    return run(pipeline, CAPTURED[answer], [OF_SERVICE[check] for check in checks], policy=policy)


def passes(verdict):
    assert verdict.outcome is Outcome.PASS, (verdict.findings, verdict.not_evaluated)
    return True


def found(verdict, check="golden"):
    assert verdict.outcome is Outcome.FAIL, (verdict.findings, verdict.not_evaluated)
    return {
        (f.stage, f.column, f.cause)
        for f in verdict.findings
        if f.severity is Severity.ERROR and f.check == check and not f.downstream
    }


@pytest.mark.parametrize("write", [write_csv, write_packed_csv])
@pytest.mark.parametrize("batch", [None, "/predict"])
def test_a_csv_service_passes(write, batch):
    """One row a table or several, plain or compressed in both directions."""
    assert passes(verdict_of("csv", "none", request=write, response=read_csv, batch=batch))


def test_bugs_of_a_csv_service_are_found():
    """A rounded number, the answers of other requests, and a table without its head."""
    hooks = {"request": write_csv, "response": read_csv, "batch": "/predict"}
    assert ("service", "score", "rounding") in found(verdict_of("csv", "rounded", **hooks))
    assert {cause for _, _, cause in found(verdict_of("csv", "shifted", **hooks))} & {
        "misaligned-rows",
        "shifted-rows",
        "batch-effect",
    }
    assert ("service", None, "no-answer") in found(verdict_of("csv", "headless", **hooks))


def pictures():
    sizes = [(3 + n, 9 - n // 2) for n in range(ROWS)]
    return pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "image": [png(*size) for size in sizes]})


def describe_pictures(frame):
    answers = pd.DataFrame([served.picture(image) for image in frame["image"]], index=frame.index)
    return pd.concat([frame[["id"]], answers], axis=1)


PICTURES = {"requests": None, "answer": describe_pictures, "request": write_picture, "response": read_picture}


def picture_verdict(fault):
    return verdict_of("image", fault, **{**PICTURES, "requests": pictures()})


def test_an_image_upload_service_passes():
    """Each picture is a file in a multipart form."""
    assert passes(picture_verdict("none"))


def test_bugs_of_an_image_upload_service_are_found():
    """Width and height exchanged; an answer without names; and an error of the service for what is no picture."""
    assert found(picture_verdict("turned")) == {("service", "width", "column-swap")}  # that of the height follows it
    assert ("service", None, "no-answer") in found(picture_verdict("nameless"))
    assert ("service", None, "status-500") in found(picture_verdict("careless"), "contract")


def write_message(rows):
    from google.protobuf.struct_pb2 import Struct

    told = Struct()
    told.update(rows[["id", "x"]].iloc[0].to_dict())
    return HttpRequest(told.SerializeToString(), "application/x-protobuf")


def read_message(answer):
    from google.protobuf.struct_pb2 import Struct

    return dict(Struct.FromString(answer.body))


def test_a_service_of_protobuf_messages_passes_and_its_bugs_are_found():
    """One message for another: a number of fewer digits, and the answer to another request."""
    hooks = {"request": write_message, "response": read_message}
    assert passes(verdict_of("protobuf", "none", **hooks))
    assert ("service", "score", "rounding") in found(verdict_of("protobuf", "rounded", checks=["golden"], **hooks))
    assert ("service", None, "other-request") in found(verdict_of("protobuf", "mixed", checks=["golden"], **hooks))


@pytest.mark.parametrize("shape", [{"response": read_job}, {"poll_seconds": 5.0}])
def test_a_service_that_answers_later_passes(shape):
    """A hook says where the answer is, or the service's own header does."""
    assert passes(verdict_of("job", "none", **shape))


def test_bugs_of_a_service_that_answers_later_are_found():
    """An answer that never comes, one that is null, and those of other requests."""
    late = verdict_of("job", "never", checks=["golden"], poll_seconds=0.2)
    assert found(late) == {("service", None, "no-answer")}
    assert "was not there within 200 ms" in late.findings[0].message
    assert ("service", "score", "other-request") not in found(verdict_of("job", "empty", response=read_job))
    assert ("service", None, "other-request") in found(verdict_of("job", "mixed", poll_seconds=5.0))


ENVELOPES = {
    "instances": "instances", "inputs": "inputs/outputs", "dataframe_split": "dataframe_split", "list": "list",
    "values": "values", "object": "object", "rows": "rows/scores",
}  # fmt: skip


@pytest.mark.parametrize("form", ENVELOPES)
def test_each_envelope_passes_and_a_wrong_order_in_it_is_found(form):
    """Bare numbers, lists and objects, beside fields that are none of the answer."""
    assert passes(verdict_of("envelope", form, answer=score_alone, envelope=ENVELOPES[form]))
    assert any(
        column == "score"
        for _, column, _ in found(
            verdict_of("envelope", f"{form}:wrong", answer=score_alone, checks=["golden"], envelope=ENVELOPES[form])
        )
    )


ENVELOPED = {"answer": score_alone, "envelope": "instances"}
LOADED = {"image": (PICTURES, "none", "turned"), "envelope": (ENVELOPED, "instances", "instances:wrong")}


@pytest.mark.parametrize("shape", LOADED)
def test_a_service_of_another_shape_is_loaded_in_its_shape(shape):
    """Its requests are those that golden sends, and its answers are read as golden reads them."""
    options, clean, fault = LOADED[shape]
    options = {**options, "requests": pictures() if shape == "image" else None, "checks": ["load"]}
    passed = verdict_of(shape, clean, **options)
    assert passes_or_lacks_a_core(passed), (passed.findings, passed.not_evaluated)
    assert {cause for _, _, cause in found(verdict_of(shape, fault, **options), "load")} >= {"load-changes-answers"}


def test_a_service_that_answers_later_is_not_timed():
    verdict = verdict_of("job", "none", checks=["load"], poll_seconds=5.0)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "Set path in [slo]" in verdict.not_evaluated[0].reason
