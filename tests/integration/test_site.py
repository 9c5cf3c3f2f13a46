"""The site of the documentation: it builds strictly, loads nothing from elsewhere, and fits a telephone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SEEN = (
    "index",
    "tutorial/first-service",
    "how-to/services",
    "reference/causes",
    "reference/commands",
    "reference/python",
)


def build(to: Path, *, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Build the site of a folder as CI does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(to)]
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "true", "DISABLE_MKDOCS_2_WARNING": "true"}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; links, anchors and pages that are in no menu are warnings, and a warning ends the build."""
    to = tmp_path_factory.mktemp("site")
    done = build(to)
    assert done.returncode == 0, done.stdout + done.stderr
    return to


def test_a_broken_link_or_anchor_ends_the_build(tmp_path: Path) -> None:
    """So that the fixture above shows what it says."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n[gone](gone.md) and [nowhere](#nowhere)\n", encoding="utf-8")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    settings = settings.partition("\nnav:")[0].replace("extra_css: [site.css]\n", "")
    (tmp_path / "mkdocs.yml").write_text(re.sub(r"  - mkdocstrings:\n(    .*\n)+", "", settings), encoding="utf-8")
    done = build(tmp_path / "site", folder=tmp_path)
    assert done.returncode != 0
    assert "'gone.md'" in done.stdout + done.stderr
    assert "'#nowhere'" in done.stdout + done.stderr


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture; links that a reader follows may lead out."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    loaded = re.compile(r"<(?:script|img|iframe)[^>]+src=\"?(?:https?:)?//[^>]+|<link[^>]+href=\"?(?:https?:)?//[^>]+")
    assert {page.name: found for page in pages if (found := loaded.findall(page.read_text(encoding="utf-8")))} == {}
    assert (site / "search" / "search_index.json").is_file()


def test_every_public_name_has_an_entry_with_its_examples(site: Path) -> None:
    """Each is described from its docstring, and its example is a block of code."""
    import seatrial

    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert {name for name in seatrial.__all__ if f'id="seatrial.{name}"' not in page} == set()
    assert page.count("&gt;&gt;&gt;") > 30
    assert ">Example:<" not in page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=[*QUIET, "--disable-component-update"])
        yield started
        started.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_its_window(width: int, site: Path, browser: Any) -> None:
    """Wide tables and code scroll in a box of their own."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    wide = {}
    for name in SEEN:
        page.goto((site / f"{name}.html").as_uri())
        if (found := page.evaluate("document.documentElement.scrollWidth")) > width:
            wide[name] = found
        if shots := os.environ.get("SEATRIAL_SCREENSHOTS"):
            page.screenshot(path=f"{shots}/{name.replace('/', '-')}-{width}.png")
    page.close()
    assert wide == {}
