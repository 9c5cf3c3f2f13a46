"""What must hold of the repository as a whole: what is imported where, which names are public, what is written down."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import seatrial

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "src" / "seatrial"
PUBLIC = {
    "Check", "Cosine", "Dependency", "Finding", "HttpAnswer", "HttpRequest", "Json", "Measurement", "Outcome",
    "Pipeline", "Policy", "Poll", "Quality", "Reference", "Samples", "SeatrialError", "Service", "Severity", "Sink",
    "Stage", "StagePolicy", "Step", "Subject", "Text", "Tolerance", "TopK", "Trial", "Verdict", "capture", "run",
}  # fmt: skip
HEAVY = {
    "cyclopts", "dask", "distributed", "fastapi", "great_expectations", "httpx", "jinja2", "loky", "mlflow", "prefect",
    "rich", "scipy", "sklearn", "sqlalchemy",
}  # fmt: skip
EXPECTATIONS = ("checks/gx/importing.py", "checks/gx/runner.py", "checks/gx/suites.py")
PREFECT = (
    "capturing",
    "dask/sending",
    "deployments/board",
    "deployments/checkout",
    "deployments/dispatch",
    "deployments/notify",
    "deployments/on_prefect",
    "deployments/placement",
    "deployments/pools",
    "deployments/prune",
    "deployments/pull_steps",
    "prefect_api",
    "reconciliation",
    "runner",
    "steps",
    "tasks",
    "validation",
)
ORCHESTRATION = tuple(f"orchestration/{name}.py" for name in PREFECT)


def tracked(*suffixes: str) -> list[Path]:
    """Return the repository's text files, as version control knows them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout: there is no list of files")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [f for f in files if f.is_file() and (not suffixes or f.suffix in suffixes)]


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh process holds after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def imported(path: Path) -> set[str]:
    """Return the top-level names of all that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module":
            names |= {a.value.partition(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return names


# --- imports ---------------------------------------------------------------------------------------------


def test_importing_seatrial_imports_nothing():
    """Not even pandas: the command line must start before anything heavy does."""
    assert not loaded_by("import seatrial") & {*HEAVY, "pandas", "numpy", "pyarrow"}


def test_every_public_name_needs_no_more_than_pandas():
    """All names together pull pandas, pydantic and what they stand on, and none of the heavy libraries."""
    assert not loaded_by("from seatrial import *") & HEAVY


def test_the_pytest_plugin_costs_nothing_where_it_is_not_used():
    """Every pytest of an environment with seatrial loads it."""
    assert not loaded_by("import seatrial.testing.pytest_plugin") & {*HEAVY, "pandas", "numpy", "pyarrow", "pydantic"}


@pytest.mark.parametrize("module", ["seatrial.cli.app", "seatrial.project"])
def test_settings_are_modelled_when_they_are_read(module):
    """Pydantic takes a tenth of a second to import: help and the project's name must not wait for it."""
    assert "pydantic" not in loaded_by(f"import {module}")


def test_two_files_are_compared_without_servers_and_judges():
    """``seatrial diff`` starts with pandas and Arrow; pydantic and jinja wait until something needs them."""
    script = "import seatrial.cli.app, seatrial.cli.diff.app, seatrial.cli.diff.command"
    assert not loaded_by(script) & ({*HEAVY, "pydantic", "jinja2"} - {"cyclopts", "rich"})


def test_the_public_names_are_these():
    """A name that comes or goes is a decision: it stands here, in ``__all__`` and in ``dir``, and it is there."""
    assert set(seatrial.__all__) == PUBLIC
    assert set(dir(seatrial)) == PUBLIC | {"__version__"}
    assert all(getattr(seatrial, name).__module__.startswith("seatrial.") for name in PUBLIC - {"Step"})
    with pytest.raises(AttributeError, match="no attribute 'caputre'"):
        seatrial.caputre  # noqa: B018


def test_every_public_name_says_what_it_is():
    """Each public class and function has a docstring."""
    assert not [name for name in PUBLIC - {"Step"} if not (getattr(seatrial, name).__doc__ or "").strip()]


@pytest.mark.parametrize(("library", "allowed"), [("great_expectations", EXPECTATIONS), ("prefect", ORCHESTRATION)])
def test_a_heavy_library_is_imported_in_its_own_place_alone(library, allowed):
    """Great Expectations in the expectations check, Prefect in the flows and where the local server is started."""
    places = {str(p.relative_to(LIBRARY)) for p in LIBRARY.rglob("*.py") if library in imported(p)}
    assert places <= set(allowed)
    assert places, f"nothing imports {library} any more: this rule is about something else now"


def test_only_flows_are_flows():
    """Outside the library, Prefect is the flows' alone."""
    files = [p for folder in ("expectations", "examples") for p in (ROOT / folder).rglob("*.py")]
    assert files
    assert not [p for p in files if imported(p) & {"prefect"}]


