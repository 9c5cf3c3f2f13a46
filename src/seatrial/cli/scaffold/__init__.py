"""``seatrial init``: copy the example project, whose folders are part of the wheel.

Flows and deployment files are not copied: a project uses those of the installed release (see
:mod:`seatrial.orchestration.flow_files`).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from seatrial.errors import UsageError
from seatrial.orchestration.flow_files import packaged

HERE = Path(__file__).resolve().parent
FOLDERS = {
    "expectations": "expectations",
    "docs/schemas": "docs/schemas",  # the settings files refer to them by '#:schema'
    "examples/payments": "payments",
}
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
FILES = {"pyproject.toml.txt": "pyproject.toml", "README.md.txt": "README.md", "gitignore.txt": ".gitignore"}


def init(directory: str | Path, *, quiet: bool = False) -> Path:
    """Write a new project to ``directory``, completely or not at all, and return it.

    Raises:
        UsageError: the directory exists and is not empty.
    """
    to = Path(directory).resolve()
    if to.is_file() or (to.is_dir() and any(to.iterdir())):
        raise UsageError(
            f"{to} exists and is not empty. Choose a new directory: seatrial init changes no existing file."
        )
    root = packaged()
    to.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
    try:
        for folder, name in FOLDERS.items():
            shutil.copytree(root / folder, beside / name, ignore=LEFT_OUT)
        for template, name in FILES.items():
            shutil.copyfile(HERE / template, beside / name)
        beside.chmod(0o755)
        if to.is_dir():
            to.rmdir()
        beside.replace(to)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    if not quiet:
        print(  # noqa: T201
            f"Created a seatrial project in {to}. Try it:\n\n"
            f"  cd {to}\n  pip install 'seatrial[demo]'  # dependencies of the payments example\n"
            "  python payments/train.py\n  seatrial validate models:/payments/1\n\n"
            "README.md describes what to change first."
        )
    return to
