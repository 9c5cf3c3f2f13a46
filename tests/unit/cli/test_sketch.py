"""What a pipeline's file says without being run: certain, or nothing."""

from __future__ import annotations

import ast

import pytest

from seatrial.cli.preflight.sketch import imports_of, names_of, sketch_of

PLAIN = """
import numpy as np
from seatrial import Pipeline, Stage
from .near import rates
from common.rates import RATE

try:
    import cudf
except ImportError:
    cudf = None


def parse(frame):
    return frame


pipeline = Pipeline("m", key="id", raw=parse, score=Stage(parse, calls=3), out=lambda f: f,
                    dependencies=(Dependency(name="store", url=URL), seatrial.Dependency("rates", url=URL)),
                    service=Service(["gunicorn", "app:app"]))
"""


def test_names_lines_and_command_are_read() -> None:
    """Stages with the line of their function, dependencies by place or name, the service's first words."""
    tree = ast.parse(PLAIN)
    sketch = sketch_of(tree, "pipeline")
    assert sketch.stages == {"raw": 13, "score": 13, "out": 17}
    assert sketch.dependencies == ("store", "rates")
    assert sketch.command == ("gunicorn", "app:app")
    assert names_of(tree).pipelines == ("pipeline",)
    assert dict(imports_of(tree)) == {"numpy": 2, "seatrial": 3, "common": 5}


@pytest.mark.parametrize(
    "text",
    [
        "pipeline = make()",
        "from seatrial import Pipeline\npipeline = Pipeline('m', key='id', **stages)",
        "from ours import Pipeline\npipeline = Pipeline('m', key='id', a=f, b=g)",
        "from seatrial import Pipeline\npipeline = Pipeline('m', key='id', a=f, b=g)\nif DEBUG:\n    pipeline = other",
        "def build():\n    return Pipeline('m', key='id')\npipeline = build()",
        "from elsewhere import pipeline",
    ],
)
def test_what_is_made_at_run_time_is_not_guessed(text: str) -> None:
    """Then nothing is known, and nothing is refused."""
    assert sketch_of(ast.parse(text), "pipeline") == sketch_of(ast.parse(""), "pipeline")


@pytest.mark.parametrize(
    "dependencies", ["[Dependency(NAME, url=URL)]", "[make()]", "many", "[*some]", "[Dependency(*given)]"]
)
def test_dependencies_that_are_computed_are_not_known(dependencies: str) -> None:
    """None, not an empty list."""
    text = f"import seatrial\npipeline = seatrial.Pipeline('m', key='id', a=f, b=g, dependencies={dependencies})"
    assert sketch_of(ast.parse(text), "pipeline").dependencies is None


@pytest.mark.parametrize(
    "text",
    ["from x import *", "globals()['pipeline'] = 1", "exec(code)", "def __getattr__(name): ...", "setattr(m, n, 1)"],
)
def test_a_name_may_come_from_anywhere(text: str) -> None:
    """A file that makes names at run time is never said to lack one."""
    assert not names_of(ast.parse(text)).complete
