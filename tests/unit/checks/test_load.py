"""The load check: what makes a run invalid, what fails the service, and the budget."""

import io
import json
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.load import charts, diagnosis, judge, planning, runs
from seatrial.checks.load.answers import compare_samples
from seatrial.checks.load.attachments import all_requests
from seatrial.checks.load.check import check
from seatrial.checks.serving.budget import budget_end, deadline
from seatrial.checks.serving.expected import expected
from seatrial.errors import UsageError
from seatrial.events import Evaluated, Finding, NotEvaluated, Severity
from seatrial.loadgen.results import ANSWERED, TIMED_OUT, LoadRun, RequestResult
from seatrial.loadgen.statistics import Plan
from seatrial.policy.load import Load, Slo
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.support.load_service import answer
from tests.support.paths import SUPPORT

HERE = SUPPORT
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


def evaluated(*runs, planned=Plan(2, 1_000)):  # noqa: B008
    events = list(judge.evaluate("load", judge.FinishedRuns(SLO, planned, runs)))
    return next(e for e in events if isinstance(e, Finding | Evaluated | NotEvaluated)), events


def test_an_answer_within_the_limit_is_waited_for(monkeypatch):
    """However short the time-out is set: the default is shorter than many an answer of a chat may take."""
    given = {}

    def offer_by(*_, timeout_seconds, **others):
        given.update(others, timeout_seconds=timeout_seconds)
        return run([0.1])

    monkeypatch.setattr(runs, "offer_by", offer_by)
    session = runs.LoadSession("http://127.0.0.1:1", None, None, [b""], Slo(limit_ms=30_000, rate=1), Load(), seed=1)
    session.run(0, 1, 1.0)
    assert given["timeout_seconds"] == 30


def test_runs_that_meet_the_objective_count_every_request():
    """Two planned runs with few misses meet it, and all their requests count as compared."""
    result, _ = evaluated(run(steady(1_250, 4)), run(steady(1_000, 2, seed=1)))
    assert isinstance(result, Evaluated)
    assert result.compared == 2_250


def test_the_first_run_that_tells_is_enough():
    """A service far within its limit needs no second run: that is what its requests count."""
    result, _ = evaluated(run(steady(2_500)), planned=Plan(2, 2_000))
    assert isinstance(result, Evaluated)
    assert result.compared == 2_500
    assert judge.FinishedRuns(SLO, Plan(2, 2_000), [run(steady(2_500))]).decided
    assert not judge.FinishedRuns(SLO, Plan(2, 2_000), [run(steady(2_500, 20))]).decided


def test_a_service_10_per_cent_better_than_its_limit_does_not_fail_by_one_run_above_it():
    """18 of 1,250 are 1.4 %, and by chance: no failure, but the number of requests and the time that would tell."""
    result, _ = evaluated(run(steady(1_250, 18)), run(steady(1_000, 6)))
    assert isinstance(result, NotEvaluated)
    assert "requests would tell, which take" in result.reason
    assert "set requests = " in result.reason
    assert "Shown: 97" in result.reason
    assert "percentile = 0.95 in [slo]" in result.reason


def test_too_many_misses_fail_the_service():
    """Three in a hundred over the limit break a p99, by a bound and not by what one run showed."""
    result, events = evaluated(run(steady(1_250, 15)), run(steady(1_000, 40)))
    assert isinstance(result, Finding)
    assert result.cause == "slow"
    assert result.evidence["missed"] == 55
    assert "at least 1." in result.message
    assert isinstance(events[-1], Evaluated)


def test_requests_without_an_answer_are_misses():
    """A time-out is no short latency that went missing."""
    lost = steady(1_000)
    lost[::20] = np.inf
    result, _ = evaluated(run(steady(1_250, 15)), run(lost))
    assert isinstance(result, Finding)
    assert result.evidence["timed out"] == 50


@pytest.mark.parametrize(
    ("status", "cause"), [(500, "status-500"), (302, "status-302"), (304, "status-304"), (199, "status-199")]
)
def test_a_status_without_an_answer_is_the_cause_and_not_slowness(status, cause):
    """5 % of the answers with an error, or a redirect to a login page: all within the limit, none of them an answer."""
    each = run(steady(1_000))
    each.status[np.arange(1_000) % 20 == 0] = status
    result, _ = evaluated(run(steady(1_250, 8)), each)
    assert isinstance(result, Finding)
    assert result.cause == cause
    assert f"50 of 2,250 requests (2.22 %) ended with 'status {status}'" in result.message
    assert "log" in result.advice
    shares = {m.name: m.value for m in judge.measurements("load", judge.FinishedRuns(SLO, Plan(1, 1_000), [each]))}
    assert shares["error share"] == 0.05


