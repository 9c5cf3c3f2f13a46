"""What every check promises."""

from __future__ import annotations

import json
import re

from seatrial.checks.base import Check
from seatrial.checks.engine import run_case
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.pipeline import SERVICE
from seatrial.testing.registration import require
from seatrial.trial import Trial

NAME = re.compile(r"[a-z][a-z0-9_-]*")
SENTENCE = re.compile(r"\S.*[.!?)]", re.DOTALL)


def check_conforms(check: Check, trial: Trial, *, broken: Trial | None = None) -> None:
    """Hold a check to its protocol: names, one end for each case, something compared, the same twice.

    Args:
        check: the check.
        trial: of a version that is sound; the check must find no error in it.
        broken: of a version that is not; the check must find an error in it.

    Raises:
        AssertionError: the first promise that is broken.

    Example:
        >>> from seatrial.checks import named
        >>> check_conforms(named(["golden"])[0], sample_trial(), broken=sample_trial(skewed=True))
    """
    require(isinstance(check, Check), f"{check!r:.80} is no seatrial.Check.")
    require(
        NAME.fullmatch(check.name),
        f"The name '{check.name}' is not lower-case letters, digits, '-' and '_': users type it after --only.",
    )
    sound = _events(check, trial)
    again = _events(check, trial)
    require(
        _said(sound) == _said(again),
        f"Check '{check.name}' gave other findings when it was run again on the same trial. Take every random "
        "choice from trial.seed.",
    )
    errors = [e.message for e in sound if isinstance(e, Finding) and e.severity is Severity.ERROR]
    require(not errors, f"Check '{check.name}' found an error in the sound version: {errors[:1]}")
    if broken is not None:
        found = [e for e in _events(check, broken) if isinstance(e, Finding) and e.severity is Severity.ERROR]
        require(found, f"Check '{check.name}' found no error in the broken version.")


def _events(check: Check, trial: Trial) -> list[Event]:
    places = {*trial.pipeline.stages, *trial.pipeline.dependencies, SERVICE, None}
    events: list[Event] = []
    for case in check.cases(trial):
        require(case.check == check.name, f"A case of check '{check.name}' is named '{case.check}'.")
        require(
            case.stage in places, f"Check '{check.name}' has a case at '{case.stage}', which is no place of the path."
        )
        own = run_case(check, trial, case)
        ends = [e for e in own if isinstance(e, Evaluated | NotEvaluated) and e.stage == case.stage]
        require(len(ends) == 1, f"{case} ended {len(ends)} times; a case ends once, Evaluated or NotEvaluated.")
        for end in ends:
            broken = isinstance(end, NotEvaluated) and end.crashed
            require(not broken, f"{case} crashed: {getattr(end, 'reason', '')}")
            nothing = isinstance(end, Evaluated) and end.compared < 1
            require(not nothing, f"{case} was evaluated on nothing: 'compared' counts what was looked at.")
        for event in own:
            require(event.check == check.name, f"{case} yielded an event of check '{event.check}'.")
            if isinstance(event, Finding):
                _is_readable(event)
        events += own
    return events


def _is_readable(finding: Finding) -> None:
    require(
        SENTENCE.fullmatch(finding.message.strip()), f"The finding '{finding.message}' is no sentence with a full stop."
    )
    try:
        json.dumps(dict(finding.evidence), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"The evidence of '{finding.message}' cannot be written as JSON: {error}.") from error


def _said(events: list[Event]) -> list[str]:
    return [f"{e.check} {e.stage} {e.column} {e.cause} {e.message}" for e in events if isinstance(e, Finding)]
