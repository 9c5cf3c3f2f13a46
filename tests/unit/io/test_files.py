"""Directories to work in: nobody's but one's own, and gone afterwards."""

from __future__ import annotations

import os
import time

from seatrial.io.files import LEFT_SECONDS, workplace


def test_two_at_work_share_nothing_and_leave_nothing(tmp_path):
    """Each has a new directory; both are gone afterwards, and so is what a killed process left a day ago."""
    parent = tmp_path / "versions"
    for age, name in ((LEFT_SECONDS + 60, "run-old"), (60, "run-new")):
        (parent / name).mkdir(parents=True)
        (parent / name / "model").write_text("left behind", encoding="utf-8")
        os.utime(parent / name, (time.time() - age,) * 2)
    (parent / "somebody-elses").mkdir()
    with workplace(parent) as one, workplace(parent) as other:
        assert one != other
        assert list(one.iterdir()) == list(other.iterdir()) == []
    assert {p.name for p in parent.iterdir()} == {"run-new", "somebody-elses"}
