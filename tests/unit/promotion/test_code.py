"""Which files are the code, and what changed in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import ProjectError
from seatrial.project import Project
from seatrial.promotion.code import changes, read_code

NOISE = [
    ".venv/lib/a.py", "env/pyvenv.cfg", "env/b.py", ".git/c", ".seatrial/d.db", "mlruns/e", "tests/f.py", "g.log",
    "__pycache__/h.pyc", "i.sqlite3", "node_modules/j.js", "test_k.py", ".hidden",
]  # fmt: skip


def project(root: Path, files: dict[str, str], settings: str = "", pipeline: str = "serving/pipeline.py") -> Project:
    (root / "pyproject.toml").write_text(f'[tool.seatrial]\npipeline = "{pipeline}:pipeline"\n{settings}')
    for name, text in {pipeline: "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Project.find(root)


def names(found: Project, service: str | Path | None = None) -> set[str]:
    return set(read_code(found, service).files) - {"pyproject.toml"}


def test_the_pipelines_folder_is_code_whatever_its_files_are(tmp_path: Path) -> None:
    """To any depth, binary too; what tools leave there is not."""
    files = {"serving/rates.csv": "1", "serving/deep/er/x.bin": "\0", **{f"serving/{n}": "" for n in NOISE}}
    found = project(tmp_path, {**files, "other/a.py": "", "README.md": "", "expectations/raw.py": ""})
    assert names(found) == {"serving/pipeline.py", "serving/rates.csv", "serving/deep/er/x.bin"}


def test_in_the_root_itself_python_files_and_packages_are_code(tmp_path: Path) -> None:
    """Nothing of the folders that every project has."""
    files = {"features.py": "", "shop/__init__.py": "", "shop/rates.json": "", "data/rows.csv": "", "README.md": ""}
    own = {"expectations/raw.py": "", "flows/validate.py": "", **dict.fromkeys(NOISE, "")}
    found = project(tmp_path, {**files, **own}, pipeline="pipeline.py")
    assert names(found) == {"pipeline.py", "features.py", "shop/__init__.py", "shop/rates.json"}


def test_what_is_imported_from_the_project_is_code(tmp_path: Path) -> None:
    """From the root, from src, beside a parent folder, and what these import; nothing is run for it."""
    files = {
        "app/serving/pipeline.py": "import numpy, common.feats\nfrom shop import rates\nraise SystemExit",
        "common/feats.py": "import deeper", "common/table.csv": "", "src/shop/__init__.py": "", "src/shop/rates.py": "",
        "app/deeper.py": "def f(: it does not parse", "app/unused.py": "", "numpy": "a file", "json/notes.txt": "",
    }  # fmt: skip
    found = project(tmp_path, files, pipeline="app/serving/pipeline.py")
    assert names(found) == {
        "app/serving/pipeline.py", "common/feats.py", "common/table.csv", "src/shop/__init__.py", "src/shop/rates.py",
        "app/deeper.py",
    }  # fmt: skip


def test_the_services_folder_is_code_where_it_is_in_the_project(tmp_path: Path) -> None:
    """Given as the pipeline says it, absolute or relative; a folder elsewhere is left out."""
    found = project(tmp_path / "p", {"server/main.go": "", "a.py": ""}) if (tmp_path / "p").mkdir() is None else None
    assert found is not None
    (tmp_path / "elsewhere").mkdir()
    for folder in ("server", tmp_path / "p" / "server", "serving/../server"):
        assert names(found, folder) == {"serving/pipeline.py", "server/main.go"}
        assert read_code(found, folder).service == "server"
    assert names(found, tmp_path / "p") == {"serving/pipeline.py", "a.py"}
    for folder in ("", None, "../elsewhere", "nowhere"):
        assert names(found, folder) == {"serving/pipeline.py"}


def test_code_that_is_declared_is_that_alone(tmp_path: Path) -> None:
    """Files, folders, globs; with the pipeline's file and the locks, which always count."""
    files = {"a/b.py": "", "a/c.txt": "", "d/e.py": "", "d/f.txt": "", "serving/g.py": "", "uv.lock": "",
             "requirements-dev.txt": ""}  # fmt: skip
    found = project(tmp_path, files, 'code = ["a", "d/*.py"]')
    assert names(found) == {
        "serving/pipeline.py", "a/b.py", "a/c.txt", "d/e.py", "uv.lock", "requirements-dev.txt",
    }  # fmt: skip
    found = project(tmp_path, {}, 'code = ["nothing/*.py"]')
    with pytest.raises(ProjectError, match=r"'nothing/\*.py' of 'code' matches no file"):
        read_code(found)


def test_links_lead_to_code_and_never_in_circles(tmp_path: Path) -> None:
    """A folder that is linked into the pipeline's is read where it leads to."""
    found = project(tmp_path, {"library/a.py": "one"})
    (tmp_path / "serving" / "linked").symlink_to(tmp_path / "library")
    (tmp_path / "serving" / "circle").symlink_to(tmp_path / "serving")
    (tmp_path / "serving" / "broken").symlink_to(tmp_path / "nothing")
    assert names(found) == {"serving/pipeline.py", "serving/linked/a.py"}
    before = read_code(found).digest
    (tmp_path / "library" / "a.py").write_text("two")
    assert read_code(found).digest != before


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("# a comment", True), ("[tool.ruff]\nline-length = 100", True), ('[project]\nname = "shop"', True),
        ('[project]\ndependencies = ["numpy"]', False), ('[dependency-groups]\ndev = ["numpy"]', False),
        ("[tool.uv.sources]\nnumpy = {path = 'x'}", False),
    ],
)  # fmt: skip
def test_of_pyproject_the_dependencies_count(tmp_path: Path, line: str, same: bool) -> None:
    """Not its comments, nor what tools are told."""
    found = project(tmp_path, {})
    before = read_code(found).digest
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write(f"\n{line}\n")
    assert (read_code(Project.find(tmp_path)).digest == before) is same


def test_another_pipeline_of_the_same_files_is_other_code(tmp_path: Path) -> None:
    """pyproject.toml says which one is run."""
    before = read_code(project(tmp_path, {})).digest
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace(":pipeline", ":other"))
    assert read_code(Project.find(tmp_path)).digest != before


def test_files_with_strange_names_are_told_apart(tmp_path: Path) -> None:
    """A line break, bytes that are no text: each is a name that JSON carries, and none reads like two files."""
    found = project(tmp_path, {"serving/a\nb": ""})
    Path(bytes(tmp_path / "serving").decode() + "/\udcff.py").write_text("")
    assert names(found) == {"serving/pipeline.py", "serving/a\\nb", "serving/\\xff.py"}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"a": "1"}, {"a": "1"}, ""),
        ({"a": "1"}, {"a": "2"}, "a changed"),
        ({"a": "1", "b": "1"}, {"a": "1", "c": "1"}, "b was removed, c was added"),
        ({}, dict.fromkeys("abcde", "1"), "a was added, b was added, c was added, and 2 more"),
    ],
)
def test_changes_are_named(before: dict[str, str], now: dict[str, str], told: str) -> None:
    """A few by name, the rest by number."""
    assert changes(before, now) == told
