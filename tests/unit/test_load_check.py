"""The load check: what makes a run void, what fails it, and a live service under its declared rate."""

import io
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks.load import charts, diagnosis, judge
from seatrial.checks.load.capacity import drain, search
from seatrial.checks.load.check import _explained, check
from seatrial.checks.load.runs import Loaded, held_against
from seatrial.checks.serving.budget import ending, until
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.service import serve
from seatrial.engine import plan, run_case
from seatrial.errors import UsageError
from seatrial.events import Attachment, Evaluated, Finding, Measurement, NotEvaluated
from seatrial.loadgen import validity
from seatrial.loadgen.results import ANSWERED, TIMED_OUT, LoadRun, RequestResult
from seatrial.loadgen.statistics import Plan
from seatrial.policy.service import Load, Slo
from seatrial.targets.http import Http
from seatrial.trial import Trial
from tests.unit.load_service import answer

HERE = Path(__file__).parent
SLO = Slo(limit_ms=100, rate=100)


def run(latencies, *, lag=0.0):
    """A finished run at 100 requests a second with these latencies; infinite ones timed out."""
    latencies = np.asarray(latencies, dtype=float)
    due = np.arange(1, len(latencies) + 1) / 100
    lost = np.isinf(latencies)
    return LoadRun(
        due, due + lag, np.where(lost, due + 10, due + latencies), np.where(lost, 0, 200).astype(np.int16),
        np.where(lost, TIMED_OUT, ANSWERED).astype(np.uint8), connections=64,
    )  # fmt: skip


def steady(requests, misses=0, seed=0):
    """Latencies around 20 ms, some of them over the limit."""
    rng = np.random.default_rng(seed)
    latencies = rng.uniform(0.018, 0.022, requests)
    latencies[rng.choice(requests, misses, replace=False)] = 0.5
    return latencies


def concluded(*runs, planned=Plan(2, 1_000)):  # noqa: B008
    events = list(judge.conclusion("load", judge.Runs(SLO, planned, runs)))
    return next(e for e in events if isinstance(e, Finding | Evaluated | NotEvaluated)), events


def test_runs_that_hold_are_judged_on_every_request():
    """Two planned runs with few misses hold, and all their requests count as compared."""
    told, _ = concluded(run(steady(1_250, 2)), run(steady(1_000, 2, seed=1)))
    assert isinstance(told, Evaluated)
    assert told.compared == 2_250


def test_too_many_misses_fail_the_service():
    """Three in a hundred over the limit in one run break a p99, whatever the other run did."""
    told, events = concluded(run(steady(1_250)), run(steady(1_000, 30)))
    assert isinstance(told, Finding)
    assert told.cause == "slow"
    assert told.evidence["missed"] == 30
    assert isinstance(events[-1], Evaluated)


def test_requests_without_an_answer_are_misses():
    """A time-out is no short latency that went missing."""
    told, _ = concluded(run(steady(1_250)), run([*steady(970), *[np.inf] * 30]))
    assert isinstance(told, Finding)
    assert told.evidence["timed out"] == 30


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([run(steady(1_250))], "planned 2 of 1,000"),
        ([run(steady(1_250)), run(steady(600))], "not shown"),
        ([run(steady(1_250)), run(steady(1_000, 8))], "not shown"),
        ([run(steady(1_250)), run(steady(1_000), lag=0.02)], "run 2 is void: the generator was late"),
        ([run(np.linspace(0.02, 0.08, 1_250)), run(steady(1_000))], "had not settled"),
    ],
)
def test_what_shows_nothing_is_not_judged(runs, says):
    """A run too few, too few requests, a borderline count, a late generator, a latency that grows: no verdict."""
    told, _ = concluded(*runs)
    assert isinstance(told, NotEvaluated)
    assert says in told.reason


def test_a_late_generator_voids_a_failure_too():
    """What the generator itself got wrong is never the service's fault."""
    told, _ = concluded(run(steady(1_250)), run(steady(1_000, 100), lag=0.02))
    assert isinstance(told, NotEvaluated)


