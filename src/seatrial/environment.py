"""What can change numbers without a change of code: interpreter, libraries, time zone, locale, threads, processor."""

from __future__ import annotations

import locale
import os
import platform
import time
from importlib import metadata
from typing import Any

LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "xgboost",
    "lightgbm",
    "catboost",
    "torch",
    "mlflow",
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment() -> dict[str, Any]:
    """Return this process's environment as JSON types; a library that is not installed is left out."""
    return {
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
        "timezone": list(time.tzname),
        "locale": locale.setlocale(locale.LC_ALL, None),
        "threads": {"cpus": os.cpu_count() or 0} | {n: v for n in THREADS if (v := os.environ.get(n))},
        "processor": f"{platform.system()} {platform.machine()}",
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
