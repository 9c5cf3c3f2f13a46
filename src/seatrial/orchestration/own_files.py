"""A project's own copies of the packaged flows and deployment files: their origin, what changed since, their renewal.

A copy begins with a line that states its origin, ``# seatrial-flows: 0.1.0 sha256:…``: the release, and the digest of
the packaged text. It shows whether the copy was edited, and whether it is outdated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from seatrial import __version__
from seatrial.io.files import atomic_write
from seatrial.orchestration.flow_files import packaged
from seatrial.project import Project

Folder = Literal["flows", "deployments"]
FOLDERS: tuple[Folder, ...] = ("flows", "deployments")
HEADER = re.compile(r"# seatrial-(?:flows|deployments): (\S+) sha256:([0-9a-f]{64})\n")


@dataclass(frozen=True)
class OwnFile:
    """A file of the project that has the name of a packaged one.

    Attributes:
        path: in the project.
        source: the packaged file.
        folder: the kind of file.
        release: the release it was copied from; empty where the file does not state it.
        edited: it differs from what was copied, or does not state what that was.
        outdated: the packaged file differs from what was copied, or the copy does not state what that was.
    """

    path: Path
    source: Path
    folder: Folder
    release: str
    edited: bool
    outdated: bool

    def difference(self) -> str:
        """Return the unified diff from the project's file to the packaged one; empty where they are the same."""
        _, own = _parted(self.path.read_text(encoding="utf-8"))
        new = self.source.read_text(encoding="utf-8")
        name = f"{self.folder}/{self.path.name}"
        labels = (f"{name} (yours, from {self.release or 'an unknown release'})", f"{name} (seatrial {__version__})")
        return "".join(difflib.unified_diff(own.splitlines(keepends=True), new.splitlines(keepends=True), *labels))

    def renew(self) -> None:
        """Replace the file by the packaged one, whose origin it then states."""
        atomic_write(self.path, stamped(self.source, self.folder).encode())


def stamped(source: Path, folder: Folder) -> str:
    """Return the text of a packaged file below the line that states its origin."""
    text = source.read_text(encoding="utf-8")
    return f"# seatrial-{folder}: {__version__} sha256:{_digest(text)}\n{text}"


def packaged_files(folder: Folder) -> list[Path]:
    """Return the packaged files that a project may copy, sorted. A page of documentation is none of them."""
    return sorted(p for p in (packaged() / folder).iterdir() if p.is_file() and p.suffix not in (".md", ".pyc"))


def own_files(project: Project) -> list[OwnFile]:
    """Return the project's own files, flows first. In a checkout of seatrial the files are the packaged ones: none."""
    found = []
    for folder in FOLDERS:
        for source in packaged_files(folder):
            path = home(project, folder) / source.name
            if path.is_file() and path.resolve() != source.resolve():
                found.append(_examined(path, source, folder))
    return found


def missing_files(project: Project, folders: Sequence[Folder]) -> list[tuple[Path, Path, Folder]]:
    """Return path, packaged source and folder of each file that the project has no copy of."""
    return [
        (home(project, folder) / source.name, source, folder)
        for folder in folders
        for source in packaged_files(folder)
        if not (home(project, folder) / source.name).exists()
    ]


def home(project: Project, folder: Folder) -> Path:
    """Return where a project keeps its own files of a kind."""
    return project.flows if folder == "flows" else project.root / folder


def outdated_flows(project: Project) -> str:
    """Return one sentence that names the project's outdated flows; empty where there are none.

    A flow that does not state its origin is the project's own work, and never called outdated here.
    """
    outdated = [file for file in own_files(project) if file.folder == "flows" and file.release and file.outdated]
    if not outdated:
        return ""
    names = ", ".join(file.path.name for file in outdated)
    releases = ", ".join(sorted({file.release for file in outdated}))
    return (
        f"The project's own {names} in {project.flows.name}/ came from another release ({releases}) than this seatrial "
        f"({__version__}). See what changed, and renew: seatrial upgrade"
    )


def _examined(path: Path, source: Path, folder: Folder) -> OwnFile:
    origin, text = _parted(path.read_text(encoding="utf-8", errors="replace"))
    release, digest = origin or ("", "")
    now = source.read_text(encoding="utf-8")
    return OwnFile(path, source, folder, release, edited=_digest(text) != digest, outdated=digest != _digest(now))


def _parted(text: str) -> tuple[tuple[str, str] | None, str]:
    """Return the origin that a text states, and the text without that line."""
    stated = HEADER.match(text)
    return ((stated[1], stated[2]), text[stated.end() :]) if stated else (None, text)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def upgrade(
    directory: Path, *, copy: Sequence[Folder] = (), force: bool = False, on_line: Callable[[str], None] = print
) -> bool:
    """Show what differs between a project's own files and the packaged ones, and renew those that nobody edited.

    Args:
        directory: of the project.
        copy: folders whose missing files are copied into the project first.
        force: also replace files that were edited.
        on_line: receives the report, a line or a whole difference at a time.

    Returns:
        Whether every own file is now based on this release; an edited one that is outdated is left as it is.

    Raises:
        ProjectError: there is no project, or its settings cannot be used.
    """
    project = Project.find(directory)
    copied = missing_files(project, copy)
    for path, source, folder in copied:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, stamped(source, folder).encode())
        on_line(f"{_name(project, path)}: copied.")
    files = own_files(project)
    if not files:
        on_line(f"The project has no copies of its own; it uses the flows and deployments of seatrial {__version__}.")
    new = {path for path, _, _ in copied}
    current = [_upgraded(project, file, force=force, on_line=on_line) for file in files if file.path not in new]
    return all(current)


def _upgraded(project: Project, file: OwnFile, *, force: bool, on_line: Callable[[str], None]) -> bool:
    """Renew one file if it may be; return whether it is now based on this release."""
    name, difference = _name(project, file.path), file.difference()
    if not difference and not file.outdated:
        on_line(f"{name}: current.")
        return True
    if difference:
        on_line(difference.rstrip("\n"))
    if force or not file.edited or not difference:
        file.renew()
        on_line(f"{name}: renewed from seatrial {__version__}.")
        return True
    if not file.outdated:
        on_line(f"{name}: edited, and based on this release. Left as it is.")
        return True
    origin = f"is based on {file.release}" if file.release else "does not state the release it is based on"
    on_line(f"{name}: edited, and {origin}. Left as it is; to replace it: seatrial upgrade --force")
    return False


def _name(project: Project, path: Path) -> str:
    return str(path.relative_to(project.root)) if path.is_relative_to(project.root) else str(path)
