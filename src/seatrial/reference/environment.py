"""What can change numbers without a change of code: interpreter, libraries, time zone, locale, threads, processor.

The source of this file is also run by another interpreter, ``python -c``, which prints what it finds: it uses the
standard library alone, and numpy and threadpoolctl where they are.
"""

from __future__ import annotations

import json
import locale
import os
import platform
import sys
import time
from collections.abc import Iterable
from importlib import import_module, metadata
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
    "tensorflow",
    "onnxruntime",
    "mlflow",
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_DYNAMIC")
LOCALE = ("LANG", "LC_ALL", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE")


def environment() -> dict[str, Any]:
    """Return this process's environment as JSON types: every group a mapping of a name to text.

    What is not there is left out: a library that is not installed, a variable that is not set, the BLAS of an
    interpreter without numpy.
    """
    return {
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
        "timezone": {"time zone": f"{'/'.join(time.tzname)}, UTC{-time.timezone / 3600:+g}"},
        "locale": {"numbers": locale.setlocale(locale.LC_NUMERIC)} | _variables(LOCALE),
        "threads": {"processors": str(os.cpu_count() or 0)} | _variables(THREADS),
        "processor": {"machine": f"{platform.system()} {platform.machine()}"} | _processor(),
        "blas": _blas(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _variables(names: Iterable[str]) -> dict[str, str]:
    return {name: value for name in names if (value := os.environ.get(name))}


def _processor() -> dict[str, str]:
    """Return the model, and the extensions that numpy has found there: other ones sum in another order."""
    found = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
        found = {"model": model} if model else {}
    except OSError:
        pass
    extensions = _numpy().get("SIMD Extensions", {})
    return found | {"extensions": " ".join(extensions.get("found", []))} if extensions else found


def _blas() -> dict[str, str]:
    """Return which BLAS numpy calls, and which of its kernels runs on this processor, as threadpoolctl reports them."""
    built = _numpy().get("Build Dependencies", {}).get("blas", {})
    found = {"library": f"{built.get('name')} {built.get('version')}"} if built else {}
    try:
        loaded = import_module("threadpoolctl").threadpool_info()
    except ImportError:
        return found
    told = [p for p in loaded if p.get("architecture")]
    told = [p for p in told if "numpy" in p.get("filepath", "")] or told  # scipy brings one of its own
    kernels = sorted({str(p["architecture"]) for p in told})
    return found | ({"kernel": " ".join(kernels)} if kernels else {})


def _numpy() -> dict[str, Any]:
    try:
        told: dict[str, Any] = import_module("numpy").show_config(mode="dicts")
    except (ImportError, TypeError):  # numpy before 1.25 prints, and returns nothing
        return {}
    return told or {}


if __name__ == "__main__":
    json.dump(environment(), sys.stdout)
