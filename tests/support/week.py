"""A project's week: versions that are registered and validated, nightly runs, killed processes, and what they leave.

Files, folders and ledger are real, and so is what deletes them. Only the clock is not: each hour is as old as it says.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.events import Attachment, Case, Evaluated, Finding, Outcome, Subject, total
from seatrial.events.local import LocalEvidence, Log
from seatrial.ledger import Facts, Job, Ledger
from seatrial.orchestration.deployments.prune import prune
from seatrial.project import Project
from seatrial.promotion.attestation import FILE as STATEMENT
from seatrial.promotion.evidence import archive
from seatrial.sinks.files import new_directory, write_results
from seatrial.sinks.local.store import write_local
from seatrial.sinks.retention import DAY, Retention

HOURS = 7 * 24
SETTINGS = """
[tool.seatrial]
pipeline = "pipeline.py:pipeline"
[tool.seatrial.retention]
validations = {validations}
days = {days}
total_mb = {total_mb}
environments_mb = {total_mb}
[tool.seatrial.local_evidence]
validations = 10
total_mb = 1
"""


@dataclass(frozen=True)
class Version:
    """A version as a registry lists it."""

    name: str
    number: str
    created: int
    run_id: str = ""
    model_id: str = ""
    scheme: str = "models"


@dataclass
class Week:
    """A week of a project, and what happened in it.

    Attributes:
        project: with a state of its own.
        temporary: where processes leave what they had.
        begun: the week's first moment, seconds since 1970.
        each_hours: hours from one new version to the next.
        models: how many there are.
        file_bytes: of the largest file of a validation.
        validated: folder, outcome and version of each validation, in order.
        promoted: the version of each model to which the alias was moved last.
    """

    project: Project
    temporary: Path
    begun: float
    each_hours: int = 8
    models: int = 2
    file_bytes: int = 40_000
    validated: list[tuple[Path, Outcome, Version]] = field(default_factory=list)
    promoted: dict[str, Version] = field(default_factory=dict)
    chosen: random.Random = field(default_factory=lambda: random.Random(11))

    def hours(self, ledger: Ledger) -> Iterator[float]:
        """Let one hour after the other pass, each with its reconciliation; yield its end, seconds since 1970."""
        for hour in range(HOURS):
            now = self.begun + hour * 3600.0
            if hour % self.each_hours == 0:
                number = hour // self.each_hours
                version = Version(f"model-{number % self.models}", str(number // self.models + 1), 1_000 + number)
                ledger.observe([version])
                job = ledger.claim("host")
                assert job is not None
                self._validate(ledger, version, job, now)
            if hour % 24 == 2:
                for version in list(self.promoted.values()):
                    self._validate(ledger, version, ledger.claim_version(version, "host"), now)
            if hour % 12 == 5:
                self._is_killed(now, hour)
            if hour % 24 == 9:
                _fill(self.project.state / "versions" / f"captured-{hour}", self.chosen, self.file_bytes, now)
                _fill(self.project.state / "environments" / f"{hour:032x}", self.chosen, 4 * self.file_bytes, now)
            prune(self.project, now=now)
            yield now

    def _validate(self, ledger: Ledger, version: Version, job: Job, now: float) -> None:
        outcome = self.chosen.choices(list(Outcome), [6, 3, 1, 1])[0]
        noise = Attachment("golden", None, "answers.bin", self.chosen.randbytes(self.file_bytes))
        events = [Evaluated("golden", "score", 10), noise]
        if outcome is Outcome.FAIL:
            events.append(Finding("golden", "score", "'x' differs."))  # type: ignore[arg-type]
        planned = [Case("golden", "score")] if outcome in (Outcome.PASS, Outcome.FAIL) else []
        subject = Subject(version.name, version.number)
        verdict = total(events, subject=subject, path=["score"], planned=planned)
        folder = new_directory(self.project.state, subject)
        write_results(verdict, events, folder)
        (folder / STATEMENT).write_text("signed")
        local = LocalEvidence()
        local.keep(Log("golden", "score", "x" * 16_000))
        kept = self.project.local_evidence
        write_local(
            self.project.state, folder, local,
            Retention(kept.validations, kept.days * DAY, kept.total_mb * 2**20), now,
        )  # fmt: skip
        kinds = ["log-run", "tags", *(["alias"] if verdict.outcome is Outcome.PASS else [])]
        ledger.commit(job, Facts(verdict.outcome, verdict.summary), [(kind, {}) for kind in kinds], archive(folder))
        refused = self.chosen.random() < 0.1
        while effect := ledger.next_effect():
            if refused and effect.kind == "log-run":
                ledger.park_effect(effect, "the file is too large")
                continue
            ledger.complete_effect(effect, '["champion"]' if effect.kind == "alias" else "run")
            ledger.discard_evidence(effect)
            if effect.kind == "alias":
                self.promoted[version.name] = version
        for made in (folder, self.project.state / "private" / folder.parent.name / folder.name):
            os.utime(made, (now, now))
        self.validated.append((folder, verdict.outcome, version))

    def _is_killed(self, now: float, hour: int) -> None:
        """Leave what a validation has at the moment at which it is killed."""
        _fill(self.temporary / f"seatrial-trial-{hour}", self.chosen, self.file_bytes, now)
        _fill(self.project.state / "versions" / f"run-{hour}", self.chosen, self.file_bytes, now)
        _fill(self.project.state / f"seatrial-elsewhere-{hour}", self.chosen, self.file_bytes, now)
        folder = new_directory(self.project.state, Subject("model-0", "1"), "partial")
        _fill(folder, self.chosen, self.file_bytes, now)

    def in_use(self) -> set[Version]:
        """Return of each model the newest version, the newest whose last decision is a pass, and the promoted one."""
        used = set(self.promoted.values())
        for model in {version.name for _, _, version in self.validated}:
            mine = sorted({v for _, _, v in self.validated if v.name == model}, key=lambda v: v.created)
            passing = [version for version in mine if self._decided(version) is Outcome.PASS]
            used |= {*mine[-1:], *passing[-1:]}
        return used

    def _decided(self, version: Version) -> Outcome | None:
        decided = [o for _, o, v in self.validated if v == version and o in (Outcome.PASS, Outcome.FAIL)]
        return decided[-1] if decided else None

    def must_stay(self) -> set[Path]:
        """Return the last results of each version in use, and its last that passed."""
        found = set[Path]()
        for version in self.in_use():
            mine = [(folder, outcome) for folder, outcome, v in self.validated if v == version]
            found.add(mine[-1][0])
            passes = [folder for folder, outcome in mine if outcome is Outcome.PASS]
            found |= set(passes[-1:])
        return found


def begin(root: Path, temporary: Path, begun: float, *, validations: int, days: float, total_mb: int) -> Project:
    """Write a project with these limits."""
    (root / "pyproject.toml").write_text(SETTINGS.format(validations=validations, days=days, total_mb=total_mb))
    (root / "pipeline.py").write_text("pipeline = None\n")
    temporary.mkdir()
    return Project.find(root)


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _fill(folder: Path, chosen: random.Random, most: int, now: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights").write_bytes(chosen.randbytes(most))
    os.utime(folder, (now, now))
