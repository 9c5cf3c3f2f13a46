"""The project's own files: the pipeline, read and never run, what it imports, its service, and the expectations."""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from collections.abc import Iterator
from pathlib import Path

from seatrial.cli.preflight.pipeline import check_expectations, check_pipeline, check_program
from seatrial.cli.preflight.sketch import Sketch, imports_of
from seatrial.cli.start.doctor.lines import Line, missing, note, ok
from seatrial.cli.start.sources import called_name, calls, keyword
from seatrial.cli.start.template import EDIT
from seatrial.errors import PolicyError, SeatrialError
from seatrial.policy.service import read_service
from seatrial.project import MODEL_PYTHON, Project


def pipeline_file(project: Project) -> Iterator[Line]:
    """Examine the pipeline's file as a validation does before it starts, its imports, and how it starts its service."""
    path = project.pipeline_file
    where = path.relative_to(project.root) if path.is_relative_to(project.root) else path
    try:
        sketch = check_pipeline(project)
    except SeatrialError as error:
        yield missing("pipeline", str(error))
        return
    yield ok("pipeline", f"{where}:{project.pipeline_name}")
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError):
        yield note("pipeline", f"{where} is for another interpreter: not examined further")
        return
    if marked := [str(n) for n, line in enumerate(text.splitlines(), 1) if f"{EDIT}:" in line]:
        found = f"{where} has lines marked {EDIT}: {', '.join(marked)}"
        yield note("pipeline", found, "Complete them, and remove the mark.")
    yield from _imports(project, tree, where)
    try:
        check_program(project, sketch)
    except SeatrialError as error:
        yield missing("service", str(error))
    else:
        yield _service(project, sketch, tree, where)


def _imports(project: Project, tree: ast.Module, where: Path) -> Iterator[Line]:
    """Examine the packages that the file imports at its top: they must be in the environment that runs it."""
    if project.command or project.python == MODEL_PYTHON:
        yield note("imports", "the environment that runs the pipeline is not on this machine: not examined")
        return
    places = search_path(project)
    wanted = dict(imports_of(tree))
    others = [name for name in wanted if name not in sys.stdlib_module_names and name != "seatrial"]
    lacking = [name for name in others if not _is_there(name, places)]
    for name in lacking:
        found = f"{where}, line {wanted[name]} imports '{name}', which is not in {_environment(project)}"
        yield missing("imports", found, f"{_pip(project)} install {name}, or correct the name.")
    if wanted and not lacking:
        yield ok("imports", f"{', '.join(wanted)} are in {_environment(project)}")


def search_path(project: Project) -> list[str]:
    """Return where the environment that runs the pipeline looks for modules, beside the pipeline's own folder."""
    beside = [str(project.pipeline_file.parent)]
    if not project.python:
        return [*beside, *sys.path]
    prefix = (project.root / project.python).parent.parent
    return [*beside, *map(str, prefix.glob("lib/python3.*/site-packages"))]


def _is_there(name: str, places: list[str]) -> bool:
    return importlib.machinery.PathFinder.find_spec(name, places) is not None


def _environment(project: Project) -> str:
    return f"the environment of {project.python}" if project.python else f"the environment of seatrial, {sys.prefix}"


def _pip(project: Project) -> str:
    return f"{project.python} -m pip" if project.python else f"{sys.executable} -m pip"


def _service(project: Project, sketch: Sketch, tree: ast.Module, where: Path) -> Line:
    if sketch.command:
        behind = f" behind {project.command[0]}" if project.command else ""
        return ok("service", f"started with {sketch.command[0]}{behind}")
    made = next((call for call in calls(tree) if called_name(call).rpartition(".")[2] == "Service"), None)
    if made is None:
        return note("service", f"{where} declares none here: golden, contract and load do not ask a live one")
    if (url := keyword(made, "url")) is not None:
        named = str(url.value) if isinstance(url, ast.Constant) else "an address"
        return ok("service", f"runs already, at {named}")
    return note("service", f"its command is computed, {where}, line {made.lineno}: not examined")


def expectations(project: Project) -> Iterator[Line]:
    """Examine the folder of expectations and its settings."""
    folder = project.expectations
    try:
        check_expectations(project, check_pipeline(project))
        settings = read_service(folder)
    except PolicyError as error:
        yield missing("policy", str(error))
        return
    except SeatrialError as error:  # of the pipeline's file
        yield note("policy", f"not examined: {error}")
        return
    if not folder.exists():
        yield ok("policy", "defaults: there is no folder for expectations")
        return
    allowed = f", {len(settings.contract.allow)} allowance(s)" if settings.contract.allow else ""
    load = "an objective for load" if settings.slo else "no [slo], so no load test"
    yield ok("policy", f"{folder.name}/: {load}{allowed}")
