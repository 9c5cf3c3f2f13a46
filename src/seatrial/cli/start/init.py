"""``seatrial init``: make a project of a repository as it is, or of an empty folder, and overwrite nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from seatrial.cli.start.plan import Choose, Plan, make_plan
from seatrial.cli.start.settings import expectations_folder, service_text, tool_table, with_table
from seatrial.cli.start.template import EDIT, pipeline_text
from seatrial.errors import UsageError
from seatrial.io.files import atomic_write

PYPROJECT, NAMES = "pyproject.toml", ("pipeline.py", "seatrial_pipeline.py")
FLOWS = ("capture", "promoted", "reconcile", "registered", "stress", "validate")


def init(
    directory: Path,
    *,
    here: bool,
    app: str = "",
    model: str = "",
    key: str = "",
    target: str = "",
    say: Callable[[str], None] = print,
) -> Path:
    """Write a project to a repository (``here``) or a new folder, say what was found, and return its pipeline's file.

    Args:
        directory: of the project.
        here: it exists, and may hold anything.
        app: the application that serves, as ``module:name``, where there are several.
        model: name of the registered model.
        key: field that identifies a request.
        target: address of a service that runs already.
        say: receives the lines to print.

    Raises:
        UsageError: the folder is not empty, is a project, or what was asked for is not in it.
    """
    root = directory.resolve()
    if here and not root.is_dir():
        raise UsageError(f"There is no folder {root}. Without --here, it is made: seatrial init {directory}")
    if not here and (root.is_file() or (root.is_dir() and any(root.iterdir()))):
        raise UsageError(
            f"{root} exists and is not empty. To add seatrial to it, and change none of its files but the end of "
            f"pyproject.toml: seatrial init {directory} --here"
        )
    plan = make_plan(root, _chooser(), app=app, model=model, key=key, target=target)
    files = _files(plan)
    for path, text in files.items():
        atomic_write(path, text.encode())
    pipeline = next(path for path in files if path.suffix == ".py")
    for line in (*_found(plan), "", *_written(plan, files), "", *_next(plan, pipeline, files[pipeline])):
        say(line)
    return pipeline


def _files(plan: Plan) -> dict[Path, str]:
    """Return every file to write with its text, once all of them are sure to be possible."""
    pipeline = next((path for name in NAMES if not (path := plan.folder / name).exists()), None)
    if pipeline is None:
        raise UsageError(f"{' and '.join(NAMES)} exist in {plan.folder} already. Rename one of them.")
    expectations = expectations_folder(plan.root)
    files = {
        pipeline: pipeline_text(plan),
        plan.root / PYPROJECT: with_table(plan.root / PYPROJECT, tool_table(plan, pipeline, expectations)),
    }
    if text := service_text(plan):
        files[plan.root / expectations / "service.toml"] = text
    return files


def _chooser() -> Choose:
    """Return what asks on a terminal, and elsewhere takes the likeliest."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def choose(question: str, answers: Sequence[str], *, free: bool = False) -> str:
        if not terminal or (len(answers) < 2 and not free):
            return answers[0]
        from rich.prompt import Prompt

        return Prompt.ask(question, choices=None if free else list(answers), default=answers[0])

    return choose


def _found(plan: Plan) -> Iterator[str]:
    yield "Found"
    if plan.application and plan.route:
        where = plan.application.module.path.relative_to(plan.root)
        yield f"  service   {plan.kind}, {plan.application.address} in {where}, POST {plan.route.path}"
    elif plan.target:
        told = f"POST {plan.documented.predict}" if plan.documented else "no OpenAPI document that tells its fields"
        yield f"  service   at {plan.target}, {told}"
    else:
        yield "  service   none: no FastAPI or Flask application with a route for POST"
    fields = ", ".join(field.name for field in plan.request) or "none"
    yield f"  request   {fields}" + (f" (of {plan.request_model})" if plan.request_model else "")
    yield f"  answer    {', '.join(field.name for field in plan.answer) or 'none'}"
    yield f"  key       {plan.key}" + ("" if plan.key in {f.name for f in plan.request} else ", which no field is")
    names = {model.name: model.module.path.relative_to(plan.root) for model in plan.models}
    yield f"  model     {plan.name}" + (f", registered in {names[plan.name]}" if plan.name in names else ", a guess")
    if plan.feature:
        yield f"  features  {plan.feature[0].name}.{plan.feature[1].name}"


def _written(plan: Plan, files: Mapping[Path, str]) -> Iterator[str]:
    yield "Wrote"
    for path, text in files.items():
        added = text.count("\n") if path.name != PYPROJECT else text[text.index("[tool.seatrial]") :].count("\n")
        what = "lines, the table [tool.seatrial]" if path.name == PYPROJECT else "lines"
        yield f"  {path.relative_to(plan.root)}  {added} {what}"
    if reason := next((text for path, text in files.items() if path.name == "service.toml"), ""):
        names = [line.partition(" = ")[0] for line in reason.splitlines() if line.startswith('"')]
        yield f"  It allows by name what {plan.kind} answers with status 500: {', '.join(names)}."


def _next(plan: Plan, pipeline: Path, text: str) -> Iterator[str]:
    steps = []
    name, loaded = pipeline.relative_to(plan.root), plan.loaded
    if marked := [str(n) for n, line in enumerate(text.splitlines(), 1) if EDIT in line]:
        steps.append(f"complete {name}, line{'s' if len(marked) > 1 else ''} {', '.join(marked)}, marked {EDIT}")
    if loaded and not loaded.variable:
        place = f"{loaded.module.path.relative_to(plan.root)}, line {loaded.line}"
        told = f'"{loaded.text}"' if loaded.text else "its model"
        steps.append(f'{place} loads {told}: let it read os.environ["MODEL_URI"], the version that is validated')
    own = [flow for flow in FLOWS if (plan.root / "flows" / f"{flow}.py").exists()]
    if own:
        steps.append(f"set 'flows' in {PYPROJECT} to another folder: seatrial would run flows/{own[0]}.py as its own")
    steps += ["seatrial doctor  # what is still missing"]
    if plan.models:
        module = plan.models[0].module
        steps.append(f"python {module.path.relative_to(plan.root)}  # unless a version of '{plan.name}' is registered")
    steps.append(
        f"seatrial capture models:/{plan.name}/1 requests.csv  # requests, a row each: CSV, JSON lines, Parquet"
    )
    steps.append(f"seatrial validate models:/{plan.name}/1")
    yield "Next"
    yield from (f"  {number}. {step}" for number, step in enumerate(steps, 1))
