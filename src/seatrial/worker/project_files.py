"""The files of a project: those of Python, of installed packages and of seatrial are none, wherever they lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from sysconfig import get_path
from types import ModuleType

from seatrial.worker.sources import Source


def modules_of(folder: Path) -> dict[str, ModuleType]:
    """Return the loaded modules whose files lie below ``folder``, by name; those of Python and of packages left out."""
    below = (f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}")  # of thousands of modules: no access to the disk
    found = {}
    for name, module in list(sys.modules.items()):
        file = os.path.abspath(getattr(module, "__file__", None) or "")
        if file.endswith(".py") and file.startswith(below) and not installed(file) and not is_own(name):
            found[name] = module
    return found


def installed(file: str) -> bool:
    """Return whether a file is one of Python's or of an installed package: an environment may lie in the project."""
    return "site-packages" in file or "dist-packages" in file or file.startswith(f"{get_path('stdlib')}{os.sep}")


def is_own(name: str) -> bool:
    """Return whether a module is one of seatrial."""
    return name.partition(".")[0] == "seatrial"


class ProjectFiles:
    """The files of a project, read when they are first looked at.

    Args:
        folder: of the project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._sources: dict[Path, Source] = {}
        self._packages = {Path(str(m.__file__)).resolve(): m.__package__ or "" for m in modules_of(folder).values()}

    def mine(self, file: Path) -> bool:
        """Return whether a file is one of the project's own."""
        return file.is_relative_to(self.folder) and not installed(str(file))

    def source(self, file: Path, module: str = "") -> Source:
        """Return what a file holds; ``module`` is its name, where it is not loaded."""
        if file not in self._sources:
            parent = module if file.name == "__init__.py" else module.rpartition(".")[0]
            self._sources[file] = Source(file, self._packages.get(file) or parent)
        return self._sources[file]

    def sources(self) -> list[Source]:
        """Return all files that are loaded, for what registers itself with a decorator."""
        return [self.source(file) for file in self._packages]
