"""``seatrial init``: the project of this repository, copied; its folders travel in the wheel and are kept once."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from seatrial.errors import UsageError

HERE = Path(__file__).resolve().parent
FOLDERS = {
    "flows": "flows",
    "expectations": "expectations",
    "deployments": "deployments",
    "examples/payments": "payments",
}
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
FILES = {"pyproject.toml.txt": "pyproject.toml", "README.md.txt": "README.md", "gitignore.txt": ".gitignore"}


def source() -> Path:
    """Return where the folders are: in an installed wheel beside this package, in a checkout at its root."""
    for root in (HERE.parent.parent / "_project", HERE.parents[3]):
        if (root / "flows" / "validate.py").is_file():
            return root
    raise UsageError("This installation of seatrial lacks its project files. Install it again from its wheel.")


def init(directory: str | Path, *, quiet: bool = False) -> Path:
    """Write a new project to ``directory``, whole or not at all, and return it.

    Raises:
        UsageError: the directory exists and is not empty.
    """
    to = Path(directory).resolve()
    if to.is_file() or (to.is_dir() and any(to.iterdir())):
        raise UsageError(
            f"{to} exists and is not empty. Name a new directory; seatrial init changes nothing that is there."
        )
    root = source()
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
            f"A seatrial project is in {to}. Try it as it is:\n\n"
            f"  cd {to}\n  pip install 'seatrial[demo]'  # what the payments example imports\n"
            "  python payments/train.py\n  seatrial validate models:/payments/1\n\n"
            "Then read its README.md: it says what to change first."
        )
    return to
