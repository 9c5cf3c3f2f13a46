"""The copula: marginals, correlation, nulls and combinations of what it learned; and the leak check."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import FixtureError
from seatrial.fixtures import fidelity, leakage
from seatrial.fixtures.sources.copula import source

ROWS = 3_000
NOISE = 1.95 * np.sqrt(2 / ROWS)  # Kolmogorov-Smirnov at 0.1 % for two samples of ROWS rows


def spearman(table: pa.Table, a: str, b: str) -> float:
    return float(table.select([a, b]).to_pandas().dropna().corr(method="spearman").iloc[0, 1])


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    rho=st.floats(-0.9, 0.9),
    shape=st.sampled_from(["normal", "lognormal", "zeros", "steps"]),
    nulls=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 100),
)
def test_marginals_and_correlation_are_kept(rho: float, shape: str, nulls: float, seed: int) -> None:
    """Any shape, any correlation: distribution within sampling noise and 1/512, rank correlation within 0.08."""
    rng = np.random.default_rng(seed)
    z = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], ROWS)
    x = {
        "normal": lambda v: v,
        "lognormal": np.exp,
        "zeros": lambda v: np.where(v < 0, 0.0, v),
        "steps": lambda v: np.floor(v * 2) * 900.0,
    }[shape](z[:, 0])
    real = pa.table({"x": pa.array(x, mask=rng.random(ROWS) < nulls), "y": z[:, 1]})
    made = source.fit(real).sample(ROWS, seed)
    found = fidelity.measure(real, made)
    assert max(found.columns.values()) < NOISE + 1 / 512 + 0.01
    assert spearman(made, "x", "y") == pytest.approx(spearman(real, "x", "y"), abs=0.08)
    if shape == "steps":
        assert set(np.unique(made["x"].drop_null().to_numpy())) <= set(np.unique(x))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(shares=st.lists(st.integers(1, 20), min_size=2, max_size=6), seed=st.integers(0, 100))
def test_categories_follow_their_numbers(shares: list[int], seed: int) -> None:
    """A category that depends on a number still does, and has the same shares."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(ROWS)
    ends = np.quantile(z, np.cumsum(shares)[:-1] / np.sum(shares))
    names = np.array(["k", "c", "x", "a", "m", "b"])[: len(shares)]
    real = pa.table({"z": z, "name": names[np.searchsorted(ends, z)]})
    made = source.fit(real).sample(ROWS, seed)
    assert fidelity.measure(real, made).columns["name"] < NOISE + 0.02
    means = [t.to_pandas().groupby("name")["z"].mean() for t in (real, made)]
    rarely = real.to_pandas()["name"].value_counts()
    for name in rarely[rarely > 100].index:
        assert means[1][name] == pytest.approx(means[0][name], abs=0.35)


