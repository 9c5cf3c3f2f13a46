"""Load a pipeline from the file that defines it."""

from __future__ import annotations

from pathlib import Path

from seatrial.errors import ProjectError, unknown
from seatrial.io.loading import load_file
from seatrial.pipeline import Pipeline


def load_pipeline(file: Path, name: str) -> Pipeline:
    """Run a file and return the pipeline in it that has this name.

    Raises:
        ProjectError: the file and line that stop it, or which pipelines there are.
    """
    module = load_file(file, ProjectError)
    found = getattr(module, name, None)
    if isinstance(found, Pipeline):
        found.source = (file, name)
        return found
    there = [n for n, v in vars(module).items() if isinstance(v, Pipeline)]
    if found is None:
        raise ProjectError(f"{file}: {unknown('Pipeline', name, there)}")
    raise ProjectError(
        f"{file}: '{name}' is a {type(found).__name__}, not a seatrial.Pipeline. "
        f"Pipelines there: {', '.join(there) or 'none'}."
    )
