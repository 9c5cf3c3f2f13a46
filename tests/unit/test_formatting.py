"""Numbers have one format in every output, and none is rounded to something it is not."""

from __future__ import annotations

import pytest

from seatrial.formatting import number, part_of, plural, seconds, share


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (share(1.0), "100 %"),
        (share(0.99999), "> 99.99 %"),
        (share(0.0000001), "< 0.01 %"),
        (share(0.0), "0 %"),
        (share(0.024), "2.4 %"),
        (share(float("nan")), "nan"),
        (part_of(12, 500), "12 of 500 rows (2.4 %)"),
        (part_of(1, 1_000_000, "reference rows"), "1 of 1,000,000 reference rows (< 0.01 %)"),
        (part_of(0, 0), "0 of 0 rows (0 %)"),
        (seconds(0.0417), "42 ms"),
        (seconds(0.9996), "1.0 s"),
        (seconds(200), "3 min 20 s"),
        (seconds(float("nan")), "nan"),
        (number(1234567), "1,234,567"),
        (number(12000.5), "12,000.5"),
        (number(1234567.8), "1,234,568"),
        (number(-1234567.8), "-1,234,568"),
        (number(2.5e17), "2.5e+17"),
        (number(True), "yes"),
        (number(float("inf")), "inf"),
        (plural(1, "case"), "1 case"),
        (plural(12_000, "case"), "12,000 cases"),
        (plural(2, "entry", "entries"), "2 entries"),
    ],
)
def test_numbers_have_one_format(shown: str, text: str) -> None:
    """Thousands have a comma, percent has a blank, and a share of nearly all or nothing stays one."""
    assert shown == text
