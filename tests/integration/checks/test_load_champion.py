"""This version and the champion side by side: two live services, loaded in turn, compared by runs."""

import sys
import time

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.load.champion import compare_with_champion
from seatrial.checks.load.check import check
from seatrial.checks.load.runs import session_of
from seatrial.checks.serving.service import serve
from seatrial.events import Attachment, Evaluated, Finding, Measurement, NotEvaluated
from seatrial.loadgen import validity
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.support.load_service import answer
from tests.support.paths import SUPPORT

PAIRS = 5
RATIO = "latency relative to the champion"
SLO = {"limit_ms": 2_000, "rate": 50, "percentile": 0.5}
LOAD = {
    "runs": 1, "requests": 200, "samples": 20, "timeout_seconds": 5.0, "find_max_rate": False,
    "margin": 0.5, "pairs": PAIRS, "pair_requests": 10, "budget_seconds": 60.0,
}  # fmt: skip


def path(frame):
    return pd.DataFrame([answer(r) for r in frame.to_dict(orient="records")])


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Allow an uneven generator and service: only the comparison of the figures is tested, on any machine."""
    for name, most in (("MAX_LAG_SHARE", 60), ("MIN_RATE_SHARE", 0.01), ("_STEP", 1e9)):
        monkeypatch.setattr(validity, name, most)


@pytest.fixture(scope="module")
def pipeline():
    command = [sys.executable, "-m", "uvicorn", "load_service:app", "--port", "{port}", "--log-level", "warning"]
    service = Service(command=command, env={"MODEL": "{model.path}"}, cwd=SUPPORT)
    return Pipeline("loaded", key="id", raw=lambda frame: frame, response=path, service=service)


@pytest.fixture(scope="module")
def trial(pipeline, tmp_path_factory):
    """A version that takes so many seconds an answer, and a champion that takes others."""
    reference = capture(pipeline, pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": np.arange(40) / 7}))
    folder = tmp_path_factory.mktemp("versions")

    def model(seconds):
        file = folder / f"{seconds}.txt"
        file.write_text(str(seconds))
        return str(file)

    def made(this, champion, **load):
        policy = Policy(service=service_settings({"slo": SLO, "load": {**LOAD, **load}}))
        champion = None if champion is None else model(champion)
        return Trial(pipeline, reference, policy=policy, model_path=model(this), champion_path=champion)

    return made


@pytest.fixture(scope="module")
def running(trial):
    """The service of this version, a quarter of a second an answer."""
    with serve(trial(0.25, None)) as running:
        yield running


@pytest.fixture
def compared(trial, running):
    def events(champion, **load):
        made = trial(0.25, champion, **load)
        until = time.monotonic() + made.policy.offered.budget_seconds
        slo, offered = made.policy.slo, made.policy.offered
        session = session_of(made, running, slo, offered, until)
        return list(compare_with_champion("load", session, made))

    return events


def test_a_version_that_is_slower_than_the_champion_is_a_finding(compared):
    """Many times as slow is beyond any margin: a finding with its bounds and its runs."""
    events = compared(0.002)
    (found,) = [e for e in events if isinstance(e, Finding)]
    assert (found.cause, found.stage) == ("slower-than-champion", "service")
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert 1.5 < measured[f"{RATIO} lower bound"] <= measured[RATIO] <= measured[f"{RATIO} upper bound"]
    assert measured["pairs compared"] == found.evidence["pairs"] == PAIRS


def test_too_few_runs_are_not_evaluated(compared):
    """A budget that holds hardly a pair ends without a result, and that is no pass."""
    (result,) = compared(0.25, budget_seconds=1.0)
    assert isinstance(result, NotEvaluated)
    assert "not enough runs to decide" in result.reason


def test_a_version_like_the_champion_passes(trial):
    """One case: the objective, then the comparison with the champion, and the progress meanwhile."""
    progress = []
    with trial(0.002, 0.002, margin=9.0) as made:
        made.on_progress = lambda done, of, what: progress.append((done, of, what))
        ((_, case),) = plan([check], made)
        events = run_case(check, made, case)
    assert [e for e in events if not isinstance(e, Measurement | Attachment | Evaluated)] == []
    assert {e.name: e.value for e in events if isinstance(e, Measurement)}[f"{RATIO} upper bound"] < 10
    assert progress[0][:2] == (0, 1)
    assert [done for done, of, _ in progress if of == 2 * PAIRS + 2] == list(range(2 * PAIRS + 2))
