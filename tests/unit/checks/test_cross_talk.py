"""Cross-talk: a service that gives a request the answer of another fails with the cause, however it does it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial import Outcome, Pipeline, Service, capture, run
from seatrial.checks.load.answers import compare_samples
from seatrial.checks.load.asked import key_texts
from seatrial.checks.serving.cross_talk import OtherAnswer, same_form, set_apart
from seatrial.checks.serving.expected import Expected, expected
from seatrial.events import Finding, Severity, Verdict
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.wire.generator import Generator
from seatrial.loadgen.wire.http1 import HttpConnection
from seatrial.policy.load import Slo
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.targets.inprocess import InProcessService
from seatrial.targets.messages import Response
from seatrial.trial import Trial
from tests.support import tiny

Answers = list[dict[str, Any]]
PIPELINE = Pipeline("tiny", key="id", raw=tiny.parse, response=tiny.respond)
REFERENCE = capture(PIPELINE, tiny.requests())
RECORDS = {r["id"]: r for r in map(json.loads, tiny.requests()["payload"])}


def right(record: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = tiny.service.answer(record)
    return answer


def other(record: dict[str, Any], instead: dict[str, str]) -> dict[str, Any]:
    """The right answer to another request than the one that was sent, for those that are named."""
    return right(RECORDS[instead.get(record["id"], record["id"])])


def verdict_of(service: InProcessService) -> Verdict:
    policy = Policy(service=service_settings({"golden": {"batch_size": 16}}))
    return run(PIPELINE, REFERENCE, ["golden"], policy=policy, service=service)


def served(one: Callable[[dict[str, Any]], Any], many: Callable[[Answers], Any] | None = None) -> InProcessService:
    """A service that answers one request, or a batch, with a function."""

    def handle(request: httpx.Request) -> httpx.Response:
        told = json.loads(request.content)
        return httpx.Response(200, json=many(told) if many and isinstance(told, list) else one(told))

    return InProcessService(handle, path="/score", key="id", batch="/batch" if many else None)


def errors(verdict: Verdict) -> list[Finding]:
    return [f for f in verdict.findings if f.severity is Severity.ERROR and not f.downstream]


SWAP = {"t4": "t5", "t5": "t4"}


def each(instead: dict[str, str]) -> Callable[[Answers], Answers]:
    return lambda records: [other(r, instead) for r in records]


@pytest.mark.parametrize(
    ("one", "many", "mode", "count", "asked", "answered"),
    [
        pytest.param(lambda r: other(r, SWAP), None, "one by one", 2, ["t4", "t5"], ["t5", "t4"], id="two swapped"),
        pytest.param(
            lambda _: right(RECORDS["t5"]), None, "one by one", 59, ["t0", "t1", "t2", "t3", "t4"], ["t5"] * 5,
            id="one answer for all",
        ),
        pytest.param(
            lambda r: other(r, {"t9": "t8"}), None, "one by one", 1, ["t9"], ["t8"], id="one with that of another"
        ),
        pytest.param(
            right, lambda rs: [right(RECORDS["t5"])] * len(rs), "in batches", 59,
            ["t0", "t1", "t2", "t3", "t4"], ["t5"] * 5, id="one answer for all of a batch",
        ),
        pytest.param(right, each({"t4": "t40"}), "in batches", 1, ["t4"], ["t40"], id="that of another batch"),
        pytest.param(right, each({"t4": "t5"}), "in batches", 1, ["t4"], ["t5"], id="that of a neighbour"),
        pytest.param(
            right, lambda rs: {"model": "m", "took_ms": 3, "answers": each({"t4": "t40", "t40": "t4"})(rs)},
            "in batches", 2, ["t4", "t40"], ["t40", "t4"], id="swapped between batches",
        ),
    ],
)  # fmt: skip
def test_the_answer_to_another_request_fails(one, many, mode, count, asked, answered):
    verdict = verdict_of(served(one, many))
    assert verdict.outcome is Outcome.FAIL, verdict.summary
    finding = next(f for f in errors(verdict) if f.cause == "other-request")
    assert finding.stage == "service"
    assert f"Requests sent {mode}: {count} of 60 answers" in finding.message
    assert finding.evidence["mismatches"] == count
    assert (finding.evidence["keys"], finding.evidence["answered_keys"]) == (asked, answered)
    assert {f.cause for f in errors(verdict)} == {"other-request"}, "they are missing for no other reason"


def test_values_swapped_inside_a_batch_under_the_right_keys_are_wrong_values():
    """Here the keys came back, and what they name did not."""

    def many(records: Answers) -> Answers:
        return [{**other(r, SWAP), "id": r["id"]} for r in records]

    verdict = verdict_of(served(right, many))
    assert verdict.outcome is Outcome.FAIL
    assert {c for f in errors(verdict) for c in f.evidence.get("columns", [f.column])} >= {"count", "score"}


@pytest.mark.parametrize(
    "many",
    [
        pytest.param(lambda rs: [right(r) for r in reversed(rs)], id="in another order, with their keys"),
        pytest.param(lambda rs: {"took_ms": 2, "model": "m", "v": 1, "rows": [right(r) for r in rs]}, id="an envelope"),
        pytest.param(
            lambda rs: {"rows": [right(r) for r in rs], "warnings": [{"text": "late"}] * 2}, id="two lists, one fits"
        ),
        pytest.param(lambda rs: [{k: v for k, v in right(r).items() if k != "id"} for r in rs], id="without keys"),
    ],
)
def test_batches_that_answer_every_request_pass(many):
    verdict = verdict_of(served(right, many))
    assert verdict.outcome is Outcome.PASS, (verdict.summary, verdict.findings)
    assert not [f for f in verdict.findings if f.cause == "other-request"]


class Mixing(httpx.AsyncBaseTransport):
    """A service whose concurrent requests are answered from one shared variable."""

    record: dict[str, Any]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={})
        self.record = json.loads(await request.aread())
        for _ in range(3):
            await asyncio.sleep(0)
        return httpx.Response(200, json=right(self.record))


def test_whole_answers_of_others_under_concurrency_are_told_as_such():
    """The request that is read after the wait is another's: alone it is right, and the finding says so."""
    verdict = verdict_of(InProcessService(Mixing(), path="/score", key="id"))
    finding = next(f for f in errors(verdict) if f.cause == "other-request")
    assert "Sent again, one at a time, the same requests get answers with their own keys." in finding.message
    assert "concurrent" in finding.advice


