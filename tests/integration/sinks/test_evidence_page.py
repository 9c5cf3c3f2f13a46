"""A browser shows the page of ``seatrial evidence`` on a phone and on a wide screen, and everybody can read it."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from seatrial.events import Evaluated, Finding, Measurement, NotEvaluated
from seatrial.promotion.assurance.page import render
from tests.integration.sinks.test_report_page import browser  # noqa: F401  a fixture
from tests.support.evidenced import GOOD, evidenced, set_later

NAME = "a_stage_of_a_name_" * 8
LONG = (
    *GOOD, Evaluated("golden", NAME, 12), Finding("golden", NAME, f"'{'x' * 400}' differs.", NAME),
    *(Measurement("golden", NAME, f"number {n} of {NAME}", 12_345_678.9, "requests", NAME) for n in range(60)),
    NotEvaluated("load", "service", "The generator was late."),
)  # fmt: skip
PAGES = {
    "pass": evidenced(),
    "long": evidenced(LONG, set_later("score.py"), name="a-long-name-" * 9, later=3, notes=["The code changed. " * 12]),
}


@pytest.mark.parametrize("name", list(PAGES))
def test_no_page_is_wider_than_its_window_and_axe_finds_nothing(name: str, browser: Any, tmp_path: Any) -> None:  # noqa: F811
    """At 360 and 1280 pixels, in light and in dark, unfolded; its style is admitted by its policy."""
    (tmp_path / "evidence.html").write_text(render(PAGES[name]), encoding="utf-8")
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto((tmp_path / "evidence.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert not refused
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == [], scheme
    assert PAGES[name].run.summary[:40] in page.locator(".summary").inner_text()
    page.close()