@pytest.mark.parametrize(
    ("waits", "says", "seconds"),
    [
        (("1", "3"), "'Retry-After' asked to wait up to 3.0 s", 3.0),
        (("Wed, 21 Oct 2026 07:28:00 GMT",), "'Retry-After' named a date", None),
        ((), "no 'Retry-After' said for how long", None),
    ],
)
def test_answers_429_under_load_are_one_finding_that_says_rate_limit(waits, says, seconds):
    """With how many there were and what they asked for; whoever reads it looks for no error in the service's log."""
    each = run(steady(1_000))
    each.status[np.arange(1_000) % 20 == 0] = 429
    each.status[1] = 500
    each = replace(each, retry_after=waits)
    _, events = evaluated(run(steady(1_250)), each)
    [found] = [e for e in events if isinstance(e, Finding)]
    assert found.cause == "rate-limit"
    assert found.severity is Severity.ERROR
    assert "because it limits the rate of requests" in found.message
    assert f"50 of 2,250 requests (2.22 %) were refused with status 429, and {says}" in found.message
    assert "1 of 2,250 requests (0.04 %) ended with 'status 500'" in found.message
    assert "rate in [slo]" in found.advice
    assert found.evidence["status 429"] == 50
    assert found.evidence.get("retry_after_seconds") == seconds


def test_a_few_answers_429_of_a_service_that_meets_its_objective_are_information():
    """They are told, and fail nothing."""
    each = run(steady(1_000))
    each.status[7] = 429
    _, events = evaluated(run(steady(1_250)), each)
    [found] = [e for e in events if isinstance(e, Finding)]
    assert (found.cause, found.severity) == ("rate-limit", Severity.INFO)
    assert isinstance(events[-1], Evaluated)


def test_half_of_the_answers_redirected_is_an_error_share_of_a_half():
    """Whatever their latency, they are errors."""
    each = run(steady(1_000))
    each.status[::2] = 302
    measured = list(judge.measurements("load", judge.FinishedRuns(SLO, Plan(1, 1_000), [each])))
    assert next(m.value for m in measured if m.name == "error share") == 0.5


def test_a_service_that_is_slow_and_fails_too_is_slow_and_says_both():
    """Where the late answers alone break the objective, slowness is the cause, and the statuses are told."""
    each = run(steady(1_000, 100))
    each.status[:30] = 503
    result, _ = evaluated(run(steady(1_250, 10)), each)
    assert result.cause == "slow"
    assert "30 of 2,250 requests (1.33 %) ended with 'status 503'" in result.message


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([run(steady(1_250, 9))], "2 runs of 1,000 requests were planned"),
        ([run(steady(1_250, 6)), run(steady(600))], "neither shown nor refuted"),
        ([run(steady(1_250, 8)), run(steady(1_000, 8))], "neither shown nor refuted"),
        ([run(steady(1_250, 22)), run(steady(1_000))], "The service is at its limit"),
        ([run(steady(1_250, 8)), run(steady(1_000, 8), lag=0.02)], "Run 2 is invalid: the generator was late"),
        ([run(np.linspace(0.02, 0.08, 1_250)), run(steady(1_000))], "had not settled"),
    ],
)
def test_runs_that_show_nothing_are_not_evaluated(runs, says):
    """A run too few, too few requests, a borderline count, a late generator, a latency that grows: no verdict."""
    result, _ = evaluated(*runs)
    assert isinstance(result, NotEvaluated)
    assert says in result.reason


def test_too_few_connections_need_no_other_machine():
    narrow = replace(run(np.full(1_250, 0.5)), connections=2, waited=900)
    result, _ = evaluated(narrow, narrow)
    assert "set [load] connections" in result.reason
    assert "larger machine" not in result.reason


def test_a_late_generator_makes_a_failure_invalid_too():
    """What the generator itself got wrong is never the service's fault."""
    late = judge.FinishedRuns(SLO, Plan(2, 1_000), [run(steady(1_250, 9)), run(steady(1_000, 100), lag=0.02)])
    assert late.result.decision == "violated"
    assert not late.decided
    assert isinstance(next(iter(judge.evaluate("load", late))), NotEvaluated)


