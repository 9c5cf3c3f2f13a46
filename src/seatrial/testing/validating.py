"""What the fixtures of the pytest plugin give: a project's pipeline on trial, and one case of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest
from rich.console import Console

from seatrial.checks.base import Check
from seatrial.errors import SeatrialError, UsageError, unknown
from seatrial.events import Case, Outcome, Verdict
from seatrial.pipeline import Pipeline
from seatrial.policy.policy import Policy
from seatrial.reference.snapshot import Reference
from seatrial.sinks.console import show
from seatrial.testing.loaded import LoadedProject, Source

T = TypeVar("T")
ARGUMENTS = ("checks", "stages", "reference", "model", "service")
WIDTH = 110  # of a failure message


class ProjectTrial:
    """The project's pipeline on trial, for one test; the fixture ``seatrial``.

    Example:
        def test_serving_matches_training(seatrial):
            seatrial.validate()
    """

    def __init__(self, loaded: LoadedProject, checks: Sequence[str], stages: Sequence[str]) -> None:
        self._loaded, self._checks, self._stages = loaded, checks, stages

    @property
    def pipeline(self) -> Pipeline:
        """The project's pipeline."""
        return _told(lambda: self._loaded.pipeline)

    @property
    def policy(self) -> Policy:
        """What its ``expectations/`` declare."""
        return _told(lambda: self._loaded.policy)

    @property
    def reference(self) -> Reference:
        """What its stages returned at training time."""
        return _told(lambda: self._loaded.reference)

    @property
    def model(self) -> Path | None:
        """The directory of its model; None where the pipeline has none."""
        return _told(lambda: self._loaded.model)

    def run(self, checks: Sequence[str] = (), stages: Sequence[str] = ()) -> Verdict:
        """Run checks and return the verdict, whatever it is; a case that another test has run is not run again.

        Args:
            checks: their names; by default those of the marker or of the options.
            stages: the stages they run on; by default those of the marker, or all.
        """
        chosen = (_names("checks", checks) or self._checks, _names("stages", stages) or self._stages)
        return _told(lambda: self._loaded.verdict(self._loaded.cases(*chosen)))

    def validate(self, checks: Sequence[str] = (), stages: Sequence[str] = ()) -> Verdict:
        """Run checks, and fail the test with the findings unless every case passes; see :meth:`run`."""
        verdict = self.run(checks, stages)
        if verdict.outcome is not Outcome.PASS:
            _fail(failure(verdict))
        return verdict


class ProjectCase:
    """One check on one stage; the fixture ``seatrial_case``.

    Example:
        def test_path(seatrial_case):
            seatrial_case.validate()
    """

    def __init__(self, loaded: LoadedProject, check: Check, case: Case) -> None:
        self._loaded, self._check, self.case = loaded, check, case
        self.id = "-".join(filter(None, (case.stage, case.check)))
        self._validated = False

    def validate(self) -> Verdict:
        """Run the check, and fail the test with its findings unless it passes."""
        self._validated = True
        verdict = _told(lambda: self._loaded.verdict([(self._check, self.case)]))
        if verdict.outcome is not Outcome.PASS:
            if verdict.errors and all(finding.downstream for finding in verdict.errors):
                _fail(f"downstream: {verdict.errors[0].message} {verdict.errors[0].advice}")
            _fail(failure(verdict))
        return verdict

    def begin(self) -> None:
        """Note that the test validated nothing yet."""
        self._validated = False

    def end(self) -> None:
        """Fail a test that validated nothing: it would be green whatever the stage does."""
        if not self._validated:
            _fail("The test takes 'seatrial_case' and validated nothing. Call seatrial_case.validate() in it.")


class NoCases:
    """Stands for the cases where they cannot be told; the test of it fails with the reason."""

    def __init__(self, reason: str) -> None:
        self.id, self._reason = "not-planned", reason

    def begin(self) -> NoReturn:
        """Fail."""
        _fail(self._reason)

    def end(self) -> None:
        """Do nothing: the test did not begin."""


class Validations:
    """The projects that the tests of a session validate, each loaded once.

    Args:
        options: the values of the plugin's options.
        root: pytest's rootdir.
    """

    def __init__(self, options: Mapping[str, Any], root: Path) -> None:
        self._options, self._root = options, root
        self._loaded: dict[Source, LoadedProject] = {}

    def trial_of(self, node: pytest.Item) -> ProjectTrial:
        """Return the trial that a test asks for by its marker, and else by the options."""
        return _told(lambda: self._trial_of(node))

    def cases_of(self, node: Any) -> Sequence[ProjectCase | NoCases]:
        """Return the cases that a test asks for, or what stands for them where they cannot be told."""
        try:
            trial = self._trial_of(node)
            found = trial._loaded.cases(trial._checks, trial._stages)
        except SeatrialError as error:
            return [NoCases(str(error))]
        cases = [ProjectCase(trial._loaded, check, case) for check, case in found]
        return cases or [NoCases("No case is left to validate: the checks that are chosen have none on these stages.")]

    def _trial_of(self, node: Any) -> ProjectTrial:
        marker = node.get_closest_marker("seatrial")
        given = dict(marker.kwargs) if marker is not None else {}
        if marker is not None and marker.args:
            raise UsageError(f"The marker 'seatrial' takes its arguments by name: {', '.join(ARGUMENTS)}.")
        for name in given:
            if name not in ARGUMENTS:
                raise UsageError(f"The marker 'seatrial': {unknown('argument', name, ARGUMENTS)}")
        option = self._options
        source = Source(
            self._root / option["project"],
            str(given.get("reference") or option["reference"]),
            str(given.get("model") or option["model"]),
            bool(option["service"] if given.get("service") is None else given["service"]),
            bool(option["worker"]),
            _whole(option["seed"]),
        )
        named = [name.strip() for name in option["checks"].split(",") if name.strip()]
        loaded = self._loaded.setdefault(source, LoadedProject(source))
        return ProjectTrial(
            loaded, _names("checks", given.get("checks")) or named, _names("stages", given.get("stages"))
        )

    def close(self) -> None:
        """End what the tests started."""
        for loaded in self._loaded.values():
            loaded.close()


def failure(verdict: Verdict) -> str:
    """Return the message of a test that fails by a verdict: its summary, and what a terminal shows of it."""
    page = io.StringIO()
    show(verdict, Console(file=page, width=WIDTH, no_color=True, force_terminal=False))
    return f"{verdict.summary}\n{page.getvalue().rstrip()}"


def _told(work: Callable[[], T]) -> T:
    """Return the result of ``work``; fail the test with the message of an error of ours, without a traceback."""
    __tracebackhide__ = True
    try:
        return work()
    except SeatrialError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    __tracebackhide__ = True
    pytest.fail(message, pytrace=False)


def _names(what: str, given: Sequence[str] | None) -> Sequence[str]:
    if isinstance(given, str) or not all(isinstance(name, str) for name in given or ()):
        raise UsageError(f"{what}={given!r}: give a list of names, such as {what}=[{str(given)!r}].")
    return tuple(given or ())


def _whole(text: Any) -> int:
    if not str(text or 0).isdigit():
        raise UsageError(f"--seatrial-seed must be a whole number, 0 or more; found {text!r}.")
    return int(text or 0)
