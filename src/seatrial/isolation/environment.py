"""What a model's process sees of our environment: what any program needs, what the project names, nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

MARK = "SEATRIAL_TRIAL"  # in the environment of whatever a trial starts, so that it can be found
SEEN = (
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
        environ: ours.
        named: variables that the project lets it see.
        scratch: a directory that stands for home and for temporary files, and goes with the process.
        logs: where its services keep what they said when something failed.
        mark: the value of ``MARK``.
    """
    seen = {n: v for n, v in environ.items() if n in named or any(fnmatchcase(n, pattern) for pattern in SEEN)}
    return seen | QUIET | {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "MLFLOW_TRACKING_URI": f"sqlite:///{scratch / 'mlflow.db'}",  # an empty one, whatever a model looks for there
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "SEATRIAL_LOGS": str(logs),
        MARK: mark,
    }  # fmt: skip