def test_the_warm_up_is_found_and_left_out():
    """A slow start within the room of the first run neither fails nor counts."""
    slow = np.concatenate([np.linspace(0.4, 0.3, 200), steady(1_050)])
    told, _ = concluded(run(slow), run(steady(1_000)))
    assert isinstance(told, Evaluated)
    measured = {e.name: e.value for e in judge.figures("load", judge.Runs(SLO, Plan(2, 1_000), [run(slow)]))}
    assert 175 <= measured["warm-up"] <= 225
    assert measured["p50"] == pytest.approx(0.02, rel=0.05)
    assert measured["p99 lower bound"] <= measured["p99"] <= measured["p99 upper bound"]


def test_a_plan_that_can_show_nothing_is_refused_beforehand():
    """p99 at 99 % needs 459 requests; another percentile gets as many as give the same misses."""
    with pytest.raises(UsageError, match="459"):
        judge.plan_of(SLO, Load(requests=400))
    assert judge.plan_of(SLO, Load()) == Plan(3, 10_000)
    assert judge.plan_of(Slo(limit_ms=1, rate=1, percentile=0.9), Load()).requests == pytest.approx(959, abs=2)


def test_every_request_is_kept_and_drawn():
    """The Parquet file has one row a scheduled request; the pictures are SVG without script, also of no answers."""
    runs = [run([*steady(900), *[np.inf] * 100]), run(steady(1_000))]
    frame = pd.read_parquet(io.BytesIO(judge.raw("load", judge.Runs(SLO, Plan(2, 1_000), runs)).content))
    assert len(frame) == 2_000
    assert (frame["outcome"] == "timed out").sum() == 100
    for draw in (charts.histogram, charts.timeline):
        for drawn in (runs, [run([np.inf] * 5)]):
            text = draw(drawn, 0.1).decode()
            assert text.startswith("<svg")
            assert "script" not in text
            assert "nan" not in text


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (diagnosis.Watched(100, 10, [0.4, 0.5]), True),
        (diagnosis.Watched(100, 95, [0.4, 0.5]), False),  # it works, as hard as it can
        (diagnosis.Watched(100, 10, [0.001, 0.002]), False),  # the readiness path is free: a pool, a dependency
        (diagnosis.Watched(100, 10, [*[0.001] * 60, 0.4, 0.9]), True),  # the quick ones came before the load
        (diagnosis.Watched(100, 10, [*[0.001] * 90, 0.4, 0.4, *[0.001] * 90]), False),  # the machine stalled
        (diagnosis.Watched(0, 0, [0.4]), False),  # nobody looked
    ],
)
def test_a_service_that_sleeps_while_all_wait_is_blocked(seen, expected):
    """Asleep and unreachable is a blocking call; busy, or reachable, is not."""
    assert diagnosis.blocked(seen, 0.5) is expected


def path(frame):
    return pd.DataFrame([answer(r) for r in frame.to_dict(orient="records")])


def trial(fault, **settings):
    pipeline = Pipeline(
        "loaded", key="id", raw=lambda frame: frame, response=path,
        service=Service(
            command=[sys.executable, "-m", "uvicorn", "load_service:app", "--port", "{port}", "--log-level", "warning"],
            env={"FAULT": fault}, cwd=HERE,
        ),
    )  # fmt: skip
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": np.arange(40) / 7})
    return Trial(pipeline, capture(pipeline, requests), policy=Policy(service=settings))


def asked(made):
    with made:
        (planned,) = plan([check], made)
        return run_case(*planned[:1], made, planned[1])


def test_nothing_is_asked_without_an_objective():
    """A service whose objective nobody declared has no question, and a pipeline without a service neither."""
    assert check.stages(trial("")) == []


