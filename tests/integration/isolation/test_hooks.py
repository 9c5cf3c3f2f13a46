"""The hooks of a service run in the worker: requests and answers come from there, and the judge runs none of them."""

import os
import sys

import pandas as pd
import pytest

from seatrial import HttpAnswer, Pipeline, Poll, Service, Trial, capture
from seatrial.checks.golden.check import check as golden
from seatrial.errors import PipelineError
from seatrial.events import Evaluated, Finding
from seatrial.io.loading import load_file
from seatrial.isolation.opening.project import open_replayer
from seatrial.project import Project
from tests.support.paths import SUPPORT

FILE = SUPPORT / "shape_service.py"
served = load_file(FILE)
PIPELINE = f"""
import io, os, sys
import pandas as pd
from seatrial import HttpRequest, Pipeline, Poll, Service

def write(rows):
    if (rows["x"] < 0).any():
        raise ValueError("a value of a row")
    return HttpRequest(rows.to_csv(index=False), "text/csv", headers={{"x-pid": str(os.getpid())}}).gzipped()

def read(answer):
    if answer.status == 202:
        return Poll(answer.headers["location"], seconds=2)
    if not answer.body:
        raise KeyError("score")
    if answer.body == b"odd":
        return pd.DataFrame({{"id": [object()]}})
    return pd.read_csv(io.BytesIO(answer.body), dtype={{"id": "str", "level": "str"}})

def keep(frame):
    return frame

def respond(frame):
    return pd.DataFrame({{"id": frame["id"], "score": frame["x"] / 3 + 1,
                          "level": ["high" if x > 5 else "low" for x in frame["x"]]}})

command = [sys.executable, {str(FILE)!r}, "{{port}}", "csv", "none"]
service = Service(command, openapi=None, request=write, response=read)
pipeline = Pipeline("tables", key="id", raw=keep, response=respond, service=service)
"""


@pytest.fixture(scope="module")
def replayer(tmp_path_factory):
    root = tmp_path_factory.mktemp("hooks")
    (root / "pipeline.py").write_text(PIPELINE)
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    with open_replayer(Project.find(root)) as opened:
        opened.pipeline()
        opened.load(reference(), {})
        yield opened


def rows():
    return pd.DataFrame({"id": [f"r{n}" for n in range(8)], "x": [n / 1.7 for n in range(8)]})


def reference():
    def respond(frame):
        answers = pd.DataFrame([served.scores(x) for x in frame["x"]], index=frame.index)
        return pd.concat([frame[["id"]], answers], axis=1)

    return capture(Pipeline("tables", key="id", raw=lambda f: f, response=respond), rows())


def test_a_live_service_is_validated_through_hooks_in_the_worker(replayer):
    """Golden compares every answer, and no hook is callable here."""
    pipeline = replayer.pipeline()
    assert pipeline.service.shaped
    with pytest.raises(PipelineError, match="runs in a process of its own"):
        pipeline.service.request(rows())
    with Trial(pipeline, reference(), replayer=replayer) as trial:
        events = list(golden.run(trial, "service"))
    assert not [e for e in events if isinstance(e, Finding)], events
    assert next(e.compared for e in events if isinstance(e, Evaluated)) >= 16


def test_requests_and_answers_cross_as_they_are(replayer):
    """Bytes, headers, frames and polls; an answer that a hook cannot read is an error of that answer alone."""
    [one, both] = replayer.write_requests([rows().iloc[:1], rows().iloc[1:3]])
    assert (one.method, one.path, one.content_type) == ("POST", None, "text/csv")
    assert one.headers["content-encoding"] == "gzip"
    assert int(one.headers["x-pid"]) != os.getpid()
    assert len(both.body) > 20
    read = replayer.read_answers(
        [HttpAnswer(200, {}, b"id,score,level\nr1,1.5,low\n"), HttpAnswer(202, {"location": "/jobs/1"}, b""),
         HttpAnswer(200, {}, b""), HttpAnswer(200, {}, b"odd"), HttpAnswer(200, {}, b"id,score,level\nr2,2.5,low\n")]
    )  # fmt: skip
    assert read[0]["score"].tolist() == [1.5]
    assert read[1] == Poll("/jobs/1", seconds=2)
    assert "The response hook 'read' of the service could not read the answer: it raised KeyError" in str(read[2])
    assert "'id'" in str(read[3])
    assert read[4]["id"].tolist() == ["r2"]


def test_an_error_of_the_request_hook_names_it_and_no_value(replayer):
    """It is an error of seatrial's, without a traceback."""
    with pytest.raises(
        PipelineError, match="The request hook 'write' of the service raised ValueError in write"
    ) as told:
        replayer.write_requests([rows().assign(x=-1.0)])
    assert "a value of a row" not in str(told.value)


def test_a_service_without_hooks_has_none():
    """A declaration that cannot be used is refused when the pipeline is read."""
    with pytest.raises(PipelineError, match="Did you mean 'instances'"):
        Service([sys.executable, "{port}"], envelope="instnaces")
