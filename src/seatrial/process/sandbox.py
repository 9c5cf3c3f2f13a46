"""Where the project's code runs: with which variables, behind which command, within which limits."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from seatrial.errors import TargetError
from seatrial.process.engines import is_engine

_SECRET = re.compile(
    r"(^|[^A-Z])(TOKEN|SECRET|PASSPHRASE|CREDENTIALS?|MYSQL_PWD|(AUTH|CONNECTION)_STRING"
    r"|(API|ACCESS|PRIVATE|SECRET|ACCOUNT|SUBSCRIPTION|SIGNING|ENCRYPTION)_?KEY)($|[^A-Z])"
    r"|(API|ACCESS|AUTH|BEARER|REFRESH)_?(TOKEN|KEY|SECRET)($|[^A-Z])|PASSW|(?-i:[a-z](Token|Secret|Key))($|[^A-Z])",
    re.IGNORECASE,
)  # as words: TOKENIZERS_PARALLELISM and MAX_TOKENS hold none


def looks_secret(name: str) -> bool:
    """Return whether a variable is called like a credential.

    Example:
        >>> [looks_secret(name) for name in ("STAGING_API_KEY", "MAX_TOKENS")]
        [True, False]
    """
    return _SECRET.search(name) is not None


class Wrap(Protocol):
    """Returns the command that runs a command somewhere."""

    def __call__(self, command: Sequence[str], *, variables: Mapping[str, str], folder: str) -> list[str]:
        """Return the command that runs ``command`` there, with these variables, in this folder."""
        ...


def _plain(command: Sequence[str], **_: object) -> list[str]:
    return list(command)


@dataclass(frozen=True)
class Sandbox:
    """Where the project's code runs. By default as a program of this user: the variables of this process without those
    that look like credentials, and no limits.

    Attributes:
        variables: the environment variables; None for those of this process without credentials.
        python: the interpreter; commands are first looked up beside it.
        wrap: returns the command that runs a command there, with these further variables and in this folder. They are
            those of the process that is started too, which a container does not pass on.
        limits: what a command and all it started may take together: ``memory_bytes`` and ``processes``.
        logs: where the logs of services are kept that outlive a trial; a temporary directory by default.
        engines: the programs that run outside of ``wrap``, such as container engines, exactly as commands name them;
            None where there is no outside.
        outside: the variables of these programs.

    Example:
        >>> nice = Sandbox(variables={}, wrap=lambda command, **_: ["nice", *command])
        >>> nice.wrap(["uvicorn"], variables={}, folder="/")
        ['nice', 'uvicorn']
    """

    variables: Mapping[str, str] | None = None
    python: str = sys.executable
    wrap: Wrap = _plain
    limits: Mapping[str, int] = field(default_factory=dict)
    logs: Path | None = None
    engines: Sequence[str] | None = None
    outside: Mapping[str, str] = field(default_factory=dict)

    def of(self, command: Sequence[str]) -> Sandbox:
        """Return where a command runs: this, or as a program of this user where it is one of ``engines``.

        Raises:
            TargetError: it is a container engine, and the project does not allow that one.
        """
        if self.engines is None:
            return self
        program = str(command[0])
        if program in self.engines:
            # Not with the interpreter's folder in PATH: the project's code may have written there.
            return replace(self, variables=self.outside, python="", wrap=_plain, engines=None)
        if is_engine(program):
            raise TargetError(
                f"The service's command starts with '{program}'. A container engine runs outside of the isolation of "
                "the project's code, with the rights of this user, so the project has to allow it: write "
                f'engines = ["{program}"] below [tool.seatrial] in pyproject.toml.'
            )
        return self

    def environment(self) -> dict[str, str]:
        """Return the variables of a command, with the interpreter's folder first in ``PATH``."""
        own = self.variables
        if own is None:
            own = {name: value for name, value in os.environ.items() if not looks_secret(name)}
        beside = [os.path.dirname(self.python)] if os.path.dirname(self.python) else []
        return {**own, "PATH": os.pathsep.join([*beside, own.get("PATH", os.defpath)]), "PYTHONUNBUFFERED": "1"}
