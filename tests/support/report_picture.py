"""Draw the documentation's picture of a report: ``python -m tests.support.report_picture docs/how-to/report.png``.

It validates the churn pipeline with one planted cause, and takes a picture of the top of its report.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from seatrial import Pipeline, capture, run
from seatrial.sinks import html
from tests.support import churn

SIZE = {"width": 1080, "height": 1180}


def draw(to: Path) -> None:
    """Write the picture."""
    reference = capture(Pipeline("churn", key="id", **churn.stages()), churn.requests(400))
    served = Pipeline("churn", key="id", **churn.stages("integer-division"))
    verdict = run(served, reference, ["expectations", "golden"])
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "report.html"
        page.write_text(html.render(verdict), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        shown.goto(page.as_uri())
        shown.screenshot(path=to)
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
