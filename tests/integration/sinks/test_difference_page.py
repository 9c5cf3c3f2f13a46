"""A browser shows the page of ``seatrial diff`` on a phone and on a wide screen, and nothing is cut off."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from seatrial.parity.compare import compare
from seatrial.sinks.difference.html import render
from seatrial.sinks.difference.result import Difference
from tests.integration.sinks.test_report_page import browser  # noqa: F401  a fixture

LONG = "a_column_of_a_name_that_is_rather_long_and_goes_on_for_a_while"


def page_of(same: bool) -> str:
    first = pd.DataFrame({"id": [f"transaction-{n:05}" for n in range(50)], LONG: range(50), "x": [1.5] * 50})
    second = first if same else first.assign(x=first["x"] * 1.1, **{LONG: first[LONG].astype("float64")}).iloc[2:]
    parity = compare(first, second, key="id", distributions=False)
    return render(Difference("data/reference/features-2025-01.parquet", "data/today.csv", ("id",), parity))


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("same", [True, False])
def test_no_page_is_wider_than_its_window(width: int, same: bool, browser: Any, tmp_path: Any) -> None:  # noqa: F811
    """The page does not scroll sideways, and its style is admitted by its policy."""
    (tmp_path / "diff.html").write_text(page_of(same), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto((tmp_path / "diff.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not refused
    assert page.locator("h1").inner_text() == ("Same" if same else "Different")
    page.close()
