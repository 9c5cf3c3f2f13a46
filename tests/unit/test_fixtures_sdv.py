"""SDV in an environment of its own: the one that SEATRIAL_SDV_PYTHON names, else one that is made for the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seatrial.errors import FixtureError
from seatrial.fixtures import spec_file
from seatrial.fixtures.make import check, make
from seatrial.fixtures.sdv import PYTHON, SYNTHESIZER
from tests.conformance.environments import sdv_python  # noqa: F401  a fixture
from tests.unit import fixture_data as data

WANTED = {**data.SYNTHETIC, "source": "sdv", "rows": 300, "distance": 0.25, "constraints": []}


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
    wanted = WANTED if python is None else WANTED | {"python": python}
    with pytest.raises(FixtureError, match=message):
        make(spec_file.declared("x", wanted), tmp_path, reference=data.reference(100))
    assert not list(tmp_path.rglob("*"))


def test_sdv_fits_once_and_draws_the_same_again(
    sdv_python: str | Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kept with its synthesizer; drawn again in a fresh process it is the same, and no row is a training row."""
    monkeypatch.setenv(PYTHON, str(sdv_python))
    reference = data.reference(400)
    fixture = make(spec_file.declared("x", WANTED), tmp_path, reference=reference)
    assert fixture.manifest["rows"] == 300
    assert fixture.manifest["leaks"]["copies"] == 0
    assert len(fixture.artifact(SYNTHESIZER)) > 1_000
    assert check(fixture.root, reference=reference).ok
