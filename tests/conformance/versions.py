"""Which releases of MLflow, Prefect and Great Expectations seatrial runs on: combinations, and what tries one.

``python tests/conformance/versions.py`` resolves each as an installer would, and ends with 1 where one cannot be.
``python tests/conformance/versions.py NAME`` installs one in an environment of its own and runs its tests there.
``python tests/conformance/versions.py --list`` prints the names as JSON, for a matrix of CI jobs.
"""

# ruff: noqa: T201  printing is what it is run for

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory

from environments import LOCK, environment
from extras import AT_ONCE, ROOT, compiled, name, uv
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

THREE = ("great-expectations", "mlflow", "prefect")
SHOWN = (*THREE, "pandas", "numpy", "pyarrow", "pydantic", "sqlalchemy", "fastapi", "marshmallow")
QUIET = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
TOOLS = ("hypothesis", "pytest", "pytest-xdist")  # of the extra ``test``: what the tests below need

EXPECTATIONS = tuple(f"tests/integration/checks/test_{of}.py" for of in ("expectations", "great_expectations_traps"))
REGISTRY = tuple(f"tests/integration/registry/test_{of}.py" for of in ("evaluator", "lookup", "open_source_unity"))
SERVERS = (
    "tests/unit/orchestration",
    "tests/e2e/flows/test_up.py",
)  # deploy, webhook, flows, automations, both servers
AZURE = ("tests/integration/registry/test_azure.py",)
LEFT_OUT = "not person"  # tests in a browser: the pages of a server are its release's own


@dataclass(frozen=True)
class Combination:
    """What is installed together, and the tests that show whether it works.

    Attributes:
        name: by which it is asked for.
        tests: files and folders of tests.
        pins: what is wanted of a package, beside the ranges of ``pyproject.toml``.
        prefer: ``lock`` changes of the lock no more than the pins want; else the lowest or the highest that is allowed.
        uncapped: the packages whose upper bound is left out.
        extras: of seatrial.
    """

    name: str
    tests: tuple[str, ...] = (*EXPECTATIONS, *REGISTRY, *SERVERS)
    pins: tuple[str, ...] = ()
    prefer: str = "lock"
    uncapped: tuple[str, ...] = ()
    extras: tuple[str, ...] = ("demo", "environments")


COMBINATIONS = (  # what the lock has is tried by every run of all tests
    Combination("lowest", prefer="lowest-direct"),
    Combination("newest", prefer="highest"),
    Combination("next", prefer="highest", uncapped=THREE),
    Combination("prefect-3.9", SERVERS, ("prefect==3.9.*",)),
    *(Combination(f"mlflow-3.{n}", (*REGISTRY, *SERVERS), (f"mlflow==3.{n}.*",)) for n in (15, 16)),
    *(Combination(f"great-expectations-1.{n}", EXPECTATIONS, (f"great-expectations==1.{n}.*",)) for n in (12, 18, 23)),
    Combination("azureml", AZURE, extras=("demo", "azureml")),
)


def requirements(wanted: Combination) -> list[str]:
    """Return what a combination asks of an installer."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    given = [*project["dependencies"], *(each for extra in wanted.extras for each in extras[extra])]
    given = [_uncapped(each) if name(each) in wanted.uncapped else each for each in given]
    return [*given, *wanted.pins, *(each for each in extras["test"] if name(each) in TOOLS)]


def resolved(wanted: Combination) -> tuple[list[str], str]:
    """Return the exact releases of a combination, and why there are none; empty where there are."""
    with TemporaryDirectory() as folder:
        asked, out = Path(folder, "asked.in"), Path(folder, "out.txt")
        asked.write_text("\n".join(requirements(wanted)))
        if wanted.prefer == "lock":
            out.write_text(LOCK.read_text())  # what is in the file already is kept where it can be
        order = "highest" if wanted.prefer == "lock" else wanted.prefer
        _, why = compiled("--resolution", order, "--output-file", str(out), str(asked))
        return [] if why else out.read_text().split(), why


def install(releases: Sequence[str]) -> str:
    """Return the interpreter of an environment with these releases and this checkout."""
    python = str(environment("--no-deps", *releases))
    command = [uv(), "pip", "install", "--quiet", "--no-deps", "--reinstall", "--python", python, "--editable", ROOT]
    subprocess.run(command, check=True)
    return python


def test(python: str, tests: Sequence[str]) -> str:
    """Run tests with an interpreter, and return what was wrong; empty where all of them ran and passed."""
    command = [python, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", LEFT_OUT, *tests]
    last = ""
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | QUIET, stdout=subprocess.PIPE, text=True) as ran:
        for line in ran.stdout or ():
            print(line, end="", flush=True)
            last = line
    if ran.returncode:
        return f"the tests ended with {ran.returncode}"
    return "tests were skipped, so it was not tried whole" if re.search(r"\d+ skipped", last) else ""


def shown(releases: Sequence[str]) -> str:
    """Return the releases of what matters, in one line."""
    return ", ".join(each for each in releases if name(each) in SHOWN)


def main(words: Sequence[str]) -> int:
    """Do what was asked; return how many combinations do not work."""
    by_name = {each.name: each for each in COMBINATIONS}
    if words == ["--list"]:
        print(json.dumps([*by_name]))
        return 0
    for word in words:
        if word not in by_name:
            close = get_close_matches(word, by_name, n=1)
            meant = f" Did you mean '{close[0]}'?" if close else ""
            print(f"No combination '{word}'. There are: {', '.join(by_name)}.{meant}", file=sys.stderr)
            return 2
    wanted = [by_name[word] for word in words] or [*COMBINATIONS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(resolved, wanted))
    problems = 0
    for each, (releases, problem) in zip(wanted, answers, strict=True):
        print(f"{each.name}: {problem or shown(releases)}", flush=True)
        if words and not problem and (problem := test(install(releases), each.tests)):
            print(f"{each.name}: {problem}")
        problems += bool(problem)
    return problems


def _uncapped(requirement: str) -> str:
    parsed = Requirement(requirement)
    parsed.specifier = SpecifierSet(",".join(str(s) for s in parsed.specifier if not s.operator.startswith("<")))
    return str(parsed)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 2))
