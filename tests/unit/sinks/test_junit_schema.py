"""The JUnit file has the elements and attributes that both Jenkins' and Surefire's schemas allow, in their order."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from seatrial.events import Outcome
from seatrial.sinks import junit
from tests.unit.sinks.test_sinks import VERDICTS

# element: (children in order, required attributes, further attributes)
RESULT: tuple[tuple[str, ...], set[str], set[str]] = ((), {"type"}, {"message"})
SCHEMA: dict[str, tuple[tuple[str, ...], set[str], set[str]]] = {
    # Jenkins alone knows <testsuites>: it has no count of what was skipped
    "testsuites": (("testsuite",), set(), {"name", "time", "tests", "failures", "errors", "disabled"}),
    "testsuite": (
        ("properties", "testcase"), {"name", "tests", "failures", "errors", "skipped"}, {"time", "group"},
    ),
    "properties": (("property",), set(), set()),
    "property": ((), {"name", "value"}, set()),
    "testcase": (
        ("failure", "skipped", "error", "system-out", "system-err"), {"name", "time"}, {"classname", "group"},
    ),
    "failure": RESULT,
    "error": RESULT,
    "skipped": ((), set(), {"message"}),
    "system-out": ((), set(), set()),
}  # fmt: skip
TIME = re.compile(r"\d*(\.\d{0,3})?")


@pytest.mark.parametrize("outcome", Outcome)
def test_every_element_is_one_that_both_schemas_allow(outcome: Outcome) -> None:
    """A report that a server refuses hides the verdict."""
    root = ET.fromstring(junit.render(VERDICTS[outcome]))
    assert root.tag == "testsuites"
    for element in root.iter():
        children, required, further = SCHEMA[element.tag]
        assert required <= set(element.attrib) <= required | further, element.tag
        order = [children.index(child.tag) for child in element]
        assert order == sorted(order), element.tag
        assert TIME.fullmatch(element.get("time", ""))