def test_a_key_that_no_request_has_is_missing_and_new():
    """A constant that names nobody, and a key that the service spells otherwise."""
    for spelt in (lambda _: "warm-up", str.upper):
        verdict = verdict_of(served(lambda r, spelt=spelt: {**right(r), "id": spelt(r["id"])}))
        assert verdict.outcome is Outcome.FAIL
        assert {"missing-keys", "extra-keys"} <= {f.cause for f in errors(verdict)}


# --- one message, by itself ------------------------------------------------------------------------------


KEYS = st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True)


@given(keys=KEYS, order=st.randoms())
@settings(deadline=None)
def test_every_order_of_all_own_keys_is_an_answer(keys, order):
    rows = [{"id": str(k)} for k in keys]
    order.shuffle(rows)
    own, others = set_apart(rows, keys, "id", {(str(n),) for n in range(31)}, several=False)
    assert (own, others) == (rows, [])


@given(keys=KEYS, told=st.data())
@settings(deadline=None)
def test_what_is_set_apart_and_what_is_kept_are_all_there_is(keys, told):
    """Each kept row has a key that was asked, once; each other is counted; and no request is told twice."""
    answered = told.draw(st.lists(st.integers(0, 30), min_size=len(keys), max_size=len(keys)))
    own, others = set_apart(
        [{"id": k} for k in answered], keys, "id", {(str(n),) for n in range(31)}, several=False
    )  # fmt: skip
    kept = [row["id"] for row in own]
    assert sorted([*kept, *(o.answered for o in others)]) == sorted(answered)
    assert len(set(kept)) == len(kept)
    assert set(kept) == set(keys) & set(answered)
    assert len(kept) + len({o.asked for o in others}) == len(keys)
    assert not {o.asked for o in others} & set(kept)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (5, "5"), (5, 5.0), ("2025-03-01T10:00:00Z", "2025-03-01T12:00:00+02:00"), (("a", 5), ("a", 5.0)),
    ],
)  # fmt: skip
def test_a_key_is_the_same_however_it_crossed_the_wire(asked, told):
    assert same_form(asked) == same_form(told)


