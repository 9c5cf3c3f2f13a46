"""The environment of the serving process, read from outside: its interpreter runs with the variables it started with.

Settings that code changes after the start, such as a locale or a number of threads, are not visible from outside.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seatrial.errors import TargetError
from seatrial.io import strict_json
from seatrial.process.running import Running
from seatrial.process.sandbox import Sandbox

SECONDS = 60.0  # for an interpreter on a busy machine that imports numpy
OUTPUT_BYTES = 2**16
OF_VARIABLES = ("timezone", "locale", "threads")  # the groups that any interpreter derives from the variables alone
_PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?")


@dataclass(frozen=True)
class ServingEnvironment:
    """The environment of the serving process, as far as it could be read.

    Attributes:
        environment: as :func:`seatrial.reference.environment.environment` describes it, without the groups that
            could not be read.
        unreadable: a sentence about what could not be read and why; empty where everything was.
    """

    environment: Mapping[str, Any]
    unreadable: str = ""


def serving_environment(running: Running, sandbox: Sandbox | None = None) -> ServingEnvironment:
    """Return the environment of the process that listens on a started service's port.

    Args:
        running: the service.
        sandbox: where it runs; its interpreter is asked there.

    Raises:
        TargetError: no process of the service listens there, or it cannot be inspected.
    """
    sandbox = sandbox or Sandbox()
    import psutil

    try:
        process = _listening(running)
        command, variables, folder = process.cmdline(), process.environ(), process.cwd()
    except psutil.Error as error:
        raise TargetError(f"The serving process cannot be inspected: {type(error).__name__}.") from error
    name = os.path.basename(command[0]) if command else ""
    if _PYTHON.fullmatch(name):
        beside = os.path.join(folder, command[0]) if os.sep in command[0] else command[0]
        python = shutil.which(beside, path=variables.get("PATH", os.defpath)) or command[0]
        if found := _report(sandbox.wrap([python], variables=variables, folder=folder), variables, folder):
            return ServingEnvironment(found)
        why = f"its interpreter '{name}' did not report its environment"
    else:
        why = f"its command is '{name}', which is not a Python interpreter"
    found = _report([sys.executable], {**variables, "PYTHONPATH": "", "PYTHONHOME": ""}, os.getcwd())
    if found is None:
        raise TargetError(f"The serving process cannot be inspected: {why}.")
    return ServingEnvironment(
        {group: found[group] for group in OF_VARIABLES}, f"Interpreter, libraries and BLAS could not be read: {why}."
    )


def _report(python: Sequence[str], variables: Mapping[str, str], folder: str) -> dict[str, Any] | None:
    """Return the environment that an interpreter reports, or None."""
    spec = find_spec("seatrial.reference.environment")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    here = folder if os.path.isdir(folder) else os.sep  # that of a container is not here
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        output = subprocess.run(  # noqa: S603  the interpreter that serves already
            [*python, "-c", source], env=dict(variables), cwd=here, stdin=subprocess.DEVNULL, capture_output=True,
            check=True, timeout=SECONDS,
        ).stdout  # fmt: skip
        found = strict_json.loads(output[:OUTPUT_BYTES], any_text=True)
        if isinstance(found, dict) and isinstance(found.get("libraries"), dict):
            return found
    return None


def _listening(running: Running) -> Any:
    """Return the first of our child processes that listens on the service's port."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            for socket in process.net_connections("tcp"):
                if socket.status == psutil.CONN_LISTEN and socket.laddr.port == running.port:
                    return process
    raise TargetError(f"No process of the service listens on port {running.port}.")
