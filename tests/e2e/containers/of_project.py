"""The image of a project, built by ``deployments/Dockerfile`` from a checkout with a file of requirements.

``python -m tests.e2e.containers.of_project`` builds it; with its two minutes of a processor it is no part of a test.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.containers import image
from tests.e2e.containers.image import ContainersUnavailable

ROOT, MODULE = Path(__file__).resolve().parents[3], "tests.e2e.containers.of_project"
SOURCES = (
    "src", "flows", "pyproject.toml", "deployments/Dockerfile", "deployments/constraints.txt",
    "deployments/prefect.yaml", "deployments/automations.yaml",
)  # fmt: skip
REQUIREMENTS = "scikit-learn>=1.6\n"  # which seatrial itself does not require


def built(*, build: bool = False) -> tuple[tuple[str, ...], str]:
    """Return the start of the engine's commands, and the name of the image of this very source.

    Args:
        build: build it where it is missing.

    Raises:
        ContainersUnavailable: it is missing, or cannot be built on this machine.
    """
    name = f"localhost/seatrial-project-test:{_digest()}"
    cache = image.cache()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = image.engine(cache)
        if not image.there(engine, name):
            if not build:
                raise ContainersUnavailable(f"{name} was not built: python -m {MODULE}")
            _build(engine, name, image.base(engine, cache))
    return engine, name


def _build(engine: tuple[str, ...], name: str, base: str) -> None:
    with tempfile.TemporaryDirectory(prefix="seatrial-project-") as folder:
        root = Path(folder)
        (root / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
        (root / "requirements.txt").write_text(REQUIREMENTS)
        shutil.copytree(ROOT / "deployments", root / "deployments")
        wheel = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", root / "wheels", ROOT]
        subprocess.run(wheel, check=True)
        [made] = (root / "wheels").glob("*.whl")
        seatrial = f"seatrial[postgres] @ file:///project/wheels/{made.name}"
        image.build(engine, name, root, base, root / "deployments" / "Dockerfile", SEATRIAL=seatrial)


def _digest() -> str:
    found = hashlib.sha256(REQUIREMENTS.encode())
    for path in _files():
        found.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _files() -> Iterator[Path]:
    for each in SOURCES:
        inside = sorted((ROOT / each).rglob("*")) if (ROOT / each).is_dir() else [ROOT / each]
        yield from (path for path in inside if path.is_file() and "__pycache__" not in path.parts)


if __name__ == "__main__":
    began = time.monotonic()
    try:
        print(built(build=True)[1], f"{time.monotonic() - began:.0f} s")  # noqa: T201
    except ContainersUnavailable as reason:
        print(f"No container image: {reason}", file=sys.stderr)  # noqa: T201
