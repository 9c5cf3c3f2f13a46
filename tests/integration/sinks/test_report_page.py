"""A browser shows the report on a phone and on a wide screen, and nothing is cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from seatrial.events import Case, Evaluated, Finding, Measurement, NotEvaluated, Severity, Subject, Verdict, total
from seatrial.sinks import html

PATH = ("raw", "store", "features", "prediction", "postprocess", "response", "service")
EVENTS = (
    *(Evaluated(check, place, 123_456, 1.5) for check in ("expectations", "golden", "invariants") for place in PATH),
    Evaluated("environment", None, 12),
    Finding("expectations", "features", "'hour' differs in 12 of 500 rows (2.4 %).", "hour", cause="shifted-timezone",
            advice="Parse the time as UTC.", evidence={"rows": 500, "mismatches": 12, "keys": ["transaction-001"] * 8}),
    Finding("golden", "response", "'decision' differs.", "a_column_of_a_name_that_is_rather_long", downstream=True),
    Finding("contract", None, "A field is optional now.", severity=Severity.WARNING),
    NotEvaluated("resilience", None, "The fault 'latency' did not fire."),
    *(Measurement("expectations", place, "mismatch_share", 0.024) for place in PATH),
)  # fmt: skip
VERDICT = total(
    EVENTS, subject=Subject("payments", "2"), path=PATH, planned=[Case("golden", p) for p in PATH],
    dependencies=["store"],
)  # fmt: skip


NAME = "a_column_of_a_name_" * 8
LONG = total(
    (
        *EVENTS,
        Finding("golden", "features", f"'{NAME}' differs.", NAME, cause="a-cause-" * 9, advice="Look. " + "x" * 200,
                evidence={"max_abs_diff": 1e300, "keys": ["k" * 100] * 8, "columns": [NAME] * 12}),
        Finding("golden", "response", f"'{NAME}' differs.", NAME, downstream=True, evidence={"keys": ["k" * 100]}),
        Measurement("load", "service", NAME, 12_345_678.9, "requests per second", NAME),
    ),
    subject=Subject("a-long-name-" * 9, "2" * 30, "http://" + "r" * 100), path=PATH, planned=[],
    reference_digest="sha256:" + "ab" * 32,
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium without anything that calls home."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=[*quiet, "--disable-component-update"])
        yield started
        started.close()


@pytest.mark.parametrize("verdict", [VERDICT, LONG], ids=["usual", "long"])
@pytest.mark.parametrize("width", [360, 1200])
def test_no_page_is_wider_than_its_window(width: int, verdict: Verdict, browser: Any, tmp_path: Any) -> None:
    """Wide tables scroll in a box of their own; the page itself does not scroll sideways."""
    (tmp_path / "report.html").write_text(html.render(verdict), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert "failed (origin)" in page.inner_text("body")
    page.close()
