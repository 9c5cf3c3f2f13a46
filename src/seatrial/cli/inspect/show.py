"""``seatrial show``: the findings of a validation, or one of them with the values, requests and errors behind it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seatrial.cli.conventions import Json
from seatrial.cli.inspect.render import evidence_lines
from seatrial.errors import EXIT_PASS
from seatrial.events import Case, Finding
from seatrial.events.local import Record, relevant
from seatrial.project import Project
from seatrial.sinks.files import REPORT
from seatrial.sinks.local.read import Validation, finding_of, latest
from seatrial.sinks.text import neutral, neutral_lines

MESSAGE = 2_000  # characters of a message, in full
LINE = 160  # of one in a list


def show(version: str = "", finding: int | None = None, *, project: Path = Path(), as_json: Json = False) -> int:
    """Show the findings of the latest validation on this machine, or one finding with the values behind it.

    Args:
        version: version as models:/NAME/VERSION, NAME/VERSION, or its number where there is one model; by default
            the one that was validated last.
        finding: number of a finding, as in the list and in the report.
        project: project directory.
        as_json: print JSON.
    """
    validation = latest(Project.find(project).state, version)
    if finding is None:
        body, lines = _listed_json(validation), _listed(validation)
    else:
        found = finding_of(validation, finding)
        records = relevant(found, validation.records)
        body, lines = _json(finding, found, records), _full(validation, finding, found, records)
    print(json.dumps(body, indent=2) if as_json else "\n".join(lines))  # noqa: T201
    return EXIT_PASS


def _listed(validation: Validation) -> list[str]:
    kind = f" ({validation.kind})" if validation.kind else ""
    lines = [neutral(f"{validation.subject}{kind}: {validation.summary}", MESSAGE)]
    width = len(str(len(validation.findings)))
    for number, finding in enumerate(validation.findings, 1):
        lines.append(f"{number:>{width + 2}}  {neutral(f'{_where(finding)}: {finding.message}', LINE)}")
    if validation.not_evaluated:
        lines += ["", "Not evaluated:"]
        for case in validation.not_evaluated:
            where = f"{case.stage} · {case.check}" if case.stage else case.check
            lines.append(f"  {neutral(f'{where}: {case.reason}', MESSAGE)}")
    for record in _of_the_run(validation):
        lines += ["", *evidence_lines([record])]
    lines.append("")
    if validation.findings:
        lines.append(f"One finding in full: seatrial show {neutral(validation.subject)} NUMBER")
    lines.append(f"Report: {validation.folder / REPORT}")
    return lines


def _of_the_run(validation: Validation) -> list[Record]:
    """Return what was kept of the run as a whole, such as why the model could not be loaded."""
    return [record for record in validation.records if record.place is None]


def _where(finding: Finding) -> str:
    parts = [*([finding.stage] if finding.stage else []), finding.check, *([finding.column] if finding.column else [])]
    weight = "downstream" if finding.downstream else finding.severity.value
    return f"{weight}  {' · '.join(parts)}"


def _full(validation: Validation, number: int, finding: Finding, records: list[Record]) -> list[str]:
    count = len(validation.findings)
    lines = [neutral(f"{validation.subject}, finding {number} of {count}: {_where(finding)}", MESSAGE)]
    lines += ["", *neutral_lines(finding.message, MESSAGE)]
    if finding.advice:
        lines += ["", f"What to do: {neutral(finding.advice, MESSAGE)}"]
    shown = evidence_lines(records)
    if not shown:
        lines += ["", _nothing(validation, finding)]
    else:
        lines += ["", *shown]
    return lines


def _nothing(validation: Validation, finding: Finding) -> str:
    if Case(finding.check, finding.stage) in validation.cached:
        return (
            "Its result is of an earlier run, whose values are not kept here. To have them, run the case again: "
            f"seatrial validate models:/{neutral(validation.subject)} --no-cache"
        )
    if validation.private.is_dir():
        return "No values belong to this finding."
    if finding.evidence.get("keys"):
        key = neutral(str(finding.evidence["keys"][0]), 100)
        again = f" To see one request stage by stage: seatrial trace {neutral(validation.subject)} --key '{key}'"
    else:
        again = ""
    return (
        "The values behind it are not on this machine: it was validated elsewhere, they were deleted by age or number, "
        f"or [tool.seatrial.local_evidence] keeps none.{again}"
    )


def _listed_json(validation: Validation) -> dict[str, Any]:
    return {
        "version": validation.subject,
        "kind": validation.kind or "validate",
        "summary": validation.summary,
        "findings": [{"number": n, **asdict(f)} for n, f in enumerate(validation.findings, 1)],
        "not_evaluated": [asdict(each) for each in validation.not_evaluated],
        "evidence": [_plain(record) for record in _of_the_run(validation)],
        "results": str(validation.folder),
    }


def _json(number: int, finding: Finding, records: list[Record]) -> dict[str, Any]:
    return {"number": number, **asdict(finding), "local_evidence": [_plain(record) for record in records]}


def _plain(record: Record) -> dict[str, Any]:
    plain = {"kind": type(record).__name__, **asdict(record)}
    return {n: v.decode("utf-8", "backslashreplace") if isinstance(v, bytes) else v for n, v in plain.items()}
