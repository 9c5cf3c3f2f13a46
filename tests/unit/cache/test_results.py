"""What is kept comes back as it was, or not at all: whatever happened to the file, whoever wrote it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.cache.plan import Plan
from seatrial.cache.results import keep, passed, recall
from seatrial.cache.store import Store
from seatrial.events import Attachment, Case, Evaluated, Event, Finding, Measurement, NotEvaluated, Severity

RUN = "2026-01-02 10:00:00 UTC, 7f31"
REMARK = Finding("golden", "score", "A remark.", severity=Severity.INFO, cause="calls", evidence={"rows": [1, 2.5]})
EVENTS: list[Event] = [
    Measurement("golden", "score", "mismatch_share", 0.25, unit="s", column="a"),
    REMARK,
    Attachment("golden", "score", "suites/score.json", bytes(range(256))),
    Evaluated("golden", "score", compared=40, seconds=1.5),
]
texts = st.text(st.characters(exclude_categories=[]), max_size=20)
numbers = st.floats(allow_nan=False) | st.integers(-(2**70), 2**70)
evidence = st.dictionaries(texts, st.recursive(numbers | texts | st.none() | st.booleans(), st.lists, max_leaves=5))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, b"the project's key")


def test_a_result_comes_back_with_its_run(store: Store) -> None:
    """Every event as it was; the end of the case says that it is cached, and of which run."""
    assert keep(store, "a/b", EVENTS, RUN)
    *others, end = recall(store, "a/b")
    assert others == EVENTS[:-1]
    assert end == Evaluated("golden", "score", compared=40, seconds=0.0, cached=True, run=RUN)


@given(message=texts, details=evidence, value=numbers, content=st.binary(max_size=50))
def test_any_event_comes_back_as_it_was(
    message: str, details: dict[str, Any], value: float, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever texts, numbers and bytes it has."""
    store = Store(tmp_path_factory.mktemp("store"), b"key")
    given_: list[Event] = [
        Finding("golden", None, message, severity=Severity.WARNING, evidence=details),
        Measurement("golden", None, message, value),
        Attachment("golden", None, message, content),
        Evaluated("golden", None, compared=1),
    ]
    assert keep(store, "x", given_, RUN)
    assert recall(store, "x")[:-1] == given_[:-1]


def test_a_number_that_is_none_comes_back(store: Store) -> None:
    """A metric may be NaN."""
    assert keep(store, "x", [Measurement("quality", "score", "auc", math.nan), EVENTS[-1]], RUN)
    [measured, _] = recall(store, "x")
    assert isinstance(measured, Measurement)
    assert math.isnan(measured.value)


@pytest.mark.parametrize(
    "events",
    [
        [Finding("golden", "score", "It differs."), EVENTS[-1]],
        [NotEvaluated("golden", "score", "No rows.")],
        [EVENTS[-1], NotEvaluated("golden", "score", "It crashed.", crashed=True)],
        [Evaluated("golden", "score", compared=0)],
        [EVENTS[-1], Evaluated("golden", "score", compared=0)],
        [REMARK],
        [],
    ],
    ids=["an error", "not evaluated", "crashed", "nothing compared", "nothing compared of a part", "no end", "nothing"],
)
def test_only_what_passed_is_kept(store: Store, events: list[Event]) -> None:
    """What failed is run again, and what was not evaluated is no result."""
    assert not passed(events)
    assert not keep(store, "x", events, RUN)
    assert recall(store, "x") == []


@pytest.mark.parametrize("held", [np.int64(3), {1, 2}, object(), b"x"], ids=lambda held: type(held).__name__)
def test_evidence_that_json_cannot_hold_is_not_kept(store: Store, held: object) -> None:
    """Rather than kept as something else."""
    remark = Finding("golden", "score", "A remark.", severity=Severity.INFO, evidence={"held": held})
    assert not keep(store, "x", [remark, EVENTS[-1]], RUN)


def damaged(path: Path) -> list[bytes]:
    """Return what may become of a file."""
    whole = path.read_bytes()
    mac, _, body = whole.partition(b"\n")
    return [
        b"", b"\n", whole[:-1], whole[: len(whole) // 2], whole + b" ", body, mac, mac + b"\n", b"\xff" * 100,
        whole.replace(b'"compared":40', b'"compared":41'), b"0" * 64 + b"\n" + body, b"\n" + body,
        b"{" * 100_000, whole.replace(b"\n", b"\r\n", 1),
    ]  # fmt: skip


def test_what_is_damaged_is_not_there(store: Store, tmp_path: Path) -> None:
    """Cut off, changed, empty, or something else altogether; and no error."""
    keep(store, "a/b", EVENTS, RUN)
    for content in damaged(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b").write_bytes(content)
        assert recall(store, "a/b") == [], content[:40]


@given(data=st.data())
def test_no_changed_byte_is_believed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Wherever in the file it is."""
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder, b"key")
    keep(store, "x", EVENTS, RUN)
    content = bytearray((folder / "x").read_bytes())
    at, by = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    content[at] ^= by
    (folder / "x").write_bytes(bytes(content))
    assert recall(store, "x") == []


def test_an_entry_counts_under_its_own_name_and_key_alone(store: Store, tmp_path: Path) -> None:
    """A pass of one case cannot be put in the place of another, or brought from another project."""
    keep(store, "a/one", EVENTS, RUN)
    (tmp_path / "a" / "two").write_bytes((tmp_path / "a" / "one").read_bytes())
    assert recall(store, "a/two") == []
    assert recall(Store(tmp_path, b"another key"), "a/one") == []
    assert recall(store, "a/one") != []


def test_a_folder_in_the_place_of_an_entry_is_none(store: Store, tmp_path: Path) -> None:
    """And no error."""
    (tmp_path / "x").mkdir()
    assert recall(store, "x") == []
    assert not keep(store, "x", EVENTS, RUN)


def test_what_is_too_large_is_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of reading is that of writing."""
    monkeypatch.setattr("seatrial.cache.store.MOST_BYTES", 300)
    assert not keep(store, "x", EVENTS, RUN)


def test_a_plan_comes_back_as_it_was(store: Store) -> None:
    """With its cases in their order."""
    cases = (Case("golden", "score"), Case("environment"))
    plan = Plan("shop", cases, cases, cases[:1], ("raw", "score"), ("store",), ("load",), "champion", "serving", "{}\n")
    store.write("plan", plan.written())
    assert Plan.read(store.read("plan")) == plan
    for other in ({}, {**json.loads(json.dumps(plan.written())), "more": 1}, None):
        with pytest.raises((KeyError, TypeError)):
            Plan.read(other)  # type: ignore[arg-type]
