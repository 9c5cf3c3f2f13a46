"""What is imported is stated in pyproject.toml, and what is stated is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from seatrial.cli import demo
from seatrial.errors import UsageError

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
INSTALLED = packages_distributions()
BOUNDS = {"fastapi", "marshmallow"}  # stated for what Prefect and Great Expectations make of them
BY_NAME = {"psycopg", "mbi", "sdv", "PIL"}  # SQLAlchemy and OpenDP import the first two; the others run elsewhere
COMPANIONS = {  # module to the stated distribution that brings it, and whose types or errors it holds
    "azureml": "azureml-mlflow",  # which wants an older MLflow than all else
    "cryptography": "securesystemslib", "google": "grpcio", "hypothesis": "schemathesis", "libcst": "mutmut",
    "markupsafe": "jinja2", "polars": "opendp", "requests": "mlflow",
}  # fmt: skip


def names(requirements: Iterable[str]) -> set[str]:
    """Return the distributions that requirements name, as a registry writes them."""
    found = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-") for requirement in requirements}
    return found - {"seatrial"}


def imported(folder: Path) -> set[str]:
    """Return the distributions of all that the files of a folder import, wherever in them."""
    modules: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    own = {path.stem for path in folder.glob("*.py")} | {"seatrial"}
    foreign = modules - set(sys.stdlib_module_names) - own - BY_NAME
    return {COMPANIONS.get(module) or distribution_of(module) for module in foreign}


def distribution_of(module: str) -> str:
    """Return the distribution that installed a module; of several, the one of its name."""
    installed = INSTALLED.get(module, [module])
    return (module if module in installed else installed[0]).lower().replace("_", "-")


def test_the_library_states_what_it_imports() -> None:
    """In its dependencies, or in an extra that a user needs for a part of it."""
    stated = names(PROJECT["dependencies"])
    optional = names(r for extra, of in EXTRAS.items() if extra not in ("demo", "test") for r in of)
    assert imported(ROOT / "src" / "seatrial") - stated - optional == set()


def test_the_library_states_nothing_else() -> None:
    """What only the payments example imports is no dependency of the library."""
    assert names(PROJECT["dependencies"]) - imported(ROOT / "src" / "seatrial") == BOUNDS


def test_the_example_states_what_it_imports() -> None:
    """In the extra ``demo``, beside the library's own dependencies."""
    found = imported(ROOT / "examples" / "payments")
    assert found - names(PROJECT["dependencies"]) == names(EXTRAS["demo"])


def test_a_demo_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it writes anything."""
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == "circuitbreaker" else object())
    with pytest.raises(UsageError, match=r"needs circuitbreaker: pip install 'seatrial\[demo\]'"):
        demo.demo(tmp_path / "demo", quiet=True)
    assert not (tmp_path / "demo").exists()
