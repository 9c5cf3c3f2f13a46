"""The source is registered; where SEATRIAL_SDV_PYTHON names an environment, it fits once and draws the same again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seatrial_sdv.source import PYTHON, SYNTHESIZER, make_sdv

from seatrial import Pipeline, Reference, capture
from seatrial.errors import FixtureError
from seatrial.fixtures import spec_file
from seatrial.fixtures.check import check
from seatrial.fixtures.make import make
from seatrial.testing import registered

WANTED = {
    "source": "sdv", "rows": 300, "seed": 5, "payload": "payload",
    "combinations": [["country", "currency", "time.offset"]], "max_distance": 0.25,
}  # fmt: skip
BIG = 2**53 + 1
COUNTRIES = {"DE": ("EUR", "+01:00"), "US": ("USD", "-05:00"), "NA": ("NAD", "+02:00")}


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    out = pd.DataFrame([json.loads(payload) for payload in frame["payload"]])
    return out.astype({"customer": "Int64"})


def reference(rows: int) -> Reference:
    """Every kind of column: integers beyond doubles, instants with offsets, leading zeros, nulls, flags."""
    draws = np.random.default_rng(0)
    country = draws.choice(list(COUNTRIES), rows, p=[0.5, 0.4, 0.1])
    when = np.datetime64("2025-03-01T00:00:00") + draws.integers(0, 60 * 86_400, rows).astype("timedelta64[s]")
    records = [
        {
            "id": f"t{n:06d}",
            "customer": int(BIG + 2 * draws.integers(0, 40)),
            "amount": float(np.round(draws.lognormal(3, 1), 2)),
            "country": str(country[n]),
            "currency": COUNTRIES[country[n]][0],
            "time": f"{when[n]}{COUNTRIES[country[n]][1]}",
            "postcode": f"{draws.integers(0, 100_000):05d}",
            "device": [None, "ios", "web"][draws.choice(3, p=[0.2, 0.5, 0.3])],
            "vip": bool(draws.random() < 0.1),
        }
        for n in range(rows)
    ]
    requests = pd.DataFrame({"payload": [json.dumps(record) for record in records]})
    pipeline = Pipeline("shop", key="id", raw=parse, response=lambda frame: frame[["id", "amount"]])
    return capture(pipeline, requests)


def test_it_is_registered() -> None:
    registered("fixtures", "sdv", make_sdv)


@pytest.mark.parametrize(
    ("python", "message"),
    [
        (None, "environment of its own"),
        ("/nowhere/python", "no interpreter"),
        (sys.executable, "No module named 'sdv'"),
    ],
)
def test_without_sdv_the_message_says_what_to_do(
    python: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No environment, no interpreter, no SDV in it: each is told, and nothing is written."""
    monkeypatch.delenv(PYTHON, raising=False)
    wanted = WANTED if python is None else WANTED | {"options": {"python": python}}
    with pytest.raises(FixtureError, match=message):
        make(spec_file.declared("x", wanted), tmp_path, reference=reference(100))
    assert not list(tmp_path.rglob("*"))


@pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no environment with SDV")
def test_sdv_fits_once_and_draws_the_same_again(tmp_path: Path) -> None:
    """Kept with its synthesizer; drawn again in a fresh process it is the same, and no row is a training row."""
    learned = reference(400)
    fixture = make(spec_file.declared("x", WANTED), tmp_path, reference=learned)
    assert fixture.manifest["rows"] == 300
    assert fixture.manifest["leaks"]["copies"] == 0
    assert len(fixture.artifact(SYNTHESIZER)) > 1_000
    assert check(fixture.root, reference=learned).ok