def test_nulls_keep_their_company() -> None:
    """Where a value is null still depends on the other columns."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal(ROWS)
    real = pa.table({"x": pa.array(rng.standard_normal(ROWS), mask=y > 0.5), "y": y})
    made = source.fit(real).sample(ROWS, 1).to_pandas()
    assert made["x"].isna().mean() == pytest.approx((y > 0.5).mean(), abs=0.03)
    assert made.loc[made["x"].isna(), "y"].mean() - made.loc[made["x"].notna(), "y"].mean() > 1.2


def test_combinations_are_only_those_seen() -> None:
    """A group drawn together gives no combination that training did not have; nulls are part of one."""
    pairs = [("DE", "EUR"), ("US", "USD"), ("NA", None)]
    rng = np.random.default_rng(0)
    at = rng.integers(0, 3, 500)
    real = pa.table({"land": [pairs[i][0] for i in at], "money": [pairs[i][1] for i in at], "n": rng.random(500)})
    made = source.fit(real, together=[["land", "money"]]).sample(500, 2)
    assert set(zip(made["land"].to_pylist(), made["money"].to_pylist(), strict=True)) == set(pairs)


def test_types_survive() -> None:
    """Identifiers beyond 2^53, decimals, dates, instants with a zone, booleans and an empty column keep their type."""
    rng = np.random.default_rng(0)
    n = 400
    real = pa.table({
        "id": pa.array(2**53 + 1 + 2 * rng.integers(0, 30, n)),
        "price": pa.array(np.round(rng.random(n) * 100, 2)).cast(pa.decimal128(10, 2)),
        "day": pa.array(rng.integers(19_000, 20_000, n).astype("int32")).cast(pa.date32()),
        "at": pa.array(rng.integers(0, 10**9, n) * 1_000_000).cast(pa.timestamp("us", tz="Europe/Berlin")),
        "small": pa.array(rng.integers(0, 200, n).astype("uint8")),
        "yes": rng.random(n) < 0.3,
        "never": pa.nulls(n, pa.string()),
        "ratio": pa.array(rng.random(n).astype("float32")),
    })  # fmt: skip
    fitted = source.fit(real)
    made = fitted.sample(n, 0)
    assert made.schema.types == real.schema.types
    assert set(made["id"].to_pylist()) <= set(real["id"].to_pylist())
    assert made["never"].null_count == n
    again = source.Copula.from_json(fitted.to_json())
    assert again.digest == fitted.digest
    assert again.sample(n, 0) == made
    assert again.sample(n, 1) != made


def test_lone_text_is_drawn_by_its_shape() -> None:
    """Text of many values keeps its shape; hardly a value of training comes out again."""
    rng = np.random.default_rng(0)
    real = pa.table({"code": [f"A-{rng.integers(0, 10**8):08d}" for _ in range(1_000)]})
    made = source.fit(real).sample(1_000, 0)["code"].to_pylist()
    assert all(len(v) == 10 and v.startswith("A-") and v[2:].isdigit() for v in made)
    assert len(set(made) & set(real["code"].to_pylist())) <= 1


def test_numbers_that_are_text_are_learned_as_numbers() -> None:
    """Numbers as a CSV file gives them keep their form, gaps and correlation; codes with leading zeros stay codes."""
    rng = np.random.default_rng(0)
    fare = np.round(rng.lognormal(2.5, 0.5, 2_000), 2)
    seconds = (fare * 60 + rng.normal(0, 60, 2_000)).astype("int64")
    gap = rng.random(2_000) < 0.1
    real = pa.table({
        "fare": ["" if g else f"{f:.2f}".rstrip("0").rstrip(".") for f, g in zip(fare, gap, strict=True)],
        "miles": [str(float(m)) for m in np.round(fare / 3, 1)],
        "seconds": [str(s) for s in seconds],
        "code": [f"{n:05d}" for n in rng.integers(0, 99_999, 2_000)],
    })  # fmt: skip
    made = source.fit(real).sample(2_000, 0)
    texts = made.to_pydict()
    assert made.schema == real.schema
    assert all(re.fullmatch(r"|\d+(\.\d{1,2})?", t) for t in texts["fare"])
    assert all(re.fullmatch(r"\d+\.\d", t) for t in texts["miles"])
    assert all(re.fullmatch(r"-?\d+", t) for t in texts["seconds"])
    assert all(re.fullmatch(r"\d{5}", t) for t in texts["code"])
    assert texts["fare"].count("") / 2_000 == pytest.approx(0.1, abs=0.03)
    numbers = made.to_pandas().apply(pd.to_numeric)
    assert numbers["miles"].corr(numbers["seconds"], method="spearman") > 0.9
    assert max(fidelity.measure(real, made).columns.values()) < 0.06


def test_what_cannot_be_learned_is_said() -> None:
    """Lists, one row, a column in two groups, a damaged artifact."""
    with pytest.raises(FixtureError, match=r"Column 'l'.*cannot be imitated"):
        source.fit(pa.table({"l": [[1], [2]]}))
    with pytest.raises(FixtureError, match="two or more rows"):
        source.fit(pa.table({"a": [1]}))
    with pytest.raises(FixtureError, match="in two groups"):
        source.fit(pa.table({"a": [1, 2], "b": [1, 2]}), together=[["a"], ["a", "b"]])
    with pytest.raises(FixtureError, match="damaged"):
        source.Copula.from_json(b"{}")


def people(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({
        "key": [f"{seed}-{n}" for n in range(rows)],
        "x": rng.random(rows),
        "y": pa.array(rng.random(rows), mask=rng.random(rows) < 0.1),
        "c": rng.choice(["a", "b"], rows),
    })  # fmt: skip


def test_the_leak_check_finds_a_planted_copy() -> None:
    """One training row among a thousand synthetic ones is found at its place, whatever its key."""
    training, held_out, rows = people(1_000, 0), people(500, 1), people(1_000, 2)
    assert leakage.check(training, held_out, rows, ignore=["key"]).ok
    stolen = training.slice(7, 1).set_column(0, "key", pa.array(["fresh"]))
    planted = pa.concat_tables([rows.slice(0, 600), stolen, rows.slice(600)])
    found = leakage.check(training, held_out, planted, ignore=["key"])
    assert found.copies == (600,)
    assert not found.ok


def test_the_leak_check_finds_rows_that_are_nearly_copies() -> None:
    """Training rows with a little noise are no equal rows, and still nearer than unseen rows are."""
    training, held_out = people(1_000, 0), people(500, 1)
    near = training.set_column(1, "x", pa.array(training["x"].to_numpy() + 1e-6))
    found = leakage.check(training, held_out, near, ignore=["key"])
    assert not found.copies
    assert found.near > 0.9
    assert not found.ok


def test_a_leak_check_of_nothing_is_refused() -> None:
    """No rows, or no shared column, is no clean bill."""
    with pytest.raises(FixtureError, match="empty"):
        leakage.check(people(10, 0), people(10, 1), people(0, 2))
    with pytest.raises(FixtureError, match="share no column"):
        leakage.copies(people(10, 0).select(["x"]), people(10, 1).select(["y"]))
