"""Renew a project's own copies of packaged files, and copy them into the project in the first place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seatrial import __version__
from seatrial.io.files import atomic_write
from seatrial.orchestration.own_files import Folder, OwnFile, missing_files, own_files, stamped
from seatrial.project import Project


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
