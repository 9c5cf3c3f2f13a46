"""The environment of training beside that of the process that serves: what differs is named, what is unseen said."""

import json
import shutil
import sys

import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Service, capture, run
from seatrial.events import Severity
from tests.support.paths import SUPPORT

TINY = SUPPORT / "tiny_service.py"


def parse(frame):
    records = [json.loads(text) for text in frame["payload"]]
    return pd.DataFrame({"id": [r["id"] for r in records], "x": [r["x"] for r in records]}).astype({"id": "string"})


def sail(command, **env):
    service = Service(command, predict="/score", ready_seconds=60, cwd=TINY.parent, env=env)
    pipeline = Pipeline("tiny", key="id", raw=parse, response=lambda frame: frame, service=service)
    requests = pd.DataFrame({"payload": [json.dumps({"id": f"t{n}", "x": n / 3}) for n in range(3)]}, dtype="string")
    return run(pipeline, capture(pipeline, requests), ["environment"])


def test_settings_of_the_serving_process_are_named_with_both_values():
    """Locale, threads and the BLAS kernel that the variables choose; nothing of it fails the version."""
    verdict = sail(
        [sys.executable, str(TINY), "{port}", "none"],
        LC_ALL="tr_TR.UTF-8", OMP_NUM_THREADS="7", OPENBLAS_CORETYPE="Prescott",
    )  # fmt: skip
    assert verdict.outcome is Outcome.PASS
    told = {f.cause: f.message for f in verdict.findings if f.stage == "service"}
    assert "LC_ALL is tr_TR.UTF-8, and was " in told["locale"]
    assert "OMP_NUM_THREADS is 7, and was " in told["threads"]
    assert {j.stage: j.compared > 8 for j in verdict.evaluated} == {None: True, "service": True}


@pytest.mark.skipif(shutil.which("bash") is None, reason="another name is given with bash")
def test_what_is_no_python_is_told_as_not_judged():
    """Of a server that is no interpreter the variables are compared; its libraries are said to be not judged."""
    verdict = sail(["bash", "-c", f"exec -a odd {sys.executable} {TINY} $0 none", "{port}"], OMP_NUM_THREADS="7")
    there = [f for f in verdict.findings if f.stage == "service"]
    assert [f.cause for f in there] == ["not-seen", "threads"]
    assert there[0].severity is Severity.WARNING
    assert "'odd' and no Python interpreter" in there[0].message
    assert [j.compared for j in verdict.evaluated if j.stage == "service"] == [3]