def test_one_budget_is_shared_by_those_that_are_still_to_be_asked():
    """Each question keeps to its own budget and to its share of what is left for all, counted from the first."""
    made = trial("", stress={"budget_seconds": 100})
    now = time.monotonic()
    assert until(made, 600) - now == pytest.approx(100, abs=5)
    assert until(made, 600, share=1 / 2) - now == pytest.approx(50, abs=5)
    assert until(made, 20) - now == pytest.approx(20, abs=5)
    assert ending(made) - now == pytest.approx(100, abs=5)
    assert until(trial(""), 600) - now == pytest.approx(600, abs=5)


@pytest.mark.parametrize("section", ["load", "stress"])
def test_a_plan_that_does_not_fit_is_not_judged(section):
    """Hours of load are refused before the service is started, with what to type."""
    events = asked(trial("", slo={"limit_ms": 100, "rate": 5}, **{section: {"budget_seconds": 60}}))
    (told,) = events
    assert isinstance(told, NotEvaluated)
    assert "budget_seconds" in told.reason


SMALL = {"runs": 1, "requests": 480, "samples": 60, "timeout_seconds": 5.0, "knee": False}


def test_a_live_service_is_loaded_and_its_answers_are_compared():
    """All figures and files come; the judgement is a pass, or says what the generator or machine lacked."""
    events = asked(trial("", slo={"limit_ms": 2_000, "rate": 150}, load=SMALL))
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert measured["answers compared"] == 60
    assert measured["error share"] == 0
    assert {"p50", "p99", "goodput", "cold start", "first answer", "generator lag p99"} <= set(measured)
    files = {e.name for e in events if isinstance(e, Attachment)}
    assert files == {"load/latencies.parquet", "load/latencies.hdr", "load/histogram.svg", "load/timeline.svg"}
    assert not [e for e in events if isinstance(e, Finding)]
    (told,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(told, Evaluated) or "generator" in told.reason or "settled" in told.reason


def test_the_rate_follows_a_profile_shared_by_two_processes():
    """A burst every second, told to two workers: whole turns are offered, its peak in each, after a level warm-up."""
    turns = {"profile": [[0, 20], [0.5, 20], [0.5, 80], [1, 80]], "workers": 2}
    made = trial("", slo={"limit_ms": 2_000, "rate": 160, "percentile": 0.9}, load={**SMALL, "requests": 150, **turns})
    told = []
    made.told = lambda *how_far: told.append(how_far)
    events = asked(made)
    (file,) = [e for e in events if isinstance(e, Attachment) and e.name.endswith("parquet")]
    due = pd.read_parquet(io.BytesIO(file.content))["scheduled_seconds"]
    assert len(due) == 200
    assert 1.9 < due.max() < 2
    assert (due % 1 >= 0.5).mean() == pytest.approx(0.8, abs=0.1)
    assert [(done, of) for done, of, _ in told] == [(0, 1)]
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert (measured["answers compared"], measured["error share"]) == (60, 0)
    (answer,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(answer, Evaluated) or "generator" in answer.reason or "settled" in answer.reason


def test_the_warm_up_of_a_profile_is_judged_by_itself():
    """Latency that follows the rate is no warm-up; the level run ahead must have settled, and no run is cut."""
    wavy = run(0.02 + 0.01 * (np.arange(1_000) % 500 > 250))
    runs = judge.Runs(SLO, Plan(1, 1_000), [wavy], run(steady(250)))
    assert isinstance(next(iter(judge.conclusion("load", runs))), Evaluated)
    assert len(runs.latencies()[0]) == 1_000
    growing = judge.Runs(SLO, Plan(1, 1_000), [wavy], run(np.linspace(0.02, 0.08, 250)))
    assert isinstance(next(iter(judge.conclusion("load", growing))), NotEvaluated)


@pytest.mark.parametrize(("degraded", "causes"), [(2, []), (20, ["degraded-under-load"])])
def test_a_degraded_answer_under_load_is_a_miss_and_no_changed_answer(degraded, causes):
    """It says itself that it is another: few are allowed, as few late ones are, and many are a finding of their own."""
    held, rows = expected(trial("")), np.arange(100) % 40
    wrong = [{"id": f"r{row}", "score": 0.0, "degraded": True} for row in rows[:degraded]]
    right = [{**answer({"id": f"r{row}", "x": row / 7}), "degraded": False} for row in rows[degraded:]]
    told = [RequestResult(n, 200, json.dumps(each).encode()) for n, each in enumerate([*wrong, *right])]
    found = held_against("load", held, replace(run(steady(100)), answers=told), rows, SLO)
    assert (found.compared, found.degraded) == (100 - degraded, degraded)
    assert [f.cause for f in found.findings] == causes


def test_answers_that_change_under_load_are_found():
    """Requests that meet each other and share state are answered otherwise than one by one."""
    events = asked(trial("shares", slo={"limit_ms": 2_000, "rate": 150}, load=SMALL))
    (found,) = [e for e in events if isinstance(e, Finding)]
    assert (found.cause, found.column, found.stage) == ("load-changes-answers", "score", "service")


def even_when_late(monkeypatch):
    """Judge also on a machine that keeps the generator waiting."""
    for name, most in (("MAX_LAG_SECONDS", 60), ("MAX_LAG_SHARE", 60), ("MIN_RATE_SHARE", 0.01)):
        monkeypatch.setattr(validity, name, most)


def test_a_blocking_call_in_an_async_route_is_found_and_placed(monkeypatch):
    """The service sleeps in its event loop, so that its readiness path waits as well: that tells the cause."""
    even_when_late(monkeypatch)
    events = asked(
        trial("blocks", slo={"limit_ms": 100, "rate": 20, "percentile": 0.5}, load={**SMALL, "requests": 40})
    )
    (found,) = [e for e in events if isinstance(e, Finding)]
    assert (found.stage, found.cause) == ("service", "blocking-call")
    assert "/health" in found.message
    assert isinstance(events[-1], Evaluated)


def test_a_probe_begins_when_an_overload_is_worked_off():
    """Requests that nobody waits for any more are still served, and would be held against the next rate."""
    with trial("queues") as made, serve(made.pipeline) as running, Http(running.url) as http:
        slo, load = Slo(limit_ms=100, rate=5), Load(timeout_seconds=0.2)
        loaded = Loaded(f"{running.url}/predict", running, expected(made), slo, load, 0)
        loaded.run(0, 80, 1_000.0)
        left = http.send(path="/under_way", method="GET").json()
        drain(loaded)
        assert left > 0
        assert http.send(path="/under_way", method="GET").json() == 0


def test_the_knee_of_a_service_that_held_begins_there(monkeypatch):
    """What it passed with is not asked again; of fifty answers a second the knee is not above by more than 10 %."""
    even_when_late(monkeypatch)
    with trial("queues") as made, serve(made.pipeline) as running:
        slo, load = Slo(limit_ms=100, rate=10, percentile=0.5), Load(timeout_seconds=0.3)
        loaded = Loaded(f"{running.url}/predict", running, expected(made), slo, load, 0)
        found = {m.name: m.value for m in search("load", loaded, lambda *_: None, held=True)}
    assert 10 <= found["knee"] <= 55
    assert found.get("knee not above", np.inf) > found["knee"]  # on a busy machine a rate may show nothing


def test_a_slow_service_whose_event_loop_is_free_is_not_said_to_block():
    """An answer that waits without holding the others is slow, and that is all that can be told."""
    slow = Finding("load", "service", "Slow.", cause="slow")
    with trial("shares") as made, serve(made.pipeline) as running:
        slo = Slo(limit_ms=10, rate=5)
        loaded = Loaded(f"{running.url}/predict", running, expected(made), slo, Load(timeout_seconds=2.0), 0, 0.0)
        assert _explained(loaded, slow) is slow
