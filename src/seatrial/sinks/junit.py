"""The verdict as JUnit XML: one test case a case, so that any CI shows what failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from seatrial.events import Finding, Outcome, Severity, Verdict
from seatrial.io.files import atomic_write
from seatrial.sinks.base import Sink
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import CaseResult, State, results
from seatrial.sinks.text import neutral


class JUnitReport(Sink):
    """Writes the verdict as one test suite: findings are failures, cases that were not evaluated are errors."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def verdict(self, verdict: Verdict) -> None:
        """Write the file, whole or not at all."""
        atomic_write(self.path, render(verdict))


def render(verdict: Verdict) -> bytes:
    """Return the XML. A verdict other than pass always yields a suite with a failure or an error."""
    subject = neutral(verdict.subject)
    suite = ET.Element("testsuite", name=subject, time=f"{verdict.seconds:.3f}")
    properties = ET.SubElement(suite, "properties")
    for name, value in {
        "verdict": verdict.outcome.value,
        "summary": verdict.summary,
        "first_failing_stage": verdict.first_failing_stage or "",
        "path": " → ".join(verdict.path),
        "seed": verdict.seed,
        "subject_digest": verdict.subject.digest,
        "reference_digest": verdict.reference_digest,
        "policy_digest": verdict.policy_digest,
    }.items():
        ET.SubElement(properties, "property", name=name, value=neutral(value, 1000))
    numbers = {id(finding): number for number, finding in verdict.numbered.items()}
    for result in results(verdict):
        _case(suite, result, numbers)
    red = suite.findall("testcase/failure") + suite.findall("testcase/error")
    if verdict.outcome is not Outcome.PASS and not red:
        case = ET.SubElement(suite, "testcase", classname="path", name="verdict", time="0.000")
        ET.SubElement(case, "error", message=neutral(verdict.summary), type=verdict.outcome.value)
    root = ET.Element("testsuites", name="seatrial")
    for element in (suite, root):
        element.set("tests", str(len(suite.findall("testcase"))))
        element.set("failures", str(len(suite.findall("testcase/failure"))))
        element.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", "0")  # of a suite alone: the schema of Jenkins refuses it in <testsuites>
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ET.Element, result: CaseResult, numbers: Mapping[int, int]) -> None:
    def lines(finding: Finding) -> str:
        return _lines(finding, numbers[id(finding)])

    case = result.case
    element = ET.SubElement(
        suite,
        "testcase",
        classname=neutral(case.stage or "path"),
        name=neutral(case.check),
        time=f"{result.seconds:.3f}",
    )
    not_evaluated = [neutral(f"{_word(n.crashed)}: {n.reason}") for n in result.not_evaluated]
    # Readers of JUnit agree on one result a case only: everything else goes into its body.
    if errors := sorted(result.errors, key=lambda f: f.downstream):
        failure = ET.SubElement(
            element,
            "failure",
            message=neutral(_headline(errors[0], numbers[id(errors[0])])),
            type=neutral(errors[0].cause or result.state),
        )
        failure.text = "\n".join([*map(lines, errors), *not_evaluated])
    elif result.state is State.NOT_EVALUATED:
        crashed = any(n.crashed for n in result.not_evaluated)
        error = ET.SubElement(
            element,
            "error",
            message=not_evaluated[0] if not_evaluated else "Nothing was compared.",
            type=_word(crashed),
        )
        error.text = "\n".join(not_evaluated) or None
    others = [lines(f) for f in result.findings if f.severity is not Severity.ERROR]
    others += [neutral(f"cached: the result of the run of {e.run}") for e in result.evaluated if e.cached]
    if others:
        ET.SubElement(element, "system-out").text = "\n".join(others)


def _word(crashed: bool) -> str:
    return "crashed" if crashed else State.NOT_EVALUATED.value


def _headline(finding: Finding, number: int) -> str:
    kind = "" if finding.severity is Severity.ERROR else f"{finding.severity.value}: "
    follows = finding.evidence.get("follows")
    after = f" of {follows}" if isinstance(follows, int) else ""
    column = f"column '{finding.column}': " if finding.column else ""
    return f"[{number}] {kind}{f'downstream{after}: ' if finding.downstream else ''}{column}{finding.message}"


def _lines(finding: Finding, number: int) -> str:
    lines = [_headline(finding, number)]
    lines += [f"  cause: {finding.cause}"] if finding.cause else []
    lines += [f"  {shown}"] if (shown := str(evidence(finding.evidence))) else []
    lines += [f"  what to do: {finding.advice}"] if finding.advice else []
    return "\n".join(neutral(line, 1000) for line in lines)