def test_several_rows_of_one_request_are_one_answer_of_another():
    """A list of rows counts once for the request whose key they have."""
    known = {("a",), ("b",)}
    rows = [{"id": "b", "item": n} for n in range(3)]
    assert set_apart(rows, ["a"], "id", known, several=True) == ([], [OtherAnswer("a", "b")])
    assert set_apart(rows, ["b"], "id", known, several=True) == (rows, [])
    assert set_apart(rows, [None], "id", known, several=True) == (rows, [])


# --- under load --------------------------------------------------------------------------------------------

LOADED = Pipeline(
    "loaded", key="id", raw=lambda frame: frame,
    response=lambda frame: pd.DataFrame({"id": frame["id"], "score": frame["x"] / 4}),
    service=Service(["serve", "{port}"]),
)  # fmt: skip
SENT = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": [n / 8 for n in range(40)]})
SLO = Slo(limit_ms=100, rate=100)


@pytest.fixture(scope="module")
def loaded() -> Expected:
    return expected(Trial(LOADED, capture(LOADED, SENT)))


def body(row: int, **changed: Any) -> bytes:
    return json.dumps({"id": f"r{row}", "score": row / 32, **changed}).encode()


def offered(answers: dict[int, bytes], kept: set[int], expect: Sequence[bytes] = ()) -> LoadRun:
    """A finished run of 1,000 requests to 40 rows in turn; answers that differ are given by their place."""
    at = np.arange(1, 1_001) / 100

    async def finished() -> LoadRun:
        generator = Generator(
            "127.0.0.1", 1, [b""], timeout=1.0, connections=1, keep=frozenset(kept), order=range(40), expect=expect
        )
        generator.finished = asyncio.Event()
        generator.due = generator.done = [0.0] * 1_000
        generator.status, generator.outcome = [0] * 1_000, [0] * 1_000
        for n in range(1_000):
            connection = HttpConnection(generator)
            generator.busy[n] = connection
            generator.answered(connection, n, 200, answers.get(n, body(n % 40)))
        return LoadRun(
            at, at, at + 0.01, np.asarray(generator.status, dtype=np.int16), np.zeros(1_000, np.uint8), 8,
            answers=generator.answers,
        )  # fmt: skip

    return asyncio.run(finished())


ROWS = np.arange(1_000) % 40
SAMPLED = set(range(0, 1_000, 50))


@pytest.mark.parametrize(
    ("answers", "count", "mixed"),
    [
        pytest.param({}, 0, True, id="clean"),
        pytest.param({501: body(22), 502: body(21)}, 2, True, id="one in a thousand swapped, in no sample"),
        pytest.param({500: body(21), 501: body(20)}, 2, True, id="one of two in the samples"),
        pytest.param({n: body(5) for n in range(1_000)}, 975, True, id="one answer for all"),
        pytest.param({7: body(7, id="warm-up")}, 1, False, id="a key that nobody has"),
        pytest.param(
            {7: json.dumps({"score": 7 / 32, "id": "r7"}, indent=1).encode()}, 0, True, id="written otherwise"
        ),
    ],
)
def test_every_answer_under_load_names_the_key_that_was_asked(loaded, answers, count, mixed):
    texts = key_texts(loaded, Response(200, {}, body(0), 0.0))
    each = offered(answers, SAMPLED, [texts[row] for row in ROWS])
    found = compare_samples("load", loaded, each, ROWS, SLO, every_key=True)
    if not count:
        assert not found.findings
        return
    (finding,) = found.findings
    assert finding.cause == ("other-request" if mixed else "load-changes-answers")
    assert f"{count} of 1,000 answers" in finding.message
    assert finding.evidence["mismatches"] == count


