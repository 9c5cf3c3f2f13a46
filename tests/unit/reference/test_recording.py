"""A replay answers as the live client did: for any of the keys, in any order and batch, whatever the shape."""

from __future__ import annotations

import datetime
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, capture
from seatrial.errors import PipelineError, StageError
from seatrial.io import exact_json
from seatrial.reference.recording import Answers, RecordedClient, RecordingClient, repeat

KNOWN = 40
TABLE = pd.DataFrame(
    {
        "customer": [f"c-{i:03d}" for i in range(KNOWN)],
        "balance": np.linspace(-5, 5, KNOWN),
        "orders": pd.array([i if i % 7 else None for i in range(KNOWN)], dtype="Int64"),
        "country": ["NA" if i % 5 else None for i in range(KNOWN)],
    }
)
RATES = {"EUR": 1.0, "JPY": 0.006}


class Store:
    """A client that answers in every form that people write."""

    region = "eu"
    limits = {"daily": 3}  # noqa: RUF012

    def columns(self, customer):
        return TABLE[TABLE["customer"].isin(list(customer))].sort_values("balance", ascending=False)

    def in_order(self, customer):
        return self.joined(customer, TABLE)

    def joined(self, customer, table):
        rows = pd.DataFrame({"customer": list(customer)}).merge(table, on="customer", how="left")
        return rows[rows["customer"].isin(TABLE["customer"])].reset_index(drop=True)

    def renamed(self, ids):
        return self.in_order(ids).rename(columns={"customer": "who"})

    def by_index(self, customer):
        return TABLE.set_index("customer").loc[[c for c in customer if c in set(TABLE["customer"])]]

    def by_nameless_index(self, customer):
        return self.by_index(customer).rename_axis(None)

    def balance(self, customer):
        return self.by_index(customer)["balance"]

    def mapped(self, customer):
        return customer.map(TABLE.set_index("customer")["balance"])

    def positions(self, customer):
        return self.mapped(pd.Series(list(customer))).reset_index(drop=True)

    def mapping(self, customer):
        known = TABLE.set_index("customer")["orders"]
        return {c: {"orders": None if pd.isna(known[c]) else int(known[c])} for c in customer if c in known}

    def listed(self, customer):
        return [None if c not in set(TABLE["customer"]) else int(c[2:]) for c in customer]

    def array(self, customer):
        return np.array([float(c[2:]) for c in customer], dtype="float32")

    def vectors(self, customer):
        return np.array([[float(c[2:]), 1.0] for c in customer])

    def fan_out(self, customer):
        return self.joined(customer, pd.concat([TABLE, TABLE.iloc[::2].assign(balance=99.0)]))

    def grouped(self, customer):
        rows = self.fan_out(customer)
        return rows.iloc[np.argsort(rows["customer"].factorize()[0], kind="stable")].reset_index(drop=True)

    def wide(self, columns, customer):
        return self.in_order(customer)[["customer", *columns]]

    def pairs(self, keys):
        return keys.merge(TABLE, on="customer").assign(at=lambda f: f["day"] * 2)

    def pairs_by_index(self, keys):
        return self.pairs(keys).set_index(["customer", "day"])

    def rate(self, currency, *, default=None):
        return RATES.get(currency, default)

    def settings(self):
        return {"factor": math.nan, "names": ["ä", "\ud800"], "deep": {"x": [1, 2.5, None, True]}}

    def fails(self, currency):
        raise LookupError(currency)

    def by_number(self):
        return {1: "a"}

    def everything(self):
        return TABLE

    async def later(self, customer):
        return self.columns(customer)


def recorded(*asks, client: Any = None, stored=None) -> tuple[Any, RecordedClient]:
    """Record what ``asks`` make of the client, and return the client and its stand-in."""
    client = client or Store()
    recorder = RecordingClient("store", client)
    for ask in asks:
        ask(recorder)
    answers = recorder.answers()
    return client, RecordedClient("store", stored(answers) if stored else answers)


