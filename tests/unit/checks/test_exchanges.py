"""Requests and answers that are kept of a load run and of a service that runs already."""

from __future__ import annotations

import numpy as np

from seatrial import HttpRequest, Pipeline, Service, capture
from seatrial.checks.exchanges import keep_exchange, keep_failed
from seatrial.checks.load.answers import _rows
from seatrial.checks.serving.expected import expected
from seatrial.errors import AnswerError
from seatrial.events.local import Exchange, LocalEvidence, Pair
from seatrial.loadgen.results import ANSWERED, LoadRun, RequestResult
from seatrial.targets.messages import Asked, Response
from seatrial.trial import Trial
from tests.support.tiny import parse, requests, respond

AT = Service(url="https://staging.example/ml", predict="/score", headers={"X-Key": "{env:STAGING_KEY}"})


def trial(service: Service | None = None) -> Trial:
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=service)
    made = Trial(pipeline, capture(pipeline, requests(8)))
    made.local = LocalEvidence()
    return made


def exchanges(own: Trial) -> list[Exchange]:
    return [r for r in own.local.records if isinstance(r, Exchange)]


def load_run(*statuses: int) -> LoadRun:
    times = np.arange(len(statuses), dtype=float)
    answers = [RequestResult(n, s, f"body {n}".encode(), {"x": "y"}) for n, s in enumerate(statuses)]
    outcome = np.full(len(statuses), ANSWERED, dtype=np.uint8)
    return LoadRun(times, times, times + 0.25, np.array(statuses, dtype=np.int16), outcome, 4, answers=answers)


def test_a_sample_of_the_failing_requests_of_a_load_run_is_kept():
    """Each with the request that was sent for its row, three of each status, and no success."""
    own = trial()
    sent = [HttpRequest(f"row {n}".encode(), "text/csv", headers={"X-Own": "1"}, path="/score") for n in range(8)]
    rows = np.array([7, 6, 5, 4, 3, 2, 1])
    keep_failed(own, "load", load_run(200, 500, 500, 500, 500, 503, 200), sent, rows, "http://ann:pw@127.0.0.1:80")
    kept = exchanges(own)
    assert [(e.status, e.body) for e in kept] == [(500, b"row 6"), (500, b"row 5"), (500, b"row 4"), (503, b"row 2")]
    assert kept[0].url == "http://127.0.0.1:80/score"
    assert kept[0].headers == {"content-type": "text/csv", "x-own": "1"}
    assert (kept[0].answer, kept[0].seconds, kept[0].how) == (b"body 1", 0.25, "under load, status 500")


def test_what_every_request_carries_is_kept_as_it_is_declared():
    """The placeholder of a secret stands for it; a protocol that shows no request says so."""
    own = trial(AT)
    asked = Asked("POST", "https://staging.example/ml/score", {"accept": "*/*"}, b"{}")
    keep_exchange(own, "golden", "status-500", Response(500, {}, b"", 0.1, asked=asked))
    silent = AnswerError("It did not answer in time.")
    keep_exchange(own, "golden", "no-answer", silent)
    first, second = exchanges(own)
    assert first.headers == {"accept": "*/*", "x-key": "{env:STAGING_KEY}"}
    assert second.note == "It did not answer in time. This protocol does not show its requests."
    assert (second.method, second.status) == ("", 0)


def test_nothing_is_kept_by_default():
    """A run of a user's own tests keeps nothing."""
    own = trial()
    own.local = LocalEvidence(0)
    keep_failed(own, "load", load_run(500), [HttpRequest()], [0], "http://127.0.0.1:80")
    keep_exchange(own, "golden", "status-500", None)
    assert own.local.records == ()


def test_answers_under_load_are_kept_beside_the_recorded_ones():
    """By the key, with its number where a row was asked several times."""
    known = expected(trial(Service(["x", "{port}"], predict="/score")))
    score = known.frame["score"].iloc[1]
    answers = [({"id": "t1", "score": score}, 1), ({"id": "t1", "score": 9.5}, 1)]
    assert _rows(known, answers, "score", ["t1 #1"]) == (Pair("t1", repr(float(score)), "9.5"),)
