"""A browser shows the page of ``seatrial status`` on a phone and on a wide screen, and everybody can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from seatrial.ledger import Ledger
from seatrial.project import Project
from seatrial.promotion.fleet.page import render
from seatrial.promotion.fleet.status import read
from seatrial.sinks.links import Link
from tests.integration.sinks.test_report_page import browser  # noqa: F401  a fixture
from tests.unit.promotion.test_fleet_status import crowd, hostile_status, project  # noqa: F401  a fixture

HERE = "https://mlflow.example.org/#/models/a-long-name/versions/1"


@pytest.fixture(params=["hostile", "crowded", "empty"])
def shown(request: Any, project: Project) -> str:  # noqa: F811
    """A page: text from outside is an attack wherever it can stand; two thousand versions; none."""
    with Ledger.of(project.state) as ledger:
        if request.param == "crowded":
            crowd(ledger, project, 40, 50)
        status = hostile_status(ledger, project) if request.param == "hostile" else read(ledger, project)
    links = [Link("version", HERE), Link("run", HERE)]
    return render(status, {row.history.subject: links for row in status.rows})


def test_no_page_is_wider_than_its_window_and_axe_finds_nothing(shown: str, browser: Any, tmp_path: Path) -> None:  # noqa: F811
    """At 360 and 1280 pixels, in light and in dark; its policy admits its style, and it loads nothing else."""
    (tmp_path / "status.html").write_text(shown, encoding="utf-8")
    page = browser.new_page()
    refused, asked = list[str](), list[str]()
    page.on("console", lambda message: refused.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "status.html").as_uri())
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == [], scheme
    assert not refused
    assert len(asked) == 1
    page.close()