def through_storage(answers: Answers) -> Answers:
    """Return answers as they come back from a reference on disk."""
    import tempfile
    from pathlib import Path

    from seatrial.reference.layout.entries import write_answers
    from seatrial.reference.snapshot import Reference

    with tempfile.TemporaryDirectory() as root:
        manifest = {"dependencies": {"store": write_answers("store", answers, Path(root))}}
        return Reference(Path(root), manifest).answers("store")


def asked(count: int = KNOWN + 5, *, seed: int = 0, repeats: bool = True, index: bool = True) -> pd.Series:
    """Keys in a drawn order, some of them unknown to the store, some asked twice, under an index of their own."""
    rng = np.random.default_rng(seed)
    keys = [f"c-{i:03d}" for i in rng.permutation(count)]
    series = pd.Series(keys + (keys[:6] if repeats else []), name="customer", dtype="object")
    return series.set_axis(rng.permutation(len(series)) * 3 + 1, axis=0) if index else series


def same(one: Any, other: Any, *, order: bool = True) -> None:
    """Assert that two answers are the same: type, values, names and index."""
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame | pd.Series):
        if not order:
            one, other = (f.sort_values(list(f.columns)).reset_index(drop=True) for f in (one, other))
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one.reset_index(), other.reset_index(), check_dtype=False)
        else:
            pd.testing.assert_series_equal(one, other, check_dtype=False)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    else:
        assert one == other


FAITHFUL = ["in_order", "renamed", "by_index", "balance", "mapped", "positions", "mapping", "listed", "fan_out"]


@pytest.mark.parametrize("method", FAITHFUL)
def test_what_was_asked_in_one_batch_answers_every_other_batch(method):
    """Recorded once for all keys, a lookup answers parts, single keys, shuffled keys and repeats like the client."""
    client, replayer = recorded(lambda c: getattr(c, method)(asked()), stored=through_storage)
    batches = [asked(), asked(seed=3), asked(seed=4, repeats=False), asked(seed=5, index=False), asked().iloc[7:19]]
    for batch in [*batches, *(asked().iloc[[i]] for i in range(8)), asked().iloc[:0]]:
        same(getattr(replayer, method)(batch), getattr(client, method)(batch))


@pytest.mark.parametrize("method", ["array", "vectors"])
def test_arrays_stay_arrays(method):
    """An array comes back as an array of the same shape and type."""
    client, replayer = recorded(lambda c: getattr(c, method)(asked()), stored=through_storage)
    for batch in (asked(seed=1), asked().iloc[3:4]):
        same(getattr(replayer, method)(batch), getattr(client, method)(batch))


def test_an_order_of_the_clients_own_is_kept():
    """A client that sorts its answer its own way is replayed in that way, for any part of the keys."""
    client, replayer = recorded(lambda c: c.columns(asked()), stored=through_storage)
    for batch in (asked(seed=2), asked(seed=2).iloc[5:20]):
        same(replayer.columns(batch), client.columns(batch).reset_index(drop=True))


def test_a_key_that_was_asked_twice_is_answered_once_where_the_client_puts_its_rows_together():
    """As a merge of pandas before 2.2 does, which repeats all rows of a key in one place."""
    client, replayer = recorded(lambda c: c.grouped(asked()), stored=through_storage)
    for batch in (asked(seed=2), asked(seed=2, repeats=False), asked().iloc[[0]], asked().iloc[[0, 0]]):
        same(replayer.grouped(batch), client.grouped(batch), order=False)


def test_a_nameless_index_still_joins():
    """An index without a name holds the keys all the same."""
    _, replayer = recorded(lambda c: c.by_nameless_index(asked()), stored=through_storage)
    batch = asked(seed=8, repeats=False)
    joined = batch.to_frame().join(replayer.by_nameless_index(batch), on="customer")
    expected = batch.to_frame().join(TABLE.set_index("customer"), on="customer")
    pd.testing.assert_frame_equal(joined, expected, check_dtype=False)


@pytest.mark.parametrize("method", FAITHFUL)
def test_several_batches_are_one_record(method):
    """Keys asked in several batches, some of them empty, answer as if asked in one."""
    batches = [asked().iloc[:0], asked().iloc[:20], asked().iloc[15:], asked().iloc[3:5]]
    client, replayer = recorded(*[lambda c, b=b: getattr(c, method)(b) for b in batches], stored=through_storage)
    same(getattr(replayer, method)(asked(seed=9)), getattr(client, method)(asked(seed=9)))


