"""The tools: where each is installed, how it is run, and what its output names."""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faults import OUTPUTS, QUALITY, Fault
from subject import HERE, Subject

FEATURES = ("hour", "bill", "tenure", "usage", "complaints")
SAID = (*FEATURES, *OUTPUTS, *QUALITY, "minutes", "probability", "latency", "outage")
NAMED = re.compile(rf"(?<![a-z])({'|'.join(sorted(SAID, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Tool:
    """One column of the table.

    Attributes:
        name: of the column.
        files: that a user writes, below this folder; their lines are counted.
        packages: of its environment; none where it runs in that of the project.
        python: the release its environment is made from.
        traffic: whether it looks at the traffic of the day; else at the recorded requests, sent again.
        features: whether it sees features and outputs.
    """

    name: str
    files: tuple[str, ...]
    packages: tuple[str, ...] = ()
    python: str = "3.11"
    traffic: bool = False
    features: bool = True

    @property
    def replays(self) -> bool:
        """Whether it needs the requests sent to the service and its log read, which is not its own work."""
        return bool(self.packages) and self.name != "MLflow evaluate, model"


DEEPCHECKS = ("deepchecks==0.19.1", "pandas>=2.2,<2.3", "numpy<2", "scikit-learn>=1.6,<1.7", "setuptools<80")
EVIDENTLY = ("evidently==0.7.23", "pandas>=2.3,<3")
MLFLOW = ("mlflow==3.17.2", "scikit-learn==1.9.1", "pandas")
TFDV = ("tensorflow-data-validation==1.16.1", "dill", "setuptools<80")
SEATRIAL = ("project/pipeline.py", "project/pyproject.toml", "project/expectations/service.toml",
            "project/expectations/postprocess.py")  # fmt: skip
TOOLS = (
    Tool("pytest, golden file", ("tools/conftest.py", "tools/golden_file.py"), features=False),
    Tool("pytest, thorough", ("tools/conftest.py", "tools/golden_file.py", "tools/thorough.py")),
    Tool("Deepchecks, suites", ("tools/deepchecks_default.py",), DEEPCHECKS, traffic=True),
    Tool("Deepchecks, replay", ("tools/deepchecks_tuned.py",), DEEPCHECKS),
    Tool("Evidently, presets", ("tools/evidently_default.py",), EVIDENTLY, traffic=True),
    Tool("Evidently, replay", ("tools/evidently_tuned.py",), EVIDENTLY),
    Tool("MLflow evaluate, model", ("tools/mlflow_default.py",), MLFLOW, features=False),
    Tool("MLflow evaluate, replay", ("tools/mlflow_tuned.py",), MLFLOW, features=False),
    Tool("TFDV, schema", ("tools/tfdv_default.py",), TFDV, traffic=True),
    Tool("TFDV, replay", ("tools/tfdv_tuned.py",), TFDV),
    Tool("seatrial", SEATRIAL),
)


@dataclass(frozen=True)
class Result:
    """What a tool said of a fault: whether it failed, what it named, its words, and its processor seconds."""

    failed: bool
    named: tuple[str, ...]
    said: str
    seconds: float
    outcome: str = ""


def lines(tool: Tool) -> int:
    """Return the lines of code that a user writes, without blank lines, comments and docstrings of a line."""
    code = "\n".join((HERE / name).read_text(encoding="utf-8") for name in tool.files)
    return sum(1 for line in code.splitlines() if line.strip() and not line.strip().startswith(("#", '"""')))


def asked_of_code(tool: Tool, subject: Subject, checks: Sequence[str] = ()) -> Result:
    """Run a tool of the project's own environment on its code as it is, and read what it says.

    ``checks`` are those that seatrial runs; all by default.
    """
    if tool.name == "seatrial":
        return _seatrial(subject, checks)
    begin = spent()
    done = subject.run(
        sys.executable, "-m", "pytest", "-q", "-v", "--tb=short", "-rf", "-c", "/dev/null", "--rootdir", ".",
        "-p", "no:cacheprovider", *(f"checks/{Path(name).name}" for name in tool.files[1:]),
        STORE_SECONDS="5",
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    failed = re.findall(r"^(?:FAILED|ERROR) (.*)$", done.stdout, re.MULTILINE)
    differing = re.findall(r"^E +(?:\{.* != \{.*|'\w+')$", done.stdout, re.MULTILINE)
    return result_of([*failed, *differing], False, spent() - begin)


def asked_of_data(tool: Tool, python: str, subject: Subject, files: dict[str, Path]) -> dict[str, tuple[Any, ...]]:
    """Run a tool on what was served, a file a fault, and return what failed, whether it raised, and its seconds."""
    command = (python, "-W", "ignore", HERE / "many.py", f"checks/{Path(tool.files[-1]).name}", *files.values())
    done = subject.run(*command)
    read = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"failed"')]
    assert len(read) == len(files), done.stderr[-3000:]
    return {name: (each["failed"], each["raised"], each["seconds"]) for name, each in zip(files, read, strict=True)}


def spent() -> float:
    """Return the processor seconds of all that this process started and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def result_of(failed: list[str], raised: bool, seconds: float) -> Result:
    """Return the result of what failed."""
    named = tuple(dict.fromkeys(name.lower() for each in failed for name in NAMED.findall(each)))
    return Result(bool(failed), named, "\n".join(failed), round(seconds, 1), "raised" if raised else "")


def beyond(result: Result, clean: Result) -> Result:
    """Return a result without what the tool says, word for word, of the clean code too: that tells no fault."""
    said = [line for line in result.said.splitlines() if line not in clean.said.splitlines()]
    return replace(result_of(said, False, result.seconds), outcome=result.outcome)


def located(fault: Fault, tool: Tool, named: Sequence[str]) -> bool:
    """Return whether the names are those of the fault, and of no feature that is right."""
    features = set(named) & set(FEATURES) - fault.where
    outputs = fault.outputs and tool.features and not set(named) & set(FEATURES) and bool(set(named) & OUTPUTS)
    return not features and (bool(set(named) & fault.where) or outputs)


def _seatrial(subject: Subject, checks: Sequence[str]) -> Result:
    begin = spent()
    path = subject.root / "verdict.json"
    path.unlink(missing_ok=True)
    only = [part for check in checks for part in ("--only", check)]
    command = ("seatrial", "validate", "models:/churn/1", "--quiet", "--sink", f"json={path}", *only)
    done = subject.run(sys.executable, "-m", *command)
    seconds = round(spent() - begin, 1)
    if not path.is_file():
        said = (done.stdout + done.stderr)[-1500:]
        return Result(False, (), said, seconds, f"exit code {done.returncode}")
    verdict = json.loads(path.read_text(encoding="utf-8"))
    errors = [each for each in verdict["findings"] if each["severity"] == "error"]
    stages = [verdict["first_failing_stage"]] if verdict.get("first_failing_stage") else []
    origin = [each for each in errors if each["stage"] in stages]
    columns = [c for each in origin for c in (each.get("columns") or [each.get("column")]) if c]
    named = tuple(dict.fromkeys([*stages, *columns]))
    said = done.stdout.strip() + "\n" + "\n".join(f"{e['check']} {e['stage']}: {e['message']}" for e in errors)
    return Result(done.returncode == 1, named, said[:3000], seconds, verdict["outcome"])
