"""The page that compares other tools with seatrial has the rows and columns of the benchmark that measured them."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "tests" / "bench" / "comparison"
PAGE = ROOT / "docs" / "explanation" / "why-not.md"


def table() -> list[list[str]]:
    """Return the cells of the page's table of results."""
    text = PAGE.read_text(encoding="utf-8").partition("| planted |")
    lines = "".join(text[1:]).partition("\n\n")[0].splitlines()
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_has_a_row_for_each_planted_fault():
    """In the order of the benchmark, and nothing in it is left open."""
    names = [fault.name for fault in runpy.run_path(str(BENCH / "faults.py"))["FAULTS"]]
    rows = table()[2:]
    assert [row[0] for row in rows[: len(names)]] == names
    cells = {cell for row in rows[: len(names)] for cell in row[1:]}
    assert cells <= {"located", "seen", "–", "green", "false alarm", "inconclusive"}


def test_the_table_has_a_column_for_each_tool():
    """Named as the benchmark names them, and each with its versions in the text."""
    tree = ast.parse((BENCH / "tools.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Tool"]
    assert table()[0][1:] == [ast.literal_eval(call.args[0]) for call in calls]


def test_the_page_names_the_versions_that_were_measured():
    """A version that is changed in the benchmark is measured again and written down."""
    pinned = re.findall(
        r'"(deepchecks|evidently|mlflow|tensorflow-data-validation)==([\d.]+)"', (BENCH / "tools.py").read_text()
    )
    assert len(pinned) == 4
    assert not [version for _, version in pinned if version not in PAGE.read_text(encoding="utf-8")]