def test_an_answer_may_hold_lists_and_mappings():
    """Cells that cannot be keys are data, also where the key column is named otherwise than it was asked."""

    class Vectors:
        def get(self, ids):
            return pd.DataFrame({"v": [[len(i), 1] for i in ids], "d": [{i: 1} for i in ids], "who": list(ids)})

    client, replayer = recorded(lambda c: c.get(asked()), client=Vectors(), stored=through_storage)
    for batch in (asked(seed=1), asked().iloc[2:3]):
        same(replayer.get(batch), client.get(batch))


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.Index, pd.Series, lambda k: k.astype("category")])
def test_keys_may_come_as_any_column(make):
    """A list, array, Index, Series or category of the same keys asks the same question."""
    client, replayer = recorded(lambda c: c.in_order(make(asked())), stored=through_storage)
    same(replayer.in_order(make(asked(seed=1))), client.in_order(list(asked(seed=1))))
    same(replayer.in_order(list(asked(seed=2))), client.in_order(list(asked(seed=2))))


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64", "uint8", "object"])
def test_numbers_are_the_same_key_in_every_dtype(dtype):
    """A key is found again when a smaller batch has another dtype, and big ones are not rounded together."""

    class Numbers:
        def twice(self, ids):
            return pd.DataFrame({"id": list(ids)}).assign(twice=lambda f: f["id"] * 2)

    big = [2**60 + i for i in range(4)]
    _, replayer = recorded(lambda c: c.twice(pd.Series([*range(9), *big], name="id")), client=Numbers())
    assert replayer.twice(pd.Series([3, 1], dtype=dtype, name="id"))["twice"].tolist() == [6, 2]
    assert replayer.twice(pd.Series(big[:2], dtype="object", name="id"))["twice"].tolist() == [2**61, 2**61 + 2]


@pytest.mark.parametrize("null", [None, np.nan, pd.NA, pd.NaT])
def test_a_null_key_is_a_key(null):
    """A client that is asked about nothing and answers is replayed; every null is the same null."""

    class Nulls:
        def known(self, ids):
            return pd.DataFrame({"id": list(ids), "known": [not pd.isna(i) for i in ids]})

    _, replayer = recorded(lambda c: c.known(pd.Series(["a", None], name="id", dtype=object)), client=Nulls())
    assert replayer.known(pd.Series([null, "a"], name="id", dtype=object))["known"].tolist() == [False, True]


@pytest.mark.parametrize("method", ["pairs", "pairs_by_index"])
def test_composite_keys_are_frames(method):
    """A frame of key columns asks for its rows; the same columns in other rows find their own."""
    keys = pd.DataFrame({"customer": asked(repeats=False, index=False), "day": range(KNOWN + 5)})
    client, replayer = recorded(lambda c: getattr(c, method)(keys), stored=through_storage)
    part = keys.sample(9, random_state=1)
    same(getattr(replayer, method)(part), getattr(client, method)(part))
    with pytest.raises(PipelineError, match=r"9 keys that capture never requested"):
        getattr(replayer, method)(part.assign(day=part["day"] + 1))


def test_a_list_beside_the_keys_is_an_argument():
    """``columns=[...]`` beside a Series of keys names columns; another choice of columns is another question."""
    client, replayer = recorded(lambda c: c.wide(["balance"], asked()), stored=through_storage)
    same(replayer.wide(["balance"], asked(seed=6)), client.wide(["balance"], asked(seed=6)))
    with pytest.raises(PipelineError, match="not recorded at capture"):
        replayer.wide(["orders"], asked())


