"""The code that makes the path and the service: its files, their digests, and what changed in them since.

Files are read, never run. What counts is declared by ``code`` of ``[tool.seatrial]``; by default it is the folder of
the pipeline's file, what Python files there import from the project, and the service's folder. The lock files and the
dependencies that pyproject.toml declares always count.
"""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from seatrial.errors import ProjectError, SeatrialError
from seatrial.io.bundle import listing_digest, sha256
from seatrial.project import PYPROJECT, Project

JUDGE = "seatrial"  # is no part of what it judges, also where a checkout of it is in the project
MOST_FILES = 20_000
NAMED = 3  # changed files in a sentence
LOCKS = (
    "uv.lock", "pylock*.toml", "poetry.lock", "pdm.lock", "Pipfile.lock", "conda-lock.yml", "environment.y*ml",
    "requirements*.txt", "constraints*.txt",
)  # fmt: skip
NOT_CODE = (  # names of files and folders that are never the path's or the service's own
    ".*", "__pycache__", "*.py[co]", "*.egg-info", "node_modules", "mlruns", "mlartifacts", "tests", "test_*.py",
    "conftest.py", "*.log", "*.tmp", "*~", "*.db", "*.db-*", "*.sqlite*",
)  # fmt: skip
DECLARED = ("dependencies", "optional-dependencies", "requires-python")  # of [project]
SETTINGS = ("pipeline", "environment", "python", "command")  # of [tool.seatrial]: which code is run, and with what


@dataclass(frozen=True)
class Code:
    """The code of a project: each file's path below the root with its SHA-256 in hex.

    ``service`` is the service's folder below the root, where it is not the pipeline's; empty otherwise.

    Example:
        >>> Code({"pipeline.py": "00" * 32}).digest[:10]
        'sha256:8f5'
    """

    files: Mapping[str, str]
    service: str = ""

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the listing of the files, in-toto's ``dirHash``."""
        return listing_digest({name.encode(): digest for name, digest in self.files.items()})


def read_code(project: Project, service: str | Path | None = None) -> Code:
    """Return the project's code as it is on this disk now.

    Example::

        code = read_code(Project.find("."))
        print(code.digest, *code.files, sep="\\n")

    Args:
        project: whose code it is.
        service: the folder that the service runs in; one outside the project is left out.

    Raises:
        ProjectError: a pattern of ``code`` matches nothing, or too many files match.
    """
    root = project.root.resolve()
    folder = _below(root, service)
    found: set[str] = set()
    if project.code:
        for pattern in project.code:
            found |= _matching(project, root, pattern)
    else:
        for start in {project.pipeline_file.resolve().parent, *([(root / folder).resolve()] if folder else [])}:
            found |= set(_default(project, root, start))
        found |= _imported(project, root, found, folder)
    found |= {path.name for lock in LOCKS for path in root.glob(lock) if path.is_file()}
    if project.pipeline_file.resolve().is_relative_to(root):
        found.add(project.pipeline_file.resolve().relative_to(root).as_posix())
    found.discard(PYPROJECT)
    if len(found) > MOST_FILES:
        raise ProjectError(
            f"The project's code has {len(found):,} files; at most {MOST_FILES:,} are allowed. Name those that make "
            f'the path and the service in {root / PYPROJECT}, for example code = ["{project.pipeline_file.name}"].'
        )
    try:
        files = {_name(path): sha256(root / path) for path in sorted(found)}
    except OSError as error:
        raise SeatrialError(f"The code file {error.filename} cannot be read: {error.strerror}.") from error
    return Code({**files, PYPROJECT: _declared(root / PYPROJECT)}, folder)


