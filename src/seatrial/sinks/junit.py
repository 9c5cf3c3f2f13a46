"""The verdict as JUnit XML: one test case a question, so that any CI shows what failed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from seatrial.events import Finding, Outcome, Severity, Verdict
from seatrial.io.files import atomic_write
from seatrial.sinks.base import Sink
from seatrial.sinks.evidence import evidence
from seatrial.sinks.outline import CaseResult, State, answers
from seatrial.sinks.text import neutral


class JUnitReport(Sink):
    """Writes the verdict as one test suite: findings are failures, what was not evaluated is an error."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def verdict(self, verdict: Verdict) -> None:
        """Write the file, whole or not at all."""
        atomic_write(self.path, render(verdict))


def render(verdict: Verdict) -> bytes:
    """Return the XML. A verdict that is no pass never yields a suite without a failure or error."""
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
    for answer in answers(verdict):
        _case(suite, answer)
    red = suite.findall("testcase/failure") + suite.findall("testcase/error")
    if verdict.outcome is not Outcome.PASS and not red:
        case = ET.SubElement(suite, "testcase", classname="path", name="verdict", time="0.000")
        ET.SubElement(case, "error", message=neutral(verdict.summary), type=verdict.outcome.value)
    root = ET.Element("testsuites", name="seatrial")
    for element in (suite, root):
        element.set("tests", str(len(suite.findall("testcase"))))
        element.set("failures", str(len(suite.findall("testcase/failure"))))
        element.set("errors", str(len(suite.findall("testcase/error"))))
        element.set("skipped", "0")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ET.Element, answer: CaseResult) -> None:
    case = answer.case
    element = ET.SubElement(
        suite,
        "testcase",
        classname=neutral(case.stage or "path"),
        name=neutral(case.check),
        time=f"{answer.seconds:.3f}",
    )
    not_evaluated = [neutral(f"{'crashed' if u.crashed else 'not judged'}: {u.reason}") for u in answer.not_evaluated]
    # Readers agree on one result a case only: what else there is to say stands in its body.
    if errors := sorted(answer.errors, key=lambda f: f.downstream):
        failure = ET.SubElement(
            element,
            "failure",
            message=neutral(_headline(errors[0])),
            type=neutral(errors[0].cause or answer.state),
        )
        failure.text = "\n".join([*map(_lines, errors), *not_evaluated])
    elif answer.state is State.UNJUDGED:
        crashed = any(u.crashed for u in answer.not_evaluated)
        error = ET.SubElement(
            element,
            "error",
            message=not_evaluated[0] if not_evaluated else "nothing was compared",
            type="crashed" if crashed else "not judged",
        )
        error.text = "\n".join(not_evaluated) or None
    others = [f for f in answer.findings if f.severity is not Severity.ERROR]
    if others:
        ET.SubElement(element, "system-out").text = "\n".join(map(_lines, others))


def _headline(finding: Finding) -> str:
    column = f"column '{finding.column}': " if finding.column else ""
    return f"{'propagated: ' if finding.downstream else ''}{column}{finding.message}"


def _lines(finding: Finding) -> str:
    lines = [f"{finding.severity.value}: {_headline(finding)}"]
    lines += [f"  cause: {finding.cause}"] if finding.cause else []
    lines += [f"  {shown}"] if (shown := str(evidence(finding.evidence))) else []
    lines += [f"  do: {finding.advice}"] if finding.advice else []
    return "\n".join(neutral(line, 1000) for line in lines)