def test_plain_calls_keep_their_json():
    """Calls without keys are told apart by their arguments; NaN, nesting and text that is not Unicode come back."""
    day = datetime.date(2024, 2, 29)
    client, replayer = recorded(
        lambda c: (c.rate("EUR"), c.rate("XXX", default=day.day), c.settings(), c.rate(np.str_("JPY"))),
        stored=through_storage,
    )
    assert (replayer.rate("EUR"), replayer.rate("XXX", default=29), replayer.rate("JPY")) == (1.0, 29, 0.006)
    settings = replayer.settings()
    assert math.isnan(settings["factor"])
    assert settings["names"] == client.settings()["names"]
    settings["deep"]["x"].clear()
    assert replayer.settings()["deep"] == {"x": [1, 2.5, None, True]}


def test_attributes_functions_and_items_are_recorded():
    """A client may be a function or a mapping, and may carry plain attributes."""
    _, replayer = recorded(lambda c: (c.region, c.limits), stored=through_storage)
    assert (replayer.region, replayer.limits) == ("eu", {"daily": 3})
    _, function = recorded(lambda c: c(asked()), client=Store().in_order, stored=through_storage)
    same(function(asked(seed=1)), Store().in_order(asked(seed=1)))
    _, rates = recorded(lambda c: c["EUR"], client=RATES, stored=through_storage)
    assert rates["EUR"] == 1.0
    with pytest.raises(PipelineError, match="not recorded"):
        rates["JPY"]


def test_a_stand_in_answers_many_threads():
    """Each of many threads that ask for different keys gets its own answer."""
    client, replayer = recorded(lambda c: c.fan_out(asked()))
    batches = [asked(seed=s).sample(11, random_state=s) for s in range(60)]
    with ThreadPoolExecutor(8) as pool:
        for got, batch in zip(pool.map(replayer.fan_out, batches), batches, strict=True):
            same(got, client.fan_out(batch), order=False)