def with_service(project: Project, code: Code, service: str | Path | None) -> Code:
    """Return code that was read before the service's folder was known, with that folder.

    Raises:
        ProjectError: a file changed between the two readings.
    """
    now = read_code(project, service)
    if told := changes(code.files, {name: digest for name, digest in now.files.items() if name in code.files}):
        raise ProjectError(f"The code changed while it was read: {told}. Run the command again.")
    return now


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return which files differ, in one clause without a full stop.

    Example:
        >>> changes({"a.py": "1", "b.py": "2"}, {"a.py": "3", "c.py": "4"})
        'a.py changed, b.py was removed, c.py was added'
    """
    told = []
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            how = "was removed" if name not in now else "was added" if name not in before else "changed"
            told.append(f"{name} {how}")
    more = [f"and {len(told) - NAMED:,} more"] if len(told) > NAMED else []
    return ", ".join([*told[:NAMED], *more])


def _below(root: Path, folder: str | Path | None) -> str:
    """Return a folder relative to the root; empty where there is none, or it is outside."""
    path = (root / folder).resolve() if folder else None
    return path.relative_to(root).as_posix() if path and path.is_dir() and path.is_relative_to(root) else ""


def _default(project: Project, root: Path, start: Path) -> Iterator[str]:
    """Yield the files of a folder. In the root itself only Python files count, and the packages beside them."""
    if not start.is_relative_to(root):
        return
    if start != root:
        yield from _files(project, root, start)
        return
    for path in sorted(root.iterdir()):
        if path.is_file() and path.suffix == ".py" and not _is_noise(project, path):
            yield path.name
        elif (path / "__init__.py").is_file():
            yield from _files(project, root, path)


def _files(project: Project, root: Path, start: Path) -> Iterator[str]:
    """Yield every file below a folder that may be code. Links are followed, each folder once."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(start, followlinks=True):
        here = Path(folder)
        if os.path.realpath(folder) in seen or (here != start and _is_noise(project, here)):
            folders.clear()
            continue
        seen.add(os.path.realpath(folder))
        folders.sort()
        yield from ((here / n).relative_to(root).as_posix() for n in names if not _is_noise(project, here / n))


def _is_noise(project: Project, path: Path) -> bool:
    own = (project.state, project.expectations, project.flows)
    if path in own or any(fnmatch.fnmatch(path.name, pattern) for pattern in NOT_CODE):
        return True
    return (path / "pyvenv.cfg").is_file() or not (path.is_file() or path.is_dir())


def _matching(project: Project, root: Path, pattern: str) -> set[str]:
    """Return the files of one entry of ``code``: a file, a folder with all in it, or a glob of these."""
    found: set[str] = set()
    for path in root.glob(pattern):
        if path.is_dir():
            found |= set(_files(project, root, path))
        elif path.is_file() and not _is_noise(project, path):
            found.add(path.relative_to(root).as_posix())
    if not found:
        raise ProjectError(
            f"{root / PYPROJECT} [tool.seatrial]: '{pattern}' of 'code' matches no file below {root}. Name files, "
            'folders or globs relative to that directory, for example code = ["serving", "common/*.py"].'
        )
    return found


def _imported(project: Project, root: Path, files: Iterable[str], service: str) -> set[str]:
    """Return the project's own modules and packages that Python files import, and those that these import."""
    start = project.pipeline_file.resolve().parent
    places = {root, root / "src", start, *(p for p in start.parents if p.is_relative_to(root))} | {root / service}
    found, waiting, seen = set(files), sorted(files), set[str]()
    while waiting:
        for name in _imports_of(root / waiting.pop()) - seen - {JUDGE}:
            seen.add(name)
            for place in places:
                module, package = place / f"{name}.py", place / name
                new = {module.relative_to(root).as_posix()} if module.is_file() else set[str]()
                if package not in (start, root) and package.is_dir() and not _is_noise(project, package):
                    new |= set(_files(project, root, package)) if any(package.rglob("*.py")) else set()
                waiting += sorted(new - found)
                found |= new
    return found


def _imports_of(path: Path) -> frozenset[str]:
    if path.suffix != ".py":
        return frozenset()
    try:
        about = path.stat()
    except OSError:  # it has just been deleted: whoever reads it next says so
        return frozenset()
    return _imports(path, about.st_mtime_ns, about.st_size)


@lru_cache(10_000)
def _imports(path: Path, changed: int, size: int) -> frozenset[str]:  # noqa: ARG001  what tells one reading from another
    """Return the first names of what a Python file imports absolutely; nothing where it does not parse."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def _declared(path: Path) -> str:
    """Return the digest of what pyproject.toml says of dependencies and of the code that is run; comments are free."""
    document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    project, tool = document.get("project", {}), document.get("tool", {})
    says = {
        "project": {name: project[name] for name in DECLARED if name in project},
        "dependency-groups": document.get("dependency-groups", {}),
        "uv": tool.get("uv", {}),
        "seatrial": {name: value for name, value in tool.get("seatrial", {}).items() if name in SETTINGS},
    }
    return hashlib.sha256(json.dumps(says, sort_keys=True, default=str).encode()).hexdigest()


def _name(path: str) -> str:
    """Return a path as text that JSON carries, whatever bytes it has; a line break never begins another line."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace("\n", "\\n")