# --- flows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", sorted((ROOT / "flows").glob("*.py")), ids=lambda p: p.name)
def test_a_flow_file_shadows_nothing(flow):
    """Prefect keeps the flows' folder first on ``sys.path``: no file is named like a module or library."""
    assert flow.stem not in sys.stdlib_module_names
    assert flow.stem not in {"seatrial", *HEAVY, "pandas", "numpy", "pyarrow", "pytest"}
    defined = {
        node.name
        for node in ast.parse(flow.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert not defined & set(sys.stdlib_module_names)


def modules(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, wherever in it; a name from a package counts as one."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} imports relative to itself"
            public = node.module == "seatrial.orchestration"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if public else {str(node.module)}
        elif isinstance(node, ast.Call):
            assert getattr(node.func, "id", getattr(node.func, "attr", "")) not in {"import_module", "__import__"}
    return names


@pytest.mark.parametrize("flow", sorted((ROOT / "flows").glob("*.py")), ids=lambda p: p.name)
def test_a_flow_has_one_door(flow):
    """A flow imports prefect, seatrial and seatrial.orchestration.steps alone: nothing else of ours is public by it."""
    prefect = {name for name in modules(flow) if name.partition(".")[0] == "prefect"}
    assert modules(flow) - prefect <= {"__future__", "typing", "seatrial", "seatrial.orchestration.steps"}
    assert {f"def {flow.stem}("} <= set(re.findall(r"def \w+\(", flow.read_text(encoding="utf-8")))


def test_every_step_is_wired():
    """What the one door offers is what flows use: no step is left there that none needs."""
    from seatrial.orchestration import steps

    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "flows").glob("*.py"))
    types = {name for name in steps.__all__ if isinstance(getattr(steps, name), type)}
    assert {name for name in steps.__all__ if f"steps.{name}" in text} == set(steps.__all__) - types


def test_flows_are_leaves():
    """The folder is no package, and no flow imports another."""
    flows = {p.stem for p in (ROOT / "flows").glob("*.py")}
    assert flows
    assert "__init__" not in flows
    for path in (ROOT / "flows").glob("*.py"):
        assert not imported(path) & flows, path.name


# --- what is written down --------------------------------------------------------------------------------


FORBIDDEN = {
    "a path of one machine": r"/work/|/tmp/lab|/home/[a-z]+/|/root/",
    "a registry of packages other than the public default": r"(index-url|extra-index|find-links|trusted-host)",
    "an e-mail of a person": r"[\w.]+@(?!example\.)[\w-]+\.(?:com|org|net|io)\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_of_the_place_it_was_written_at_is_left(what):
    """The repository speaks of itself alone."""
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path != Path(__file__)
        for match in re.finditer(FORBIDDEN[what], path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not found


def test_files_are_plain_text():
    """UTF-8, a newline at the end, no tabs or trailing blanks in what people read and write."""
    wrong = []
    for path in tracked(".py", ".md", ".toml", ".yaml", ".txt"):
        text = path.read_bytes().decode("utf-8")
        if text and (not text.endswith("\n") or "\r" in text or re.search(r"[ \t]+$", text, re.MULTILINE)):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong


def test_every_module_says_what_it_is():
    """Each module of the library opens with a docstring."""
    missing = [
        str(p.relative_to(ROOT))
        for p in LIBRARY.rglob("*.py")
        if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert not missing


OWN_WORDS = r"goes? to sea|as in training|born here|bystander|heavy weather|the knee|not asked|unearned"


def test_only_the_fields_words_are_used():
    """A practitioner needs no translation."""
    read = [p for p in tracked() if p.relative_to(ROOT).parts[0] in ("src", "flows", "docs", "README.md")]
    assert read
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in read
        for match in re.finditer(OWN_WORDS, path.read_text(encoding="utf-8", errors="ignore"), re.IGNORECASE)
    ]
    assert not found


def test_the_library_stays_easy_to_find_ones_way_in():
    """At most 30 names in its root, 15 files in a folder, 250 lines in a file."""
    root = {p.stem for p in LIBRARY.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert len(root - {"__init__", "__main__"}) <= 30
    folders = [LIBRARY, *(p for p in LIBRARY.rglob("*") if p.is_dir() and p.name != "__pycache__")]
    crowded = {str(d.relative_to(LIBRARY)): n for d in folders if (n := sum(p.is_file() for p in d.iterdir())) > 15}
    assert not crowded
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in LIBRARY.rglob("*.py")}
    assert not {path: lines for path, lines in lengths.items() if lines > 250}


# --- tests -----------------------------------------------------------------------------------------------


def test_tests_that_share_a_fixture_share_a_worker(request: pytest.FixtureRequest) -> None:
    """Where tests run in several workers each is in a group, or what a file shares is made in every worker."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("these tests run in one process")
    assert request.node.nodeid.endswith("@test_repository.py")
