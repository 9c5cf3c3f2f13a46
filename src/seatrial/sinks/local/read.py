"""Read the verdicts and the local evidence of the validations that ran on this machine, from files alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import UsageError, nearest
from seatrial.events import Case, Finding, NotEvaluated, Severity
from seatrial.events.local import Exchange, Log, Pair, Raised, Record, Rows
from seatrial.formatting import plural
from seatrial.sinks.files import FILES, LATEST
from seatrial.sinks.local.places import FILE, FORMAT, private_folder

_STAMP = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:/*")


@dataclass(frozen=True)
class Validation:
    """One validation on this machine.

    Attributes:
        model: the name of the registered model.
        version: its version.
        kind: ``partial`` or ``stress``; empty for a whole validation.
        folder: its results.
        summary: the verdict on one line.
        findings: numbered from 1, in this order, wherever they are shown.
        not_evaluated: the cases that were not, with the reasons.
        records: its local evidence.
        private: the folder of its local evidence, whether or not there is any.
        cached: the cases whose results are of an earlier run.
    """

    model: str
    version: str
    kind: str
    folder: Path
    summary: str
    findings: tuple[Finding, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    records: tuple[Record, ...]
    private: Path
    cached: frozenset[Case] = frozenset()

    @property
    def subject(self) -> str:
        """The version, as a command takes it."""
        return f"{self.model}/{self.version}" if self.version else self.model


def latest(state: Path, version: str = "") -> Validation:
    """Return the latest validation of a version, or of any.

    Args:
        state: of the project.
        version: as ``models:/NAME/VERSION``, ``NAME/VERSION``, or the number alone where there is one model.

    Raises:
        UsageError: there is none; with those that there are.
    """
    found = sorted(_validations(state), key=lambda each: each[0], reverse=True)
    if not found:
        raise UsageError(
            f"No validation has run in this project: {state / 'reports'} has no results. "
            "Run: seatrial validate models:/NAME/VERSION"
        )
    name = _SCHEME.sub("", version)
    if "@" in name:
        raise UsageError(f"'{version}' is an alias, which only the registry knows. Name the version: {_known(found)}.")
    wanted = [f for _, f in found if not name or name == f"{f['model']}/{f['version']}"]
    if name and not wanted and "/" not in name:
        wanted = [f for _, f in found if name in (f["version"], f["model"])]
        if len(models := sorted({f["model"] for f in wanted})) > 1:
            several = ", ".join(f"{model}/{name}" for model in models)
            raise UsageError(f"Several models have a version {name}: {several}. Name one of these.")
    if not wanted:
        close = nearest(name, [f"{f['model']}/{f['version']}" for _, f in found])
        raise UsageError(f"Nothing on this machine validated '{version}'. Validated here: {_known(found)}.{close}")
    return _read(state, wanted[0]["folder"])


def finding_of(validation: Validation, number: int) -> Finding:
    """Return a finding by its number.

    Raises:
        UsageError: there is no such finding.
    """
    if not 1 <= number <= len(validation.findings):
        there = plural(len(validation.findings), "finding")
        raise UsageError(
            f"The verdict on {validation.subject} has {there}, and no number {number}. "
            f"List them: seatrial show {validation.subject}"
        )
    return validation.findings[number - 1]


def _known(found: list[tuple[tuple[str, float], dict[str, Any]]]) -> str:
    return ", ".join(dict.fromkeys(f"{f['model']}/{f['version']}" for _, f in found))


def _validations(state: Path) -> Iterator[tuple[tuple[str, float], dict[str, Any]]]:
    """Yield when each validation was, and which: the latest of each version and kind."""
    for link in (state / "reports").glob(f"*/{LATEST}"):
        folder = link.resolve()
        file = folder / FILES["json"]
        if _STAMP.fullmatch(folder.name) and file.is_file():
            subject = _verdict(file).get("subject", {})
            told = {"model": str(subject.get("model", "")), "version": str(subject.get("version", ""))}
            yield (folder.name.partition("-")[0], file.stat().st_mtime), {**told, "folder": folder}


def _verdict(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{file} is not the JSON of a verdict: {error}. Validate the version again.") from error
    return found if isinstance(found, dict) else {}


def _read(state: Path, folder: Path) -> Validation:
    told = _verdict(folder / FILES["json"])
    subject, private = told["subject"], private_folder(state, folder)
    kind = folder.parent.name.rpartition("-")[2]
    try:
        findings = tuple(Finding(**{**f, "severity": Severity(f["severity"])}) for f in told["findings"])
        not_evaluated = tuple(NotEvaluated(**n) for n in told["not_evaluated"])
        cached = frozenset(Case(e["check"], e["stage"]) for e in told["evaluated"] if e.get("cached"))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{folder / FILES['json']} was written by another release of seatrial. Validate the version again."
        ) from error
    return Validation(
        model=subject["model"], version=subject["version"], kind=kind if kind in ("partial", "stress") else "",
        folder=folder, summary=str(told["summary"]), findings=findings, not_evaluated=not_evaluated,
        records=_records(private), private=private, cached=cached,
    )  # fmt: skip


def _records(private: Path) -> tuple[Record, ...]:
    file = private / FILE
    if not file.is_file():
        return ()
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return tuple(_record(dict(each), private) for each in told["records"] if told["format"] == FORMAT)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UsageError(f"{file} cannot be read: {error}. Validate the version again.") from error


def _record(told: dict[str, Any], private: Path) -> Record:
    kind = told.pop("kind")
    if kind == "Rows":
        rows = tuple(Pair(**pair) for pair in told["rows"])
        return Rows(**{**told, "rows": rows, "sides": tuple(told["sides"])})
    if kind == "Exchange":
        named = told.pop("body_file", "")
        body = (private / Path(named).name).read_bytes() if named else told["body"].encode("utf-8", "surrogatepass")
        answer = told["answer"].encode("utf-8", "surrogatepass")
        told |= {"keys": tuple(told["keys"]), "body": body, "answer": answer}
        return Exchange(**told, body_file=str(private / Path(named).name) if named else "")
    return Raised(**told) if kind == "Raised" else Log(**told)