@pytest.mark.parametrize(("late", "found"), [(50, Finding), (1_250, NotEvaluated)])
def test_errors_of_requests_that_were_sent_in_time_are_the_service_s_own(late, found):
    """A few late requests void nothing there; where all were late, a burst may have caused the errors."""
    broken = run(steady(1_250))
    lag = np.where(np.arange(1_250) < late, 0.5, 0.0)
    broken = replace(broken, status=np.full(1_250, 500, np.int16), sent=broken.scheduled + lag)
    runs = judge.FinishedRuns(SLO, Plan(1, 1_000), [broken])
    assert runs.invalid
    assert runs.decided is (found is Finding)
    result, _ = evaluated(broken, planned=Plan(1, 1_000))
    assert isinstance(result, found)
    assert found is NotEvaluated or result.cause == "status-500"


def test_a_late_generator_leaves_a_result_that_holds():
    """Lateness makes latencies longer: what holds all the same would hold without it."""
    result, _ = evaluated(run(steady(2_500), lag=0.0012), planned=Plan(2, 2_000))
    assert isinstance(result, Evaluated)


def test_a_late_generator_is_not_why_too_few_requests_show_nothing():
    """None of them was over the limit, so that a generator on time would have shown no more."""
    result, _ = evaluated(run(steady(600), lag=0.02), planned=Plan(2, 1_000))
    assert isinstance(result, NotEvaluated)
    assert "would tell" in result.reason
    assert "invalid" not in result.reason


def test_the_warm_up_is_found_and_left_out():
    """A slow start within the warm-up of the first run neither fails nor counts."""
    slow = np.concatenate([np.linspace(0.4, 0.3, 200), steady(1_050)])
    result, _ = evaluated(run(slow), run(steady(1_000)))
    assert isinstance(result, Evaluated)
    measured = {
        e.name: e.value for e in judge.measurements("load", judge.FinishedRuns(SLO, Plan(2, 1_000), [run(slow)]))
    }
    assert 175 <= measured["warm-up"] <= 225
    assert measured["p50"] == pytest.approx(0.02, rel=0.05)
    assert measured["p99 lower bound"] <= measured["p99"] <= measured["p99 upper bound"]


def test_a_plan_that_can_show_nothing_is_refused_beforehand():
    """p99 at 99 % needs hundreds of requests; another percentile gets as many as give the same misses."""
    with pytest.raises(UsageError, match="even without a miss"):
        planning.plan_of(SLO, Load(requests=150))
    assert planning.plan_of(SLO, Load()) == Plan(3, 10_000)
    assert planning.plan_of(Slo(limit_ms=1, rate=1, percentile=0.9), Load()).requests == pytest.approx(959, abs=2)


def test_the_default_plan_fits_in_ten_minutes_at_ten_requests_a_second():
    """The size of a run is what the budget holds, and enough to show a p99; a slower rate is told what it can show."""
    slo, load = Slo(limit_ms=250, rate=10), Load()
    planned = planning.plan_of(slo, load, 600.0)
    assert planned == Plan(3, 1_661)
    assert 500 < planning.duration(slo, load, planned) < 600
    with pytest.raises(UsageError, match="even without a miss"):
        planning.plan_of(Slo(limit_ms=250, rate=1), load, 600.0)
    told = planning.choices(Slo(limit_ms=250, rate=1), load)
    assert "p99 12 min" in told
    assert "p95 2 min" in told
    assert "p99.9" not in told


def test_every_request_is_in_the_file_and_the_charts():
    """The Parquet file has one row a scheduled request; the charts are SVG without script, also of no answers."""
    runs = [run([*steady(900), *[np.inf] * 100]), run(steady(1_000))]
    frame = pd.read_parquet(io.BytesIO(all_requests("load", runs).content))
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
        (diagnosis.ServiceActivity(100, 10, [0.4, 0.5]), True),
        (diagnosis.ServiceActivity(100, 95, [0.4, 0.5]), False),  # it works as hard as it can
        (diagnosis.ServiceActivity(100, 10, [0.001, 0.002]), False),  # the readiness path is free: a pool, a dependency
        (diagnosis.ServiceActivity(100, 10, [*[0.001] * 60, 0.4, 0.9]), True),  # the quick ones came before the load
        (diagnosis.ServiceActivity(100, 10, [*[0.001] * 90, 0.4, 0.4, *[0.001] * 90]), False),  # the machine stalled
        (
            diagnosis.ServiceActivity(100, 10, [0.01, 0.4, 0.7, 2.0, 1.0, *[0.001] * 90]),
            True,
        ),  # quick ones when it ended
        (diagnosis.ServiceActivity(100, 10, [0.03, 0.04], [0.012] * 9), False),  # every thread waits for a core
        (diagnosis.ServiceActivity(100, 10, [0.4, 0.5], [0.006] * 9), True),  # the service waits much longer
        (diagnosis.ServiceActivity(0, 0, [0.4]), False),  # no sample
    ],
)
def test_a_service_that_sleeps_while_every_request_waits_is_blocked(seen, expected):
    """Asleep and unreachable is a blocking call; busy, or reachable, is not."""
    assert diagnosis.event_loop_blocked(seen, 0.5) is expected


