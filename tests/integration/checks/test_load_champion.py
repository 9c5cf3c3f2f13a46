"""This version and the promoted one side by side: two live services, asked in turn, decided by runs."""

import sys
import time

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks.load.champion import side_by_side
from seatrial.checks.load.check import check
from seatrial.checks.load.runs import Loaded
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.service import serve
from seatrial.engine import plan, run_case
from seatrial.events import Attachment, Evaluated, Finding, Measurement, NotEvaluated
from seatrial.loadgen import validity
from seatrial.trial import Trial
from tests.support.load_service import answer
from tests.support.paths import SUPPORT

PAIRS = 5
RATIO = "time over the promoted version's"
SLO = {"limit_ms": 2_000, "rate": 50, "percentile": 0.5}
LOAD = {
    "runs": 1, "requests": 40, "samples": 20, "timeout_seconds": 5.0, "knee": False,
    "margin": 0.5, "pairs": PAIRS, "pair_requests": 10, "budget_seconds": 60.0,
}  # fmt: skip


def path(frame):
    return pd.DataFrame([answer(r) for r in frame.to_dict(orient="records")])


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Let generator and service be uneven: what is tried is what is made of the figures, on a machine of any kind."""
    for name, most in (("MAX_LAG_SECONDS", 60), ("MAX_LAG_SHARE", 60), ("MIN_RATE_SHARE", 0.01), ("_STEP", 1e9)):
        monkeypatch.setattr(validity, name, most)


@pytest.fixture(scope="module")
def pipeline():
    command = [sys.executable, "-m", "uvicorn", "load_service:app", "--port", "{port}", "--log-level", "warning"]
    service = Service(command=command, env={"MODEL": "{model.path}"}, cwd=SUPPORT)
    return Pipeline("loaded", key="id", raw=lambda frame: frame, response=path, service=service)


@pytest.fixture(scope="module")
def trial(pipeline, tmp_path_factory):
    """A version that takes so many seconds an answer, after a promoted one that takes others."""
    reference = capture(pipeline, pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": np.arange(40) / 7}))
    folder = tmp_path_factory.mktemp("versions")

    def model(seconds):
        file = folder / f"{seconds}.txt"
        file.write_text(str(seconds))
        return str(file)

    def made(this, promoted, **load):
        policy = Policy(service={"slo": SLO, "load": {**LOAD, **load}})
        promoted = None if promoted is None else model(promoted)
        return Trial(pipeline, reference, policy=policy, model_path=model(this), champion_path=promoted)

    return made


@pytest.fixture(scope="module")
def running(trial, pipeline):
    """The service of this version, a quarter of a second an answer."""
    with serve(pipeline, model_path=trial(0.25, None).model_path) as running:
        yield running


@pytest.fixture
def compared(trial, running):
    def events(promoted, **load):
        made = trial(0.25, promoted, **load)
        until = time.monotonic() + made.policy.offered.budget_seconds
        slo, offered = made.policy.slo, made.policy.offered
        loaded = Loaded(f"{running.url}/predict", running, expected(made), slo, offered, 0, until)
        return list(side_by_side("load", loaded, made))

    return events


def test_a_version_that_is_slower_than_the_promoted_one_is_found(compared):
    """Many times as slow is beyond any margin: a finding with its bounds and its runs."""
    events = compared(0.002)
    (found,) = [e for e in events if isinstance(e, Finding)]
    assert (found.cause, found.stage) == ("slower-than-champion", "service")
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert 1.5 < measured[f"{RATIO} lower bound"] <= measured[RATIO] <= measured[f"{RATIO} upper bound"]
    assert measured["pairs compared"] == found.evidence["pairs"] == PAIRS


def test_too_few_runs_tell_nothing(compared):
    """A budget that holds hardly a pair ends without an answer, and that is no pass."""
    (told,) = compared(0.25, budget_seconds=1.0)
    assert isinstance(told, NotEvaluated)
    assert "not enough runs to tell" in told.reason


def test_a_version_like_the_promoted_one_passes(trial):
    """One question: the objective, then the promoted version beside it, and meanwhile how far it is."""
    told = []
    with trial(0.002, 0.002, margin=9.0) as made:
        made.on_progress = lambda done, of, what: told.append((done, of, what))
        ((_, case),) = plan([check], made)
        events = run_case(check, made, case)
    assert [type(e) for e in events if not isinstance(e, Measurement | Attachment)] == [Evaluated]
    assert {e.name: e.value for e in events if isinstance(e, Measurement)}[f"{RATIO} upper bound"] < 10
    assert told[0][:2] == (0, 1)
    assert [done for done, of, _ in told if of == 2 * PAIRS + 2] == list(range(2 * PAIRS + 2))
