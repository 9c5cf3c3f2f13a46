"""``seatrial init --example``: copy an example project, whose folders are part of the wheel.

Flows and deployment files are not copied: a project uses those of the installed release (see
:mod:`seatrial.orchestration.flow_files`).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from seatrial.errors import UsageError, unknown
from seatrial.orchestration.flow_files import packaged

HERE = Path(__file__).resolve().parent
SHARED = {
    "expectations": "expectations",
    "docs/schemas": "docs/schemas",  # the settings files refer to them by '#:schema'
}
PAYMENTS, PLUGINS = "payments", "plugins"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
FILES = {"pyproject.toml.txt": "pyproject.toml", "README.md.txt": "README.md", "gitignore.txt": ".gitignore"}


def examples() -> tuple[str, ...]:
    """Return the names of the examples that are part of seatrial, sorted."""
    folder = packaged() / "examples"
    return tuple(
        sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name != PLUGINS and p.name[:1] not in "._")
    )


def init(directory: str | Path, example: str = PAYMENTS, *, quiet: bool = False) -> Path:
    """Write an example as a new project to ``directory``, completely or not at all, and return it.

    An example whose folder is a project of its own is copied as it is. The payments example has its expectations
    beside it.

    Raises:
        UsageError: the directory exists and is not empty, or there is no such example.
    """
    if example not in examples():
        raise UsageError(unknown("Example", example, examples()))
    to = Path(directory).resolve()
    if to.is_file() or (to.is_dir() and any(to.iterdir())):
        raise UsageError(
            f"{to} exists and is not empty. Choose a new directory: seatrial init changes no existing file."
        )
    root = packaged()
    to.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
    try:
        if example == PAYMENTS:
            for folder, name in {**SHARED, f"examples/{PAYMENTS}": PAYMENTS}.items():
                shutil.copytree(root / folder, beside / name, ignore=LEFT_OUT)
            for template, name in FILES.items():
                shutil.copyfile(HERE / template, beside / name)
        else:
            shutil.copytree(root / "examples" / example, beside, ignore=LEFT_OUT, dirs_exist_ok=True)
            if not (beside / ".gitignore").exists():
                shutil.copyfile(HERE / "gitignore.txt", beside / ".gitignore")
        beside.chmod(0o755)
        if to.is_dir():
            to.rmdir()
        beside.replace(to)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    if not quiet:
        print(f"Created the example '{example}' in {to}. Try it:\n\n  cd {to}\n{_commands(to, example)}")  # noqa: T201
    return to


def _commands(project: Path, example: str) -> str:
    """Return what to type next, of an example: its own README says it, where it has one."""
    if example == PAYMENTS:
        lines = [
            "pip install 'seatrial[demo]'  # dependencies of the payments example", "python payments/train.py",
            "seatrial validate models:/payments/1",
        ]  # fmt: skip
    else:
        name = "train.py" if (project / "train.py").is_file() else "TRAINING_SCRIPT.py"
        lines = [f"python {name}", f"seatrial validate models:/{example}/1"]
    told = "\n\nREADME.md describes what to change first." if (project / "README.md").is_file() else ""
    return "\n".join(f"  {line}" for line in lines) + told
