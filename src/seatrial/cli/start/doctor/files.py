"""The project's own files: the pipeline, read and never run, what it imports, its service, and the expectations."""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from collections.abc import Iterator
from pathlib import Path

from seatrial.cli.start.doctor.lines import Line, missing, note, ok
from seatrial.cli.start.plan import program
from seatrial.cli.start.sources import called_name, calls, dotted, keyword
from seatrial.cli.start.template import EDIT
from seatrial.errors import SeatrialError, nearest
from seatrial.project import MODEL_PYTHON, Project


def pipeline_file(project: Project) -> Iterator[Line]:
    """Examine the pipeline's file, what it imports, and how it starts its service."""
    path, name = project.pipeline_file, project.pipeline_name
    where = path.relative_to(project.root) if path.is_relative_to(project.root) else path
    if not path.is_file():
        advice = "Correct 'pipeline' in [tool.seatrial] of pyproject.toml."
        others = [str(p.relative_to(project.root)) for p in project.root.glob("*.py")]
        yield missing("pipeline", f"there is no file {where}", advice + nearest(str(where), others))
        return
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        yield missing("pipeline", f"{where}{line} does not parse: {getattr(error, 'msg', error)}", f"Correct {where}.")
        return
    names = _names(tree)
    if name not in names:
        advice = f"Correct the name after ':' in 'pipeline' of [tool.seatrial].{nearest(name, names)}"
        yield missing("pipeline", f"{where} does not define '{name}'", advice)
    else:
        yield ok("pipeline", f"{where}:{name}")
    if marked := [str(n) for n, line in enumerate(text.splitlines(), 1) if f"{EDIT}:" in line]:
        found = f"{where} has lines marked {EDIT}: {', '.join(marked)}"
        yield note("pipeline", found, "Complete them, and remove the mark.")
    yield from _imports(project, tree, where)
    yield from _service(project, tree, where)


def _names(tree: ast.Module) -> list[str]:
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(node.target.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found += [alias.asname or alias.name for alias in node.names]
    return found


def _imports(project: Project, tree: ast.Module, where: Path) -> Iterator[Line]:
    """Examine the packages that the file imports at its top: they must be in the environment that runs it."""
    if project.command or project.python == MODEL_PYTHON:
        yield note("imports", "the environment that runs the pipeline is not on this machine: not examined")
        return
    places = search_path(project)
    wanted: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            wanted |= {alias.name.partition(".")[0]: node.lineno for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wanted[node.module.partition(".")[0]] = node.lineno
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


def _service(project: Project, tree: ast.Module, where: Path) -> Iterator[Line]:
    made = next((call for call in calls(tree) if called_name(call).rpartition(".")[2] == "Service"), None)
    if made is None:
        yield note("service", f"{where} declares none here: golden, contract and load do not ask a live one")
        return
    command = keyword(made, "command") or (made.args[0] if made.args else None)
    first = command.elts[0] if isinstance(command, ast.List | ast.Tuple) and command.elts else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield _command(project, first.value, where)
    elif dotted(first) == "sys.executable":
        yield ok("service", f"started with the interpreter that runs the pipeline, {where}, line {made.lineno}")
    elif (url := keyword(made, "url")) is not None:
        named = str(url.value) if isinstance(url, ast.Constant) else "an address"
        yield ok("service", f"runs already, at {named}")
    else:
        yield note("service", f"its command is computed, {where}, line {made.lineno}: not examined")


def _command(project: Project, word: str, where: Path) -> Line:
    own = (project.root / project.python).parent / word if project.python else Path(sys.executable).parent / word
    found = str(own) if own.is_file() else program(project.root, word)
    if project.command:
        return note("service", f"'{word}' is started behind {project.command[0]}: not examined")
    if found is None:
        advice = f"{_pip(project)} install {word}, or correct the command in {where}."
        return missing("service", f"'{word}' is neither beside the interpreter nor on PATH", advice)
    return ok("service", f"started with {found}")


def expectations(project: Project) -> Iterator[Line]:
    """Examine the folder of expectations and its settings."""
    folder = project.expectations
    if not folder.exists():
        yield ok("policy", "defaults: there is no folder for expectations")
        return
    from seatrial.policy.service import read_service

    try:
        settings = read_service(folder)
    except SeatrialError as error:
        yield missing("policy", str(error), "Correct the file. All settings: seatrial schema service")
        return
    allowed = f", {len(settings.contract.allow)} allowance(s)" if settings.contract.allow else ""
    load = "an objective for load" if settings.slo else "no [slo], so no load test"
    yield ok("policy", f"{folder.name}/: {load}{allowed}")
