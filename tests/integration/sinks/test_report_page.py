"""A browser shows the report on a phone and on a wide screen: nothing is cut off, and everybody can read it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import html5lib
import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from seatrial.checks.findings import differences
from seatrial.events import Case, Evaluated, Finding, Measurement, NotEvaluated, Severity, Subject, Verdict, total
from seatrial.parity.compare import compare
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


def drawn() -> Verdict:
    """Return a verdict with a picture of each kind: numbers, times, labels, flags."""
    rows, rng = 300, np.random.default_rng(3)
    at = pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(rows), unit="h")
    was = pd.DataFrame(
        {"id": range(rows), "amount": rng.lognormal(3, 1, rows), "at": at, "plan": rng.choice(list("abc"), rows),
         "old": rng.random(rows) > 0.3}
    )  # fmt: skip
    plan = was["plan"].replace({"a": "b"})
    now = was.assign(amount=was["amount"] * 1.3 + rng.normal(0, 1, rows), at=at + pd.Timedelta("40D"), plan=plan)
    now["old"] = ~was["old"]
    found = differences("expectations", "features", compare(was, now, key="id"))
    return total((*EVENTS, *found), subject=Subject("payments", "3"), path=PATH, planned=[], dependencies=["store"])


OPEN = total(
    [e for e in EVENTS if not isinstance(e, Finding)], subject=Subject("payments", "4"), path=PATH,
    planned=[Case("golden", p) for p in PATH],
)  # fmt: skip
GOOD = total(
    [e for e in EVENTS if isinstance(e, Evaluated | Measurement)], subject=Subject("payments", "5"), path=PATH,
    planned=[Case("golden", p) for p in PATH],
)  # fmt: skip
PAGES = {"usual": VERDICT, "long": LONG, "pictures": drawn(), "inconclusive": OPEN, "pass": GOOD}


@pytest.fixture(params=list(PAGES))
def page(request: Any, browser: Any, tmp_path: Any) -> Iterator[Any]:
    """A page that shows one of the verdicts, everything that can be unfolded unfolded."""
    (tmp_path / "report.html").write_text(html.render(PAGES[request.param]), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    yield page
    page.close()


def test_no_page_is_wider_than_its_window(page: Any) -> None:
    """Wide tables scroll in a box of their own; the page itself does not scroll sideways."""
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert "Seed" in page.inner_text("body")


def test_everybody_can_read_it(page: Any) -> None:
    """No finding of axe, in light and in dark: contrast, names of pictures, tables and regions that scroll."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == [], scheme


@pytest.mark.parametrize("name", list(PAGES))
def test_the_page_is_valid_html(name: str) -> None:
    """A strict parser finds no error, and every id is one element's."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root = parser.parse(html.render(PAGES[name]))
    ids = [element.get("id") for element in root.iter() if isinstance(element.tag, str) and element.get("id")]
    assert len(ids) == len({*ids})


def test_a_picture_shows_each_kind_of_column_and_no_value() -> None:
    """Bars of training and a line of now; labels without their names."""
    page = html.render(PAGES["pictures"])
    assert page.count('<figure class="sketch">') == 4
    assert page.count('class="pair-pane"') == 2
    assert "Labels have no names here: values stay on the machine." in page
