"""What the serving process runs in, seen from outside: its interpreter is asked, with the variables it started with.

What code sets after the start, such as a locale or a number of threads, cannot be seen from outside.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seatrial.errors import TargetError
from seatrial.io import strict_json
from seatrial.process.running import Running

SECONDS = 60.0  # for an interpreter on a busy machine that imports numpy
ANSWER_BYTES = 2**16
OF_VARIABLES = ("timezone", "locale", "threads")  # the groups that any interpreter can tell from the variables alone
_PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?")


@dataclass(frozen=True)
class Serving:
    """What could be seen of the process that serves.

    Attributes:
        environment: as :func:`seatrial.reference.environment.environment` describes it, without the groups that are
            not seen.
        unseen: what could not be seen and why, in words; empty where all was.
    """

    environment: Mapping[str, Any]
    unseen: str = ""


def serving_environment(running: Running) -> Serving:
    """Return what the process runs in that listens on a started service's port.

    Raises:
        TargetError: nothing of it can be seen.
    """
    import psutil

    try:
        process = _listening(running)
        command, variables, folder = process.cmdline(), process.environ(), process.cwd()
    except psutil.Error as error:
        raise TargetError(f"The process that serves cannot be looked into: {type(error).__name__}.") from error
    name = os.path.basename(command[0]) if command else ""
    if _PYTHON.fullmatch(name):
        beside = os.path.join(folder, command[0]) if os.sep in command[0] else command[0]
        python = shutil.which(beside, path=variables.get("PATH", os.defpath))
        if python and (found := _account(python, variables, folder)):
            return Serving(found)
        why = f"its interpreter, '{name}', gave no account of itself"
    else:
        why = f"what serves is '{name}' and no Python interpreter"
    found = _account(sys.executable, {**variables, "PYTHONPATH": "", "PYTHONHOME": ""}, os.getcwd())
    if found is None:
        raise TargetError(f"The process that serves cannot be looked into: {why}.")
    return Serving({group: found[group] for group in OF_VARIABLES}, f"Interpreter, libraries and BLAS: {why}.")


def _account(python: str, variables: Mapping[str, str], folder: str) -> dict[str, Any] | None:
    """Return what an interpreter says of itself, or None."""
    spec = find_spec("seatrial.reference.environment")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        told = subprocess.run(  # noqa: S603  the interpreter that serves already
            [python, "-c", source], env=dict(variables), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
            check=True, timeout=SECONDS,
        ).stdout  # fmt: skip
        found = strict_json.loads(told[:ANSWER_BYTES], any_text=True)
        if isinstance(found, dict) and isinstance(found.get("libraries"), dict):
            return found
    return None


def _listening(running: Running) -> Any:
    """Return the process of ours that listens on the service's port, the first one where many do."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            for socket in process.net_connections("tcp"):
                if socket.status == psutil.CONN_LISTEN and socket.laddr.port == running.port:
                    return process
    raise TargetError(f"No process of the service is seen to listen on port {running.port}.")
