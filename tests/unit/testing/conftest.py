"""A small project for the tests of the pytest plugin, which run pytest in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import seatrial.testing.validating  # noqa: F401
from seatrial import Pipeline, capture, run
from seatrial.project import Project

pytest_plugins = ["pytester"]

PIPELINE = """
from seatrial import Pipeline


def features(frame):
    return frame.assign(minutes=frame["seconds"] / 60)


def response(frame):
    return frame[["id"]].assign(price=frame["minutes"] * 2 + 1)


pipeline = Pipeline("trips", key="id", features=features, response=response)
"""


def _once() -> None:
    """Import here what a validation imports: pytester forgets the modules that a run within is the first to import."""
    trips = Pipeline("trips", key="id", raw=lambda frame: frame, twice=lambda frame: frame.assign(x=2.0))
    run(trips, capture(trips, pd.DataFrame({"id": ["t"], "x": [1.0]})), ["expectations", "golden", "quality"])


_once()


@pytest.fixture
def project(pytester: pytest.Pytester) -> Iterator[Path]:
    """A project whose reference is in the folder that is looked into by default."""
    root = pytester.path
    (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (root / "pipeline.py").write_text(PIPELINE)
    (root / "expectations").mkdir()
    requests = pd.DataFrame({"id": [f"t-{n}" for n in range(50)], "seconds": [31.0 * n for n in range(50)]})
    capture(Project.find(root).pipeline(), requests).save(root / "reference")
    yield root
    sys.modules.pop("pipeline", None)


@pytest.fixture
def skewed(project: Path) -> Path:
    """The same project; its serving code divides by another number than its training code did."""
    (project / "pipeline.py").write_text(PIPELINE.replace("/ 60", "/ 100"))
    return project
