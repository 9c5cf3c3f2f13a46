"""The errors of seatrial. Each carries one message for a person, and the exit code of the command that it ends.

SeatrialError
├── UsageError          an argument or a setting cannot be used
│   ├── ProjectError    pyproject.toml or the pipeline file
│   └── PolicyError     a file under expectations/
├── PipelineError       a pipeline cannot be put together, or cannot be run as given
│   └── StageError      a stage failed or broke the rule; under validation this is a finding
├── ReferenceInvalid    a reference is missing, damaged, or belongs to something else
├── FixtureError        a fixture cannot be declared, made or trusted
├── RegistryError       the model registry cannot be reached, or lacks something
│   └── VersionNotFound it responded, and has no such model, version or alias
├── IsolationError      the process that loads the model ended, exceeded a limit, or broke the protocol
├── EnvironmentUnavailable  the environment that the project's code is to run in cannot be made
└── TargetError         a service cannot be started or reached
    └── AnswerError     a service sent an unusable response; under validation this is a finding
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE = 0, 1, 2


class SeatrialError(Exception):
    """The base of every error of seatrial. Its message states what is wrong and what to do next.

    Attributes:
        exit_code: the exit code of a command that ends with this error.
        details: the traceback of the project's own code that led to it, for its author: it may hold values of rows, so
            no event has it. Empty where there is none.

    Example:
        >>> from seatrial import Pipeline, SeatrialError
        >>> try:
        ...     Pipeline("shop", key="id", raw=lambda frame: frame)
        ... except SeatrialError as error:
        ...     print(error.exit_code, str(error).partition(";")[0])
        2 Pipeline 'shop' has 1 stage(s)
    """

    exit_code = EXIT_INCONCLUSIVE
    details = ""


class UsageError(SeatrialError):
    """An argument or a setting cannot be used."""


class ProjectError(UsageError):
    """The project's settings or its pipeline file cannot be used."""


class PolicyError(UsageError):
    """A file under expectations/ cannot be used."""


class PipelineError(SeatrialError):
    """A pipeline cannot be put together as declared, or cannot be run with what was given."""


class StageError(PipelineError):
    """A stage raised, or broke the rule that a stage is a function from a frame to a frame that keeps the key.

    Attributes:
        stage: the name of the stage.
    """

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.stage, str(self)), {"details": self.details}


class ReferenceInvalid(SeatrialError):
    """The reference is missing, damaged, or belongs to something else."""


class FixtureError(SeatrialError):
    """A fixture cannot be declared, made or trusted; this is never a failure of the model."""


class RegistryError(SeatrialError):
    """The model registry cannot be reached, or does not hold what was requested."""


class VersionNotFound(RegistryError):
    """The registry responded, and has no such model, version or alias."""


class IsolationError(SeatrialError):
    """The process that loads the model ended, exceeded a limit, or broke the protocol."""


class EnvironmentUnavailable(SeatrialError):
    """The environment that the project's code is to run in cannot be made; this is never a failure of the model."""


class Interrupted(SeatrialError):
    """What runs a validation was away or ended in the middle of it; this says nothing of the version."""


class TargetError(SeatrialError):
    """A service under validation cannot be started or reached, or its protocol is not understood.

    Attributes:
        asked: the request that has no answer, a :class:`seatrial.targets.messages.Asked`; None where none was sent.
    """

    asked: object = None


class AnswerError(TargetError):
    """A response of a service came too late, was too long, or cannot be read."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question for the name closest to ``name``, to append to a message; the empty string where none is close.

    Example:
        >>> nearest("feature", ["raw", "features"]), nearest("xyz", ["raw"])
        (" Did you mean 'features'?", '')
    """
    close = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name: what was given, what is known, the nearest match.

    Example:
        >>> unknown("Check", "goldn", ["golden", "load"])
        "Check 'goldn' is not known. Known: golden, load. Did you mean 'golden'?"
    """
    names = list(known)
    listed = ", ".join(names) if names else "none"
    return f"{what} '{name}' is not known. Known: {listed}.{nearest(name, names)}"
