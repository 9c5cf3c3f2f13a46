"""The environment of a process that runs the project's code: what any program needs, and what the project names."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from seatrial.process.engines import variables_of

MARK = "SEATRIAL_TRIAL"  # in the environment of every process that a trial starts, to find them by
NUMERIC = (  # they decide in which order threads add up, and so the last bits
    "OMP_*", "OPENBLAS_*", "MKL_*", "BLIS_*", "NUMEXPR_*", "VECLIB_*", "GOTO_NUM_THREADS", "KMP_*", "MALLOC_*",
    "PYTHONHASHSEED",
)  # fmt: skip
PASSED_ON = (
    "PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR", "PYTHON*", "LD_LIBRARY_PATH", "DYLD_*", "VIRTUAL_ENV",
    "CONDA_PREFIX", *NUMERIC, "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "PYTHONUNBUFFERED": "1",
}


def cleaned(environ: Mapping[str, str], named: Sequence[str], *, home: Path, mark: str) -> dict[str, str]:
    """Return the environment of a process that runs the project's code.

    Args:
        environ: of this process.
        named: variables that the project passes on.
        home: a directory for home and temporary files, deleted with the process.
        mark: the value of ``MARK``.
    """
    passed = {n: v for n, v in environ.items() if n in named or _fits(n, PASSED_ON)}
    return passed | QUIET | {
        "HOME": str(home),
        "TMPDIR": str(home),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",  # an empty one: a model finds nothing there
        MARK: mark,
    }  # fmt: skip


def numeric(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment on which the last bits of numbers depend.

    Example:
        >>> numeric({"OMP_NUM_THREADS": "1", "HOME": "/root"})
        {'OMP_NUM_THREADS': '1'}
    """
    return {name: value for name, value in environ.items() if _fits(name, NUMERIC)}


def engine_variables(environ: Mapping[str, str], named: Sequence[str] | None) -> dict[str, str]:
    """Return the variables of a container engine's client: those of any program, its own, and those that are named.

    Args:
        environ: of this process.
        named: variables that the project passes on; None for all.
    """
    if named is None:
        return dict(environ)
    passed = {n: v for n, v in environ.items() if n in named or _fits(n, PASSED_ON)}
    return passed | variables_of(environ)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def search_path(library: Path, *, own: bool) -> str:
    """Return the ``PYTHONPATH`` of a worker: the folder with seatrial, then what this process was given.

    Args:
        library: the folder from which it imports seatrial.
        own: it has the interpreter of this process, and may import all that this process may.
    """
    rest = [p for p in sys.path if p] if own else [os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join([str(library), *filter(None, rest)])


def hidden_variable(message: str) -> str:
    """Return what to type where the pipeline needs a variable that is set here and hidden from its process."""
    missing = re.search(r"KeyError: '(\w+)'", message)
    if missing is None or missing[1] not in os.environ:
        return ""
    return f" A model's process does not see {missing[1]}: name it in 'environment' of [tool.seatrial]."
