"""The environment of a model's process: what any program needs, what the project names, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

MARK = "SEATRIAL_TRIAL"  # in the environment of every process that a trial starts, to find them by
PASSED_ON = (
    "PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR", "PYTHON*", "LD_LIBRARY_PATH", "DYLD_*", "VIRTUAL_ENV",
    "CONDA_PREFIX", "OMP_*", "OPENBLAS_*", "MKL_*", "BLIS_*", "NUMEXPR_*", "VECLIB_*", "GOTO_NUM_THREADS", "KMP_*",
    "MALLOC_*", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "PYTHONUNBUFFERED": "1",
}


def cleaned(
    environ: Mapping[str, str], named: Sequence[str], *, scratch: Path, logs: Path, mark: str
) -> dict[str, str]:
    """Return the environment of a model's process.

    Args:
        environ: of this process.
        named: variables that the project passes on.
        scratch: a directory for home and temporary files, deleted with the process.
        logs: where its services write their logs.
        mark: the value of ``MARK``.
    """
    passed = {n: v for n, v in environ.items() if n in named or any(fnmatchcase(n, pattern) for pattern in PASSED_ON)}
    return passed | QUIET | {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "MLFLOW_TRACKING_URI": f"sqlite:///{scratch / 'mlflow.db'}",  # an empty one: a model finds nothing there
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "SEATRIAL_LOGS": str(logs),
        MARK: mark,
    }  # fmt: skip
