"""The error tree. Each error is one message for a person and knows the exit code it ends a command with.

SeatrialError
├── UsageError          what was typed, or a setting, cannot be used
│   ├── ProjectError    pyproject.toml or the pipeline file
│   └── PolicyError     a file under expectations/
├── PipelineError       a pipeline that cannot be put together
│   └── StageError      a stage that broke the rule while it ran; a finding when it happens under trial
├── ReferenceInvalid    a reference that is missing, damaged, or of something else
├── FixtureError        reference data that cannot be declared, made or trusted
├── RegistryError       MLflow cannot be reached, or has no such version
├── IsolationError      the process that loads a model ended, broke a limit, or said what cannot be understood
└── TargetError         a service that cannot be started or reached
    └── AnswerError     a service that answered, and not as it should; a finding when it happens under trial
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE = 0, 1, 2


class SeatrialError(Exception):
    """What went wrong and what to do, in words for the person who runs seatrial."""

    exit_code = EXIT_INCONCLUSIVE


class UsageError(SeatrialError):
    """Something typed or set cannot be used."""


class ProjectError(UsageError):
    """The project's settings or its pipeline file cannot be used."""


class PolicyError(UsageError):
    """A file under expectations/ cannot be used."""


class PipelineError(SeatrialError):
    """The pipeline cannot be put together as declared."""


class StageError(PipelineError):
    """A stage raised, or broke the rule that a step is a function from a frame to a frame."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class ReferenceInvalid(SeatrialError):
    """The reference is missing, damaged, or belongs to something else."""


class FixtureError(SeatrialError):
    """Reference data cannot be declared, made or trusted; never a failure of the model."""


class RegistryError(SeatrialError):
    """The model registry cannot be reached or does not hold what was asked for."""


class IsolationError(SeatrialError):
    """The process that loads a model ended, broke a limit, or said what cannot be understood."""


class TargetError(SeatrialError):
    """A service under trial cannot be started, reached, or understood."""


class AnswerError(TargetError):
    """A service answered too late, too long, or in no form that can be read."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest of ``known``, or the empty string."""
    close = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not there: what was asked for, what there is, the nearest match."""
    names = list(known)
    listed = ", ".join(names) if names else "none"
    return f"{what} '{name}' is not known. Known: {listed}.{nearest(name, names)}"
