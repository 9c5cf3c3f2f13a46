"""Load a Python file by its path, as the project means it, and say plainly what is wrong with it."""

from __future__ import annotations

import gc
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from seatrial.errors import SeatrialError, UsageError

ALLOCATIONS = 50_000  # between two looks for cycles; Python's own 700 to 2 000 make one part in six of a large import


def import_sooner() -> None:
    """Let this process look for garbage less often: what it imports stays. For a process of our own, as it begins."""
    gc.set_threshold(ALLOCATIONS)


def load_file(path: Path, error: type[UsageError] = UsageError) -> ModuleType:
    """Run the file at ``path`` as a module of its own and return it.

    Modules beside the file can be imported by it. They keep their plain names, so a folder's modules should not be
    named like a library.

    Raises:
        error: the file is missing, does not parse, or raises while it loads; with its line.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise error(f"There is no file {path}.")
    name = f"seatrial_file_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise error(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    beside = str(path.parent)
    sys.path.insert(0, beside)  # though it may be there: another project's folder may come before it
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as wrong:
        where = f"{wrong.filename or path}, line {wrong.lineno or '?'}"
        raise error(f"{where}: {wrong.msg}. The file does not parse.") from wrong
    except (Exception, SystemExit) as wrong:
        frames = traceback.extract_tb(wrong.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == str(path)), "?")
        said = str(wrong) if isinstance(wrong, SeatrialError) else f"{type(wrong).__name__}: {wrong}."
        raise error(f"{path}, line {line}: {said} The file could not be loaded.") from wrong
    finally:
        if beside in sys.path:
            sys.path.remove(beside)
        if beside not in sys.path:  # a function of the file may import its neighbours later, behind all others
            sys.path.append(beside)
    return module
