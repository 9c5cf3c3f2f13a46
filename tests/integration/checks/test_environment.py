"""The environment recorded at capture against the serving process: differences and what could not be read are named."""

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


def validate(command, **env):
    service = Service(command, predict="/score", ready_seconds=60, cwd=TINY.parent, env=env)
    pipeline = Pipeline("tiny", key="id", raw=parse, response=lambda frame: frame, service=service)
    requests = pd.DataFrame({"payload": [json.dumps({"id": f"t{n}", "x": n / 3}) for n in range(3)]}, dtype="string")
    return run(pipeline, capture(pipeline, requests), ["environment"])


def test_settings_of_the_serving_process_are_named_with_both_values():
    """Locale, threads and the BLAS kernel that the variables choose; nothing of it fails the version."""
    verdict = validate(
        [sys.executable, str(TINY), "{port}", "none"],
        LC_ALL="tr_TR.UTF-8", OMP_NUM_THREADS="7", OPENBLAS_CORETYPE="Prescott",
    )  # fmt: skip
    assert verdict.outcome is Outcome.PASS
    messages = {f.cause: f.message for f in verdict.findings if f.stage == "service"}
    assert "LC_ALL is tr_TR.UTF-8; the reference has " in messages["locale"]
    assert "OMP_NUM_THREADS is 7; the reference has " in messages["threads"]
    assert {j.stage: j.compared > 8 for j in verdict.evaluated} == {None: True, "service": True}


@pytest.mark.skipif(shutil.which("bash") is None, reason="another name is given with bash")
def test_a_server_that_is_not_python_is_reported_as_not_compared():
    """The variables of a server that is not Python are compared; a warning says that its libraries were not."""
    verdict = validate(["bash", "-c", f"exec -a odd {sys.executable} {TINY} $0 none", "{port}"], OMP_NUM_THREADS="7")
    there = [f for f in verdict.findings if f.stage == "service"]
    assert [f.cause for f in there] == ["not-seen", "threads"]
    assert there[0].severity is Severity.WARNING
    assert "'odd', which is not a Python interpreter" in there[0].message
    assert [j.compared for j in verdict.evaluated if j.stage == "service"] == [3]
