"""The source is registered and keeps its protocol."""

from __future__ import annotations

from pathlib import Path

import pytest
from seatrial_grid import make_grid

from seatrial.errors import FixtureError
from seatrial.fixtures import spec_file
from seatrial.fixtures.sources.base import SourceRequest
from seatrial.testing import registered, source_conforms

DECLARED = {"source": "grid", "rows": 6, "options": {"values": {"kind": ["a", "b", "c"], "express": [True, False]}}}


def test_it_is_registered() -> None:
    registered("fixtures", "grid", make_grid)


def test_it_conforms(tmp_path: Path) -> None:
    source_conforms(make_grid, DECLARED, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"rows": 5}, "Set rows = 6"), ({"options": {}}, "it is a table of lists")]
)
def test_what_cannot_be_made_is_refused(wrong: dict[str, object], message: str, tmp_path: Path) -> None:
    request = SourceRequest(spec_file.declared("x", {**DECLARED, **wrong}), None, tmp_path)
    with pytest.raises(FixtureError, match=message):
        make_grid(request)
