"""Environments of their own for what cannot share ours, made once and kept outside the checkout.

``python tests/conformance/environments.py`` makes them all, so that no test waits for one.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UNREACHABLE = re.compile(
    r"dns error|connect(ion)? (error|refused|timed out)|network is unreachable|failed to fetch|timed out"
    r"|temporary failure in name resolution|NewConnectionError",
    re.IGNORECASE,
)


KSERVE = ("kserve>=0.21,<0.22", "scikit-learn>=1.6")
MLSERVER = ("mlserver>=1.7.1,<1.8", "mlserver-sklearn>=1.7.1,<1.8")
SDV = ("sdv>=1.30,<3", "pandas<3", "pyarrow", "torch==2.13.0")  # exact: a build for the processor alone matches it too


class IndexUnreachable(Exception):
    """The package index cannot be reached, so the environment cannot be made."""


def environment(*requirements):
    """Return the interpreter of an environment with these packages; made in the temporary directory when missing.

    Raises:
        IndexUnreachable: the package index does not answer.
        subprocess.CalledProcessError: the packages cannot be installed for any other reason.
    """
    asked = "\n".join([sys.version.split()[0], *sorted(requirements)])
    root = Path(os.environ.get("SEATRIAL_TEST_ENVIRONMENTS", tempfile.gettempdir())) / "seatrial-environments"
    root.mkdir(parents=True, exist_ok=True)
    home = root / hashlib.sha256(asked.encode()).hexdigest()[:16]
    python = home / "bin" / "python"
    with (root / f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "complete").is_file():
            return python
        shutil.rmtree(home, ignore_errors=True)
        try:
            for command in _commands(home, python, requirements):
                subprocess.run(command, check=True, capture_output=True, text=True, env=_env())
        except subprocess.CalledProcessError as error:
            if UNREACHABLE.search(error.stderr or ""):
                raise IndexUnreachable((error.stderr or "").strip().splitlines()[-1][:200]) from error
            error.add_note((error.stderr or "")[-2000:])
            raise
        (home / "complete").write_text(asked)
    return python


def _commands(home, python, requirements):
    beside = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    if uv := shutil.which("uv", path=beside):
        return [
            [uv, "venv", "--quiet", "--python", sys.executable, str(home)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *requirements],
        ]
    return [
        [sys.executable, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", "--quiet", "--no-compile", *requirements],
    ]


def _env():
    """Return the environment of an installer: where pip looks for files, uv looks too."""
    local = os.environ.get("PIP_FIND_LINKS")
    return os.environ | ({"UV_FIND_LINKS": local} if local else {})


with contextlib.suppress(ImportError):
    import pytest

    @pytest.fixture(scope="session")
    def kserve_python():
        return _or_skip(*KSERVE)

    @pytest.fixture(scope="session")
    def mlserver_python():
        return _or_skip(*MLSERVER)

    @pytest.fixture(scope="session")
    def sdv_python():
        return os.environ.get("SEATRIAL_SDV_PYTHON") or _or_skip(*SDV)

    def _or_skip(*requirements):
        try:
            return environment(*requirements)
        except IndexUnreachable as error:
            pytest.skip(f"the package index cannot be reached: {error}")


if __name__ == "__main__":
    for requirements in (SDV, MLSERVER, KSERVE):
        try:
            print(environment(*requirements))  # noqa: T201
        except IndexUnreachable as error:
            print(f"{requirements[0]}: the package index cannot be reached: {error}")  # noqa: T201
