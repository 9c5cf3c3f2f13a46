"""A cause is named when it explains the differing rows, and not otherwise."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from seatrial.parity.compare import compare

N = 400
RNG = np.random.default_rng(11)
POSITIVE = RNG.lognormal(3, 1, N)
NORMAL = RNG.normal(0, 5, N)
SOME = RNG.random(N) < 0.2
IDS = RNG.integers(2**53, 2**60, N) | 1
VECTORS = list(RNG.normal(0, 1, (N, 4)))
WORDS = np.array([f"Wort {i} é" for i in range(N)], dtype=object)
DAYS = pd.Series(pd.to_datetime("2024-01-01") + pd.to_timedelta(RNG.integers(0, 360 * 86_400_000, N), unit="ms"))
HOURS = RNG.integers(0, 24, N)
CHANCES = RNG.beta(1, 3, N)
CODES = RNG.integers(0, 5, N)
LABELS = np.array([f"c{code}" for code in CODES], dtype=object)
FLOATS = np.float64(np.float32(NORMAL))
BFLOATS = ((np.float32(NORMAL).view("u4") + 0x8000) & 0xFFFF0000).view("f4").astype("f8")
CENTS = [Decimal(int(cents)).scaleb(-2) for cents in POSITIVE * 100]


def cause(expected: object, actual: object, name: str = "x") -> str:
    """Return the cause of one column, or the empty string."""
    e = pd.DataFrame({"id": range(N), name: expected})
    a = pd.DataFrame({"id": range(N), name: actual})
    (only,) = compare(e, a, key="id").columns
    return only.cause.name if only.cause else ""


def detail(expected: object, actual: object) -> str:
    e = pd.DataFrame({"id": range(N), "x": expected})
    (only,) = compare(e, pd.DataFrame({"id": range(N), "x": actual}), key="id").columns
    assert only.cause is not None
    return only.cause.detail


def swapped(days: pd.Series) -> pd.Series:
    mixed = days.where(days.dt.day > 12, days.dt.strftime("%Y-%d-%m %H:%M:%S.%f"))
    return pd.to_datetime(mixed.astype(str), format="mixed").astype(days.dtype)


NAMED = {
    "float32": ("float32-round-trip", NORMAL, NORMAL.astype("f4").astype("f8")),
    "float32 on the training side": ("float32-round-trip", NORMAL.astype("f4").astype("f8"), NORMAL),
    "float16": ("float16-round-trip", NORMAL, NORMAL.astype("f2").astype("f8")),
    "ms for s on a fraction": ("unit-factor", POSITIVE, np.where(SOME, POSITIVE * 1000, POSITIVE)),
    "thousandths of decimals": ("unit-factor", CENTS, [c * 1000 for c in CENTS]),
    "ms for s where exp is infinite": ("unit-factor", POSITIVE + 1e6, (POSITIVE + 1e6) * 1000),
    "cents": ("unit-factor", POSITIVE, POSITIVE / 100),
    "miles": ("unit-factor", POSITIVE, POSITIVE * 1.609344),
    "a ratio without a name": ("unit-factor", NORMAL, NORMAL * 1.37),
    "offset": ("constant-offset", NORMAL, NORMAL + 3.25),
    "kelvin": ("unit-affine", NORMAL, NORMAL + 273.15),
    "fahrenheit": ("unit-affine", NORMAL, NORMAL * 1.8 + 32),
    "complement": ("complement", CHANCES, 1 - CHANCES),
    "negated flags": ("complement", SOME, ~SOME),
    "absolute": ("sign-lost", NORMAL, np.abs(NORMAL)),
    "reciprocal": ("reciprocal", POSITIVE, 1 / POSITIVE),
    "sigmoid": ("sigmoid", NORMAL, 1 / (1 + np.exp(-NORMAL))),
    "logit": ("sigmoid", CHANCES, np.log(CHANCES / (1 - CHANCES))),
    "log10 for log": ("log-transform", np.log(POSITIVE), np.log10(POSITIVE)),
    "log10 for log1p": ("log-transform", np.log1p(POSITIVE), np.log10(POSITIVE)),
    "square root": ("power", POSITIVE, np.sqrt(POSITIVE)),
    "clipped above": ("clipped", NORMAL, np.minimum(NORMAL, 4)),
    "clipped on both sides": ("clipped", NORMAL, np.clip(NORMAL, -3, 4)),
    "no longer clipped": ("clipped", np.clip(NORMAL, -3, 4), NORMAL),
    "minutes": ("unit-factor", POSITIVE, POSITIVE * 60),
    "codes in another order": ("relabelling", CODES, np.array([3, 0, 4, 1, 2])[CODES]),
    "codes of labels": ("relabelling", LABELS, CODES),
    "labels renamed": ("relabelling", LABELS, [f"other {label[1]}" for label in LABELS]),
    "one label renamed": ("relabelling", LABELS, np.where(LABELS == "c1", "new", LABELS)),
    "labels permuted": ("relabelling", LABELS, np.roll(np.unique(LABELS), 1)[CODES]),
    "weekdays": ("weekday-numbering", HOURS % 7, (HOURS + 1) % 7),
    "bfloat16": ("bfloat16-round-trip", FLOATS, BFLOATS),
    "scaler left out": ("scaling", (POSITIVE - POSITIVE.mean()) / POSITIVE.std(), POSITIVE),
    "sign": ("sign-flip", NORMAL, -NORMAL),
    "rounded": ("rounding", NORMAL, NORMAL.round(2)),
    "rounding left out": ("rounding", NORMAL.round(3), NORMAL),
    "floor": ("truncation", POSITIVE, np.floor(POSITIVE)),
    "truncated": ("truncation", NORMAL, np.trunc(NORMAL)),
    "half to even": ("rounding-mode", np.floor(np.arange(N) / 2 + 0.5), np.round(np.arange(N) / 2)),
    "log for log1p": ("log-transform", np.log1p(POSITIVE), np.log(POSITIVE)),
    "log1p for log": ("log-transform", np.log(POSITIVE), np.log1p(POSITIVE)),
    "no log1p": ("log-transform", np.log1p(POSITIVE), POSITIVE),
    "log clipped": (
        "log-transform",
        np.log1p(np.where(SOME, 0, POSITIVE)),
        np.log(np.clip(np.where(SOME, 0, POSITIVE), 1e-9, None)),
    ),
    "fillna": ("default-fill", np.where(SOME, np.nan, NORMAL), np.where(SOME, 0.0, NORMAL)),
    "another imputer constant": ("default-fill", np.where(SOME, 3.5, NORMAL), np.where(SOME, 0.0, NORMAL)),
    "unknown category": ("default-fill", np.arange(N) % 50, np.where(SOME, 0, np.arange(N) % 50)),
    "eviction": ("null-handling", NORMAL, np.where(SOME, np.nan, NORMAL)),
    "nulls became values": ("null-handling", np.where(SOME, np.nan, NORMAL), NORMAL),
    "NA": ("null-handling", np.where(SOME, "NA", WORDS), np.where(SOME, None, WORDS)),
    "ids through float": ("dtype-coercion", IDS, IDS.astype("f8").astype("i8")),
    "ids as float": ("dtype-coercion", IDS, IDS.astype("f8")),
    "numbers as text": ("dtype-coercion", np.arange(N), np.arange(N).astype(str).astype(object)),
    "equal but float": ("dtype-coercion", np.arange(N), np.arange(N).astype("f8")),
    "bool as text": ("dtype-coercion", SOME, SOME.astype(str).astype(object)),
    "bool as number": ("dtype-coercion", SOME, SOME.astype("i8")),
    "hours turned": ("shifted-timezone", HOURS, (HOURS + 2) % 24),
    "hours turned in summer": ("shifted-timezone", HOURS, (HOURS - 6 + SOME) % 24),
    "timezone": ("shifted-timezone", DAYS, DAYS + pd.Timedelta("5h30min")),
    "daylight saving": (
        "shifted-timezone",
        DAYS,
        DAYS + pd.to_timedelta(np.where(DAYS.dt.month.between(4, 10), 2, 1), unit="h"),
    ),
    "naive local time": (
        "shifted-timezone",
        DAYS.dt.tz_localize("UTC"),
        DAYS.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").dt.tz_localize(None),
    ),
    "seconds late": ("constant-offset", DAYS, DAYS + pd.Timedelta("7s")),
    "day and month": ("day-month-swap", DAYS, swapped(DAYS)),
    "whole seconds": ("truncation", DAYS, DAYS.dt.floor("s")),
    "case": ("text-case", WORDS, [word.upper() for word in WORDS]),
    "accents": ("text-accents", WORDS, [word.replace("é", "e") for word in WORDS]),
    "letters lost": ("text-encoding", WORDS, [word.replace("é", "?") for word in WORDS]),
    "white space": ("text-whitespace", WORDS, [f" {word}\t" for word in WORDS]),
    "unicode form": ("text-unicode", WORDS, [word.replace("é", "e\u0301") for word in WORDS]),
    "encoding": ("text-encoding", WORDS, [word.encode().decode("latin-1") for word in WORDS]),
    "leading zeros": ("leading-zeros", [f"{i:05d}" for i in range(N)], [str(i) for i in range(N)]),
    "number format": ("number-format", [str(i) for i in range(N)], [f"{i}.0" for i in range(N)]),
    "cut text": ("text-truncated", WORDS, [word[:-2] for word in WORDS]),
    "list order": ("list-order", [[i, i + 1] for i in range(N)], [[i + 1, i] for i in range(N)]),
    "lists cut": ("list-cut", [[i, 2, 3, 4] for i in range(N)], [[i, 2] for i in range(N)]),
    "lists scaled": ("unit-factor", [[x, 2 * x] for x in NORMAL], [[1000 * x, 2000 * x] for x in NORMAL]),
    "lists in float32": ("float32-round-trip", [[x] for x in NORMAL], [[float(np.float32(x))] for x in NORMAL]),
    "vectors normalised": ("vector-norm", VECTORS, [v / np.linalg.norm(v) for v in VECTORS]),
    "seconds as milliseconds": ("unit-factor", DAYS, pd.to_datetime(DAYS.astype("i8") // 1000)),
    "days rounded": ("rounding", DAYS, DAYS.dt.round("h")),
    "row before": ("shifted-rows", NORMAL, np.roll(NORMAL, 1)),
    "sorted": ("sorted-rows", NORMAL, np.sort(NORMAL)),
    "shuffled": ("misaligned-rows", WORDS, np.random.default_rng(0).permutation(WORDS)),
}


@pytest.mark.parametrize("case", NAMED)
def test_each_cause_is_named(case: str) -> None:
    """The kinds of difference that are known are told apart."""
    name, expected, actual = NAMED[case]
    assert cause(expected, actual) == name


def test_a_swap_names_the_other_column() -> None:
    """Two columns that changed places are a swap, not two unknown changes."""
    e = pd.DataFrame({"id": range(N), "a": NORMAL, "b": POSITIVE, "c": SOME})
    a = e.rename(columns={"a": "b", "b": "a"})
    first, second, third = compare(e, a, key="id").columns
    assert first.cause is not None
    assert second.cause is not None
    assert (first.cause.name, second.cause.name, third.cause) == ("column-swap", "column-swap", None)
    assert "'b'" in first.cause.detail


def test_a_swap_is_found_in_shuffled_rows() -> None:
    """The other column is read at the aligned rows."""
    e = pd.DataFrame({"id": range(N), "a": NORMAL, "b": POSITIVE}).sample(frac=1, random_state=1)
    a = e.rename(columns={"a": "b", "b": "a"}).sample(frac=0.9, random_state=2)
    first, _ = compare(e, a, key="id").columns
    assert first.cause is not None
    assert first.cause.name == "column-swap"


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (NORMAL, np.random.default_rng(1).normal(0, 5, N)),
        (SOME, np.random.default_rng(1).permutation(SOME)),
        (np.arange(N) % 3, np.random.default_rng(1).integers(0, 3, N)),
        (WORDS, [f"{i * i} other" for i in range(N)]),
        (NORMAL, np.where(np.arange(N) < 2, NORMAL * 1000, NORMAL)),
        (NORMAL, np.where(SOME, NORMAL * 1000, NORMAL + (np.arange(N) % 7))),
        (DAYS, DAYS + pd.to_timedelta(np.random.default_rng(2).integers(1, 10**6, N), unit="s")),
    ],
    ids=["noise", "permuted flags", "three values", "words", "two rows", "two causes", "other times"],
)
def test_no_cause_is_named_where_none_is_clear(expected: object, actual: object) -> None:
    """Noise, too few rows and two causes at once stay without a name."""
    assert cause(expected, actual) == ""


def test_details_count_rows_and_show_no_cell() -> None:
    """The sentence says how many rows, with the factor alone."""
    many = int(SOME.sum())
    assert detail(POSITIVE, np.where(SOME, POSITIVE * 1000, POSITIVE)) == (
        f"actual = expected × 1,000 (thousandths, such as ms for s or g for kg) in {many} of 400 rows"
    )
    assert "Wort" not in detail(WORDS, [word.upper() for word in WORDS])


@pytest.mark.parametrize("name", ["x", "hour", "hourly_rate_eur"])
def test_an_hour_is_told_by_its_turn_past_midnight_and_not_by_its_name(name: str) -> None:
    """A small integer that grew by one is no time zone, whatever it is called."""
    small = np.arange(N) % 20
    assert cause(small, small + 1, name) == "constant-offset"
    assert cause(HOURS, (HOURS + 1) % 24, name) == "shifted-timezone"


def test_hours_in_time_zones_of_their_own_are_told_and_shuffled_hours_are_not():
    """Each row turned by one of a few offsets is a matter of time zones; hours dealt out anew are not."""
    random = np.random.default_rng(0)
    hours = random.integers(0, 24, 2_000)
    local = (hours + random.choice([0, 1, 2, -5, 9, 5, -8], 2_000)) % 24
    expected = pd.DataFrame({"id": np.arange(2_000), "hour": hours})
    (told,) = compare(expected, expected.assign(hour=local), key="id").columns
    assert told.cause is not None
    assert told.cause.name == "shifted-timezone"
    (dealt,) = compare(expected, expected.assign(hour=random.permutation(hours)), key="id").columns
    assert dealt.cause is None or dealt.cause.name != "shifted-timezone"


def test_large_arrays_are_known_by_all_of_their_numbers() -> None:
    """What numpy prints of them leaves out the middle, by which alone these differ."""
    e = np.random.default_rng(0).normal(size=(N, 2, 1_100))
    middle = e.copy()
    middle[:, :, 500:600] = np.random.default_rng(1).normal(size=(N, 2, 100))
    assert cause([*e], [*e[:, ::-1]]) == "list-order"
    assert cause([*e], [*middle[:, ::-1]]) == ""
    both = pd.DataFrame({"id": range(N), "x": [*e], "y": [*middle]})
    first, _ = compare(both, both.assign(x=[*(e + 1)]), key="id").columns
    assert first.cause is None or "'y'" not in first.cause.detail