def test_a_readiness_path_that_is_slow_without_load_says_nothing():
    """Such as 40 ms for a delayed acknowledgement, in a server that writes head and body apart."""
    seen = diagnosis.ServiceActivity(100, 10, [0.046, 0.047, 0.045])
    assert diagnosis.event_loop_blocked(seen, 0.2)
    assert not diagnosis.event_loop_blocked(seen, 0.2, ease_seconds=0.043)


@pytest.mark.parametrize(
    ("descriptors", "expected"),
    [(["socket:[7]", "anon_inode:[eventpoll]"], True), (["socket:[7]", "/dev/null"], False), ([], True)],
)
def test_workers_without_an_event_loop_have_no_blocking_call_in_one(tmp_path, descriptors, expected):
    """A worker of gunicorn waits for its socket alone; where nothing can be seen, nothing is claimed."""
    folder = tmp_path / "999999999" / "fd"
    folder.mkdir(parents=True)
    for number, target in enumerate(descriptors):
        (folder / str(number)).symlink_to(target)
    assert diagnosis.has_event_loop(999_999_999, tmp_path) is expected


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
    return Trial(pipeline, capture(pipeline, requests), policy=Policy(service=service_settings(settings)))


def run_check(made):
    with made:
        (planned,) = plan([check], made)
        return run_case(*planned[:1], made, planned[1])


def test_the_check_does_not_run_without_an_objective():
    """A service without a declared objective has no case, and a pipeline without a service neither."""
    assert check.stages(trial("")) == []


def test_one_budget_is_shared_by_the_cases_that_still_have_to_run():
    """Each case keeps to its own budget and to its share of what is left for all, counted from the first."""
    made = trial("", stress={"budget_seconds": 100})
    now = time.monotonic()
    assert deadline(made, 600) - now == pytest.approx(100, abs=5)
    assert deadline(made, 600, share=1 / 2) - now == pytest.approx(50, abs=5)
    assert deadline(made, 20) - now == pytest.approx(20, abs=5)
    assert budget_end(made) - now == pytest.approx(100, abs=5)
    assert deadline(trial(""), 600) - now == pytest.approx(600, abs=5)


@pytest.mark.parametrize("section", ["load", "stress"])
def test_a_plan_that_does_not_fit_is_not_evaluated(section):
    """Hours of load are refused before the service is started, with what to type."""
    events = run_check(trial("", slo={"limit_ms": 100, "rate": 5}, **{section: {"budget_seconds": 60}}))
    (result,) = events
    assert isinstance(result, NotEvaluated)
    assert "budget_seconds" in result.reason


def test_the_warm_up_of_a_profile_is_evaluated_by_itself():
    """Latency that follows the rate is no warm-up; the constant-rate run ahead must have settled, and no run is cut."""
    wavy = run(0.02 + 0.01 * (np.arange(1_000) % 500 > 250))
    runs = judge.FinishedRuns(SLO, Plan(1, 1_000), [wavy], run(steady(250)))
    assert isinstance(next(iter(judge.evaluate("load", runs))), Evaluated)
    assert len(runs.latencies()[0]) == 1_000
    growing = judge.FinishedRuns(SLO, Plan(1, 1_000), [wavy], run(np.linspace(0.02, 0.08, 250)))
    assert isinstance(next(iter(judge.evaluate("load", growing))), NotEvaluated)


@pytest.mark.parametrize(("degraded", "causes"), [(2, []), (20, ["degraded-under-load"])])
def test_a_degraded_answer_under_load_is_a_miss_and_no_changed_answer(degraded, causes):
    """It is flagged as degraded: few are allowed, as few late ones are, and many are a finding of their own."""
    recorded, rows = expected(trial("")), np.arange(100) % 40
    wrong = [{"id": f"r{row}", "score": 0.0, "degraded": True} for row in rows[:degraded]]
    right = [{**answer({"id": f"r{row}", "x": row / 7}), "degraded": False} for row in rows[degraded:]]
    answers = [RequestResult(n, 200, json.dumps(each).encode()) for n, each in enumerate([*wrong, *right])]
    found = compare_samples("load", recorded, replace(run(steady(100)), answers=answers), rows, SLO)
    assert (found.compared, found.degraded) == (100 - degraded, degraded)
    assert [f.cause for f in found.findings] == causes
