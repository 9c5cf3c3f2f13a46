"""Environments of their own for what cannot share ours, made once and kept outside the checkout.

``python tests/conformance/environments.py`` makes them all, so that no test waits for one; it fails where the stacks
that capture must run on cannot be made. A test that uses one that cannot be made is skipped with the reason.
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
TOOLS = ("pytest>=9,<9.2", "hypothesis>=6")
OLD = (
    "numpy>=1.26,<1.27", "pandas>=2.1,<2.2", "pyarrow>=15,<16", "scikit-learn>=1.4,<1.5", "mlflow-skinny>=2.16,<2.17",
    *TOOLS,
)  # fmt: skip
OLDEST = ("numpy>=1.24,<1.25", "pandas>=2.0,<2.1", "pyarrow>=12,<13", "scikit-learn>=1.2,<1.3", *TOOLS)
LOCK = Path(__file__).resolve().parents[2] / "deployments" / "constraints.txt"
SHARED = ("joblib", "numpy", "pandas", "pillow", "protobuf", "pyarrow", "scikit-learn", "scipy", "typing-extensions")
SHAPES = (  # with the versions of our own lock where both have a library: what is ours stands on their path too
    "torch==2.13.0", "lightgbm>=4.6,<5", "xgboost-cpu>=3,<4", "onnx>=1.19,<2", "onnxruntime>=1.23,<2",
    "skl2onnx>=1.19,<2", *(line for line in LOCK.read_text().split() if line.partition("==")[0] in SHARED),
)  # fmt: skip
FRAMEWORKS = (  # one environment holds them all; none of them brings torch
    "fastapi>=0.150,<1", "flask>=3.1,<4", "gunicorn>=23,<27", "aiohttp>=3.12,<4", "starlette>=1,<2", "django>=5.2,<6",
    "djangorestframework>=3.16,<4", "bentoml>=1.4,<2", "litserve>=0.2.10,<0.3", "sanic>=25.3,<26", "falcon>=4.1,<5",
    "ray[serve]>=2.50,<3", "mlflow>=3.17,<3.18", "uvicorn>=0.34,<1",
    *(line for line in LOCK.read_text().split() if line.partition("==")[0] in SHARED and "pillow" not in line),
)  # fmt: skip
KFP = ("kfp==2.17.3",)  # exact: what it compiles is compared; it needs protobuf below 7
SDV = ("sdv>=1.30,<3", "pandas<3", "pyarrow", "torch==2.13.0")  # exact: a build for the processor alone matches it too


class IndexUnreachable(Exception):
    """The package index cannot be reached, so the environment cannot be made."""


class NoInterpreter(Exception):
    """No interpreter of the release is on this machine."""


def environment(*requirements, base=sys.executable):
    """Return the interpreter of an environment with these packages; made in the temporary directory when missing.

    Args:
        requirements: as an installer reads them.
        base: the interpreter that it is made from.

    Raises:
        IndexUnreachable: the package index does not answer.
        subprocess.CalledProcessError: the packages cannot be installed for any other reason.
    """
    asked = "\n".join([_release(base), *sorted(requirements)])
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
            for command in _commands(base, home, python, requirements):
                subprocess.run(command, check=True, capture_output=True, text=True, env=_env())
        except subprocess.CalledProcessError as error:
            if UNREACHABLE.search(error.stderr or ""):
                raise IndexUnreachable((error.stderr or "").strip().splitlines()[-1][:200]) from error
            error.add_note((error.stderr or "")[-2000:])
            raise
        (home / "complete").write_text(asked)
    return python


def old():
    """Return the interpreter of a stack that many still train with."""
    return environment(*OLD, base=interpreter("3.11"))


def oldest():
    """Return the interpreter of the oldest stack that capture and the worker run on."""
    return environment(*OLDEST, base=interpreter("3.10", "3.11"))


def interpreter(*releases):
    """Return an interpreter of the first release that this machine has.

    Raises:
        NoInterpreter: it has none of them.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for release in releases:
        named = [shutil.which(f"python{release}"), *sorted(pyenv.glob(f"{release}.*/bin/python"))]
        for candidate in (sys.executable, *named):
            if candidate and _release(candidate).startswith(f"{release}."):
                return str(candidate)
    raise NoInterpreter(f"there is no Python {' or '.join(releases)} on this machine")


def _release(python):
    """Return the version of an interpreter; the empty string where it does not start, as a shim of another release."""
    if python == sys.executable:
        return sys.version.split()[0]
    asked = [str(python), "-c", "import sys; print(sys.version.split()[0])"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _commands(base, home, python, requirements):
    beside = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    if uv := shutil.which("uv", path=beside):
        return [
            [uv, "venv", "--quiet", "--python", base, str(home)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *requirements],
        ]
    return [
        [base, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", "--quiet", "--no-compile", *requirements],
    ]


def _env():
    """Return the environment of an installer: where pip looks for files, uv looks too."""
    local = os.environ.get("PIP_FIND_LINKS")
    return os.environ | ({"UV_FIND_LINKS": local} if local else {})


with contextlib.suppress(ImportError):
    import pytest

    @pytest.fixture(scope="session")
    def frameworks_python():
        return _or_skip(*FRAMEWORKS)

    @pytest.fixture(scope="session")
    def kserve_python():
        return _or_skip(*KSERVE)

    @pytest.fixture(scope="session")
    def kfp_python():
        return _or_skip(*KFP)

    @pytest.fixture(scope="session")
    def mlserver_python():
        return _or_skip(*MLSERVER)

    @pytest.fixture(scope="session")
    def sdv_python():
        return os.environ.get("SEATRIAL_SDV_PYTHON") or _or_skip(*SDV)

    @pytest.fixture(scope="session")
    def shapes_python():
        return _or_skip(*SHAPES)

    @pytest.fixture(scope="session")
    def old_python():
        return _made_or_skip(old)

    @pytest.fixture(scope="session")
    def oldest_python():
        return _made_or_skip(oldest)

    def _or_skip(*requirements):
        return _made_or_skip(lambda: environment(*requirements))

    def _made_or_skip(make):
        try:
            return make()
        except IndexUnreachable as error:
            pytest.skip(f"the package index cannot be reached: {error}")
        except NoInterpreter as error:
            pytest.skip(str(error))


if __name__ == "__main__":
    print(old(), oldest(), sep="\n")  # noqa: T201  without them nothing shows that capture runs there
    for requirements in (SDV, SHAPES, MLSERVER, KSERVE, FRAMEWORKS, KFP):
        try:
            print(environment(*requirements))  # noqa: T201
        except IndexUnreachable as error:
            print(f"{requirements[0]}: the package index cannot be reached: {error}")  # noqa: T201