def test_answers_that_cannot_be_read_are_counted_among_all_that_were_looked_at(loaded):
    texts = key_texts(loaded, Response(200, {}, body(0), 0.0))
    each = offered(dict.fromkeys((7, 501, 502), b"<html>"), SAMPLED, [texts[row] for row in ROWS])
    (finding,) = compare_samples("load", loaded, each, ROWS, SLO, every_key=True).findings
    assert "3 of 1,000 answers" in finding.message
    assert finding.evidence == {"rows": 1_000, "missing": 3}


def test_a_sampled_answer_that_cannot_be_read_though_it_holds_its_key_is_one_of_the_samples(loaded):
    texts = key_texts(loaded, Response(200, {}, body(0), 0.0))
    each = offered({n: b"\xef\xbb\xbf" + body(n % 40) for n in range(1_000)}, SAMPLED, [texts[row] for row in ROWS])
    (finding,) = compare_samples("load", loaded, each, ROWS, SLO, every_key=True).findings
    assert "20 of 20 sampled answers" in finding.message


def test_a_key_that_is_null_is_the_difference(loaded):
    each = offered({n: body(n % 40).replace(b'"r%d"' % (n % 40), b"null") for n in range(1_000)}, SAMPLED)
    (finding,) = compare_samples("load", loaded, each, ROWS, SLO).findings
    assert (finding.column, finding.cause) == ("id", "load-changes-answers")
    assert "20 of 20 sampled answers" in finding.message


def test_sampled_answers_are_looked_at_where_the_key_s_form_is_not_known(loaded):
    """The message says that it was a sample."""
    each = offered({50: body(11), 51: body(10)}, SAMPLED)
    (finding,) = compare_samples("load", loaded, each, ROWS, SLO).findings
    assert (finding.cause, finding.evidence["keys"]) == ("other-request", ["r10"])
    assert "1 of 20 sampled answers" in finding.message
    assert finding.evidence["answered_keys"] == ["r11"]


def test_wrong_values_beside_a_strangely_written_key_are_found(loaded):
    """An answer that lacks its key is compared too, wherever it stands in the run."""
    texts = key_texts(loaded, Response(200, {}, body(0), 0.0))
    each = offered({501: b'{"score": 77.0}'}, SAMPLED, [texts[row] for row in ROWS])
    (finding,) = compare_samples("load", loaded, each, ROWS, SLO, every_key=True).findings
    assert (finding.column, finding.cause) == ("score", "load-changes-answers")


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (b'{"id": "r0", "score": 0.0}', b'"id": "r3",'),
        (b'{"score":0.0,"id":"r0"}', b'"id":"r3"}'),
        (b'[{"id" : "r0" }]', b'"id" : "r3" }'),
        (b'{"score": 0.0}', None),
        (b'{"echo": {"id": "r0"}, "id": "r0"}', None),
        (b'{"id": "r1"}', None),
    ],
)
def test_the_form_of_a_key_is_learned_from_the_first_answer(loaded, first, text):
    texts = key_texts(loaded, Response(200, {}, first, 0.0))
    assert (texts[3] if texts else None) == text
    assert not key_texts(loaded, Response(503, {}, first, 0.0))


@pytest.mark.parametrize(
    ("keys", "first", "text"),
    [
        ([5, 50, 7], b'{"id":5,"score":1}', b'"id":50,'),
        ([5, 50, 7], b'{"id":"5"}', b'"id":"50"}'),
        (["a", "\u00e9", "b"], b'{"id":"a"}', b'"id":"\\u00e9"}'),
    ],
)
def test_keys_of_every_kind_are_written_as_the_service_writes_them(loaded, keys, first, text):
    texts = key_texts(replace(loaded, asked=keys), Response(200, {}, first, 0.0))
    assert texts[1] == text
