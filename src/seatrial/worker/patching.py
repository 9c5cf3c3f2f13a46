"""Load a project's pipeline again with the text of one of its files changed; nothing changes on disk.

It replaces what was loaded from the project before, because functions may import their neighbours late. For a process
that ends afterwards.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from seatrial.errors import ProjectError
from seatrial.pipeline import Pipeline
from seatrial.worker.project_files import modules_of


def load_patched(source: tuple[Path, str], file: Path, text: str, *, root: Path) -> Pipeline:
    """Return the pipeline at ``source`` as it would be if ``file`` held ``text``.

    Args:
        source: the pipeline's file and its name there.
        file: the file that is changed.
        text: its content.
        root: the folder of the project, below which both are; all that was loaded from there is loaded again.

    Raises:
        ProjectError: the name is no longer a pipeline.
        Exception: whatever the changed files raise while they load.
    """
    path, name = source[0].resolve(), source[1]
    for loaded in (*modules_of(root), *_namespaces_of(root)):
        sys.modules.pop(loaded, None)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    sys.meta_path.insert(0, _Finder(file.resolve(), text))
    folder = str(path.parent)  # first: another project in this process may have a neighbour of the same name
    sys.path[:] = [folder, *(place for place in sys.path if place != folder)]
    title = f"seatrial_file_{path.parent.name}_{path.stem}"
    loader = _PatchedLoader(title, str(path), text) if file.resolve() == path else None
    spec = spec_from_file_location(title, path, loader=loader)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[title] = module
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not isinstance(found, Pipeline):
        raise ProjectError(f"{path}: '{name}' is a {type(found).__name__}, not a seatrial.Pipeline.")
    return found


def _namespaces_of(root: Path) -> list[str]:
    """Return the names of the loaded packages without a file of their own: each holds its modules as attributes."""
    below = (f"{root}{os.sep}", f"{root.resolve()}{os.sep}")
    return [
        name
        for name, module in list(sys.modules.items())
        if getattr(module, "__file__", None) is None
        and any(os.path.abspath(str(place)).startswith(below) for place in getattr(module, "__path__", ()))
    ]


class _PatchedLoader(SourceFileLoader):
    """Loads a file as if it held another text; its compiled form is neither read nor written."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self.text = text

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return compile(self.text, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds everything where it is, and loads the changed file with its own loader."""

    def __init__(self, file: Path, text: str) -> None:
        self.file, self.text = file, text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Each editable install has one of its own.
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is None or not spec.origin or Path(spec.origin).resolve() != self.file:
            return spec
        spec.loader = _PatchedLoader(fullname, spec.origin, self.text)
        return spec
