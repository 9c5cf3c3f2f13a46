"""The settings that ``seatrial init`` writes: [tool.seatrial] of pyproject.toml, and expectations/service.toml."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path

from seatrial.cli.start.plan import Plan
from seatrial.cli.start.sources import called_name, calls
from seatrial.errors import UsageError

EXPECTATIONS = "expectations"
LIMITS = {  # of the frameworks, which the author of a service cannot mend, and what their tutorials leave out
    "fastapi": {
        "not-a-number": "FastAPI repeats NaN in its own error, which JSON cannot hold.",
        "text with a lone surrogate": "FastAPI cannot write it as UTF-8.",
    },
    "flask": {"status-500": "The service does not check its requests. Remove this line once it does."},
    "": {},
}


def expectations_folder(root: Path) -> str:
    """Return the name of the folder for expectations: another one where the usual holds something else."""
    there = root / EXPECTATIONS
    taken = there.exists() and (not there.is_dir() or any(there.iterdir()))
    return f"seatrial_{EXPECTATIONS}" if taken else EXPECTATIONS


def tool_table(plan: Plan, pipeline: Path, expectations: str) -> str:
    """Return the lines of [tool.seatrial]."""
    found: dict[str, object] = {
        "pipeline": f"{pipeline.relative_to(plan.root).as_posix()}:pipeline",
        "models": [plan.name],
    }
    if expectations != EXPECTATIONS:
        found["expectations"] = expectations
    if plan.tracking_uri and "MLFLOW_TRACKING_URI" not in os.environ:
        found["tracking_uri"] = plan.tracking_uri
    if own := own_python(plan.root):
        found["python"] = own
    if plan.environment:
        found["environment"] = list(plan.environment)
    return "\n".join(["[tool.seatrial]", *(f"{name} = {json.dumps(value)}" for name, value in found.items()), ""])


def own_python(root: Path) -> str:
    """Return the interpreter of the repository's virtual environment, where seatrial itself runs in another one."""
    for folder in (".venv", "venv", "env"):
        python = root / folder / "bin" / "python"
        if python.is_file() and Path(sys.prefix).resolve() != (root / folder).resolve():
            return f"{folder}/bin/python"
    return ""


def with_table(path: Path, table: str) -> str:
    """Return the text of pyproject.toml with a table appended; nothing else in it changes.

    Raises:
        UsageError: the file is no TOML, has the table, or cannot take it at its end.
    """
    if not path.exists():
        return table
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        if "seatrial" in tomllib.loads(text).get("tool", {}):
            raise UsageError(
                f"{path} has a table [tool.seatrial] already: this is a seatrial project. What is there and what is "
                "missing: seatrial doctor"
            )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise UsageError(f"{path} is not TOML: {reason}. Correct it, and run the command again.") from reason
    line = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text else line if text.endswith("\n") else line * 2
    new = text + gap + table.replace("\n", line)
    try:
        tomllib.loads(new)
    except tomllib.TOMLDecodeError as reason:
        raise UsageError(f"{path} cannot take a table at its end ({reason}). Add these lines:\n{table}") from reason
    return new


def service_text(plan: Plan) -> str:
    """Return the text of service.toml: what the framework needs to be allowed; empty where it needs nothing."""
    allowed = dict(LIMITS[plan.kind])
    if plan.request_model and plan.application and plan.kind == "flask":
        made = [called_name(call) for call in calls(plan.application.module.tree)]
        if any(name.endswith("errorhandler") for name in made):  # it checks its requests, and answers what is wrong
            allowed = {}
    if not allowed:
        return ""
    lines = [f"{json.dumps(name)} = {json.dumps(reason)}" for name, reason in allowed.items()]
    head = "# What the contract check allows of the service, by name. All settings: seatrial schema service"
    return "\n".join([head, "", "[contract.allow]", *lines, ""])
