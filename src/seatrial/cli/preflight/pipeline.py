"""Refuse a pipeline's file that cannot be loaded, and names that it does not have, without running it."""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec

from seatrial.cli.preflight.sketch import Sketch, imports_of, names_of, sketch_of
from seatrial.errors import PolicyError, ProjectError, UsageError, nearest, unknown
from seatrial.io.files import is_leftover
from seatrial.policy.service import FILE, read_service
from seatrial.process.engines import is_engine
from seatrial.project import EXPECTATIONS, MODEL_PYTHON, Project

SHOWN = 6  # files in a message
MOVES_PATH = ("sys.path", "importlib", "site.", "__path__", "meta_path")  # an import may then find what is not here


def check_pipeline(project: Project) -> Sketch:
    """Return what the project's pipeline file says.

    Raises:
        ProjectError: there is no such file, it does not parse, has no such name, or imports what is not installed;
            or there is no interpreter where the project says.
    """
    file, name = project.pipeline_file, project.pipeline_name
    _check_interpreter(project)
    if not file.is_file():
        here = sorted(str(p.relative_to(project.root)) for p in project.root.glob("*.py"))
        wanted = os.path.relpath(file, project.root)
        found = f" Python files there: {', '.join(here[:SHOWN])}." if here else ""
        raise ProjectError(
            f"[tool.seatrial] pipeline names the file {wanted}, and there is no such file in {project.root}.{found}"
            f"{nearest(wanted, here)} Correct pipeline in pyproject.toml."
        )
    own = not project.python and not project.command
    try:
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except SyntaxError as wrong:
        if not own:  # a newer Python may read it
            return Sketch()
        raise ProjectError(f"{file}, line {wrong.lineno or '?'}: {wrong.msg}. The file does not parse.") from wrong
    except (OSError, ValueError):
        return Sketch()
    names = names_of(tree)
    if names.complete and name not in names.all:
        raise ProjectError(f"{file}: {unknown('Pipeline', name, names.pipelines)} Correct pipeline in pyproject.toml.")
    if own and not any(word in text for word in MOVES_PATH):
        _check_imports(project, tree)
    return sketch_of(tree, name)


def check_expectations(project: Project, sketch: Sketch) -> None:
    """Refuse settings and files under ``expectations/`` that cannot be used with the pipeline.

    Raises:
        PolicyError: service.toml has a setting that cannot be used, a file does not parse, or one is of no stage.
    """
    folder = project.expectations
    if not folder.exists() and folder == project.root / EXPECTATIONS:
        return  # the default folder may be missing
    if not folder.is_dir():
        raise PolicyError(f"There is no policy at {folder}. Make the folder, even empty: mkdir -p {folder}")
    for path in sorted(p for p in folder.glob("*.py") if not is_leftover(p.relative_to(folder))):
        try:
            ast.parse(path.read_bytes())
        except (SyntaxError, ValueError) as wrong:
            line, said = getattr(wrong, "lineno", None) or "?", getattr(wrong, "msg", wrong)
            raise PolicyError(f"{path}, line {line}: {said}. The file does not parse.") from wrong
        if sketch.stages is not None and path.stem not in sketch.stages:
            raise PolicyError(f"{path} belongs to no stage. {unknown('Stage', path.stem, sketch.stages)}")
    service = read_service(folder)
    if sketch.dependencies is not None:
        for name in service.dependencies:
            if name not in sketch.dependencies:
                raise PolicyError(f"{folder / FILE} [dependencies]: {unknown('dependency', name, sketch.dependencies)}")


def check_live(sketch: Sketch, live: Sequence[str]) -> None:
    """Raise UsageError where ``--live`` names a dependency that the pipeline does not have."""
    for name in live if sketch.dependencies is not None else ():
        if not sketch.dependencies:
            raise UsageError(f"--live names '{name}', and the pipeline has no dependencies. Leave --live out.")
        if name not in sketch.dependencies:
            raise UsageError(f"--live: {unknown('Dependency', name, sketch.dependencies)}")


def check_program(project: Project, sketch: Sketch) -> None:
    """Raise UsageError where the program that starts the service is not on this machine.

    Example::

        check_program(project, Sketch(command=("gunicorn", "app:app")))
    """
    if not sketch.command or project.command or project.python == MODEL_PYTHON:
        return
    program = sketch.command[0]
    if "{" in program or (os.sep in program and not os.path.isabs(program)):
        return
    if is_engine(program) and program not in project.engines:
        return  # refused with what to allow, later
    beside = os.path.dirname(_interpreter(project) or sys.executable)
    if shutil.which(program, path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])) is None:
        raise UsageError(
            f"Service(command=…) starts with '{program}', which is neither in {beside} nor in PATH. Install it there, "
            f"or correct the command in {project.pipeline_file}."
        )


def _interpreter(project: Project) -> str | None:
    """Return the interpreter that the project names, as it would be started; None where it names none that is there."""
    if (project.root / project.python).is_file():
        return str(project.root / project.python)
    return shutil.which(project.python) if project.python else None


def _check_interpreter(project: Project) -> None:
    if not project.python or project.python == MODEL_PYTHON or project.command or _interpreter(project):
        return
    from seatrial.isolation.launch import launch_of

    launch_of(project)  # raises, with what there is


def _check_imports(project: Project, tree: ast.Module) -> None:
    folders = [str(project.pipeline_file.parent), str(project.root)]
    for name, line in imports_of(tree):
        if PathFinder.find_spec(name, folders) is None and not _installed(name):
            beside = next((str(p.relative_to(project.root)) for p in project.root.glob("*/bin/python")), "")
            other = f', or name the project\'s interpreter in [tool.seatrial]: python = "{beside}"' if beside else ""
            raise ProjectError(
                f"{project.pipeline_file}, line {line} imports '{name}', which is not installed in {sys.executable}. "
                f"Install its package there: {sys.executable} -m pip install …{other}"
            )


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return True