def test_what_was_never_asked_is_refused():
    """An unknown key, method, argument or client call says what was recorded and what to do."""
    _, replayer = recorded(lambda c: (c.columns(asked(10, repeats=False)), c.rate("EUR")))
    with pytest.raises(
        PipelineError, match=r"'store' was called as columns\(…\) with 3 keys that capture never requested"
    ):
        replayer.columns(asked(13))  # each of them counts once
    with pytest.raises(PipelineError, match=r"balance\(…\) in a way that was not recorded.*columns, rate"):
        replayer.balance(asked(10))
    with pytest.raises(PipelineError, match=r"rate\(…\) in a way that was not recorded"):
        replayer.rate("JPY")
    with pytest.raises(PipelineError, match="Recorded methods: none"):
        RecordedClient("store", Answers({}, {})).rate("EUR")


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda c: c.later(["a"]), "later is a coroutine; give the stages a client with plain methods"),
        (lambda c: c.rate(object(), default=1), "the arguments of rate cannot be recorded as JSON: object"),
        (lambda c: c.by_number(), "by_number answered with dict, which cannot be recorded"),
        (lambda c: c.everything(), "everything answered with DataFrame, which cannot be recorded"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_capture(ask, says):
    """A coroutine, arguments or answers that no file can carry are refused with the method's name."""
    with pytest.raises(PipelineError, match=says):
        ask(RecordingClient("store", Store()))


def test_a_client_that_changes_its_shape_is_refused():
    """A method that answers now with one layout and now with another cannot be replayed by key."""

    class Moody:
        def get(self, customer):
            frame = TABLE[TABLE["customer"].isin(list(customer))]
            return frame if len(customer) > 3 else frame.set_index("customer")

    recorder = RecordingClient("store", Moody())
    recorder.get(asked(9))
    recorder.get(asked(3, repeats=False))
    with pytest.raises(PipelineError, match="Dependency 'store' answers get in one shape for some keys"):
        recorder.answers()


def test_what_the_client_raises_reaches_the_stage():
    """An exception of the client is the client's own, at capture; its replay says that it may have raised."""
    recorder = RecordingClient("store", Store())
    with pytest.raises(LookupError):
        recorder.fails("EUR")
    with pytest.raises(PipelineError, match="or that raised then"):
        RecordedClient("store", recorder.answers()).fails("EUR")


@pytest.mark.parametrize("method", [*FAITHFUL, "columns", "array", "vectors"])
def test_asked_again_live_an_unchanged_client_answers_the_same(method):
    """Asking the live client again for all recorded keys gives the recorded rows."""
    client = Store()
    recorder = RecordingClient("store", client)
    getattr(recorder, method)(asked())
    answers = through_storage(recorder.answers())
    [lookup] = answers.lookups.values()
    [again] = repeat("store", client, answers, [lookup.call]).lookups.values()
    by = [*lookup.on, "__row__"]
    left, right = (f.sort_values(by).reset_index(drop=True) for f in (lookup.rows, again))
    pd.testing.assert_frame_equal(left, right[left.columns], check_dtype=False)


def test_a_plain_call_asked_again_tells_change_from_order():
    """Another order of names is no change, NaN is no change; another value is."""
    client = Store()
    recorder = RecordingClient("store", client)
    recorder.settings()
    assert recorder.region == "eu"
    answers = recorder.answers()

    def changed() -> int:
        now = repeat("store", client, answers, list(answers.calls)).calls
        return sum(not exact_json.same(now[text], was) for text, was in answers.calls.items())

    assert (len(answers.calls), changed()) == (2, 0)
    client.settings = lambda: {"deep": {"x": [1, 2.5, None, True]}, "names": ["ä", "\ud800"], "factor": math.nan}
    assert changed() == 0
    client.settings = lambda: {"factor": 2.0}
    assert changed() == 1


def test_a_stage_that_asks_is_replayed_by_what_it_got():
    """A stage that filters its rows before it asks, and joins by index, captures and needs no live store afterwards."""

    def features(frame, store):
        some = frame.loc[frame["customer"] != "c-003", "customer"]
        return frame.assign(balance=store.mapped(some), many=frame["customer"].map(store.mapping(some)).map(str))

    requests = pd.DataFrame({"id": range(30), "customer": asked(30, repeats=False, index=False).astype(object)})
    closed = []
    pipeline = Pipeline(
        "p", key="id", raw=lambda f: f, features=features,
        dependencies=[Dependency("store", url="memory:", connect=lambda url: closed.append(url) or Store())],
    )  # fmt: skip
    reference = capture(pipeline, requests)
    assert closed == ["memory:"]
    step = pipeline.step("features", clients=reference.clients())
    shuffled = reference.frame("raw").sample(frac=1, random_state=0).iloc[:11]
    expected = reference.frame("features").set_index("id").loc[shuffled["id"]].reset_index()
    pd.testing.assert_frame_equal(step(shuffled).reset_index(drop=True), expected, check_dtype=False)


def test_an_unreachable_dependency_is_named():
    """A dependency that does not connect ends the capture with its name and no password of its URL."""

    def refuse(url):
        raise ConnectionError(url)

    pipeline = Pipeline(
        "p", key="id", raw=lambda f: f, features=lambda f, store: f,
        dependencies=[Dependency("store", url="pg://user:secret@host/db", connect=refuse)],
    )  # fmt: skip
    with pytest.raises(PipelineError, match="'store' cannot be reached: ConnectionError") as caught:
        capture(pipeline, pd.DataFrame({"id": [1], "x": [1.0]}))
    assert "secret" not in str(caught.value)


def test_a_replay_that_asks_for_other_keys_is_a_finding_of_its_stage():
    """A changed stage that looks up other keys breaks with the dependency and the count, and no key's value."""

    def features(frame, store):
        return frame.merge(store.in_order(frame["customer"]), on="customer", how="left")

    def other(frame, store):
        return features(frame.assign(customer=frame["customer"] + "x"), store)

    requests = pd.DataFrame({"id": range(9), "customer": asked(9, repeats=False, index=False).astype(object)})
    stores = {"dependencies": [Dependency("store", url="", connect=lambda url: Store())]}
    reference = capture(Pipeline("p", key="id", raw=lambda f: f, features=features, **stores), requests)
    changed = Pipeline("p", key="id", raw=lambda f: f, features=other, **stores)
    with pytest.raises(
        StageError, match=r"'features' raised Dependency 'store' was called as in_order\(…\) with 9"
    ) as error:
        changed.step("features", clients=reference.clients())(reference.frame("raw"))
    assert "c-0" not in str(error.value)
