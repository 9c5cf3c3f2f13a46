"""What a result follows from: whatever of it changes, one at a time, changes the digest; what tools leave does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seatrial.isolation.launch import Launch, launch_of
from seatrial.orchestration.results import inputs, interpreter, trees
from seatrial.orchestration.results.inputs import Inputs, surroundings
from seatrial.orchestration.results.interpreter import Interpreter, imported
from seatrial.orchestration.results.trees import TooManyFiles, contents, installed
from seatrial.project import Project

PYPROJECT = """[tool.seatrial]
pipeline = "shop/pipeline.py:pipeline"
environment = ["SHOP_URL"]
readable = ["../words"]
"""
Change = Callable[[Path], object]


def append(name: str) -> Change:
    def change(root: Path) -> None:
        with (root / name).open("a") as file:
            file.write("# more\n")

    return change


def write(name: str, text: str = "new\n") -> Change:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return change


CHANGED: dict[str, Change] = {
    "the pipeline": append("shop/pipeline.py"),
    "a module that it imports": append("shop/prices.py"),
    "a table beside it": append("rates.csv"),
    "a file that is hidden": write(".env"),
    "a file as long as before, with its old times": lambda root: _same_size(root / "rates.csv"),
    "a file that was removed": lambda root: (root / "rates.csv").unlink(),
    "a file that was renamed": lambda root: (root / "rates.csv").rename(root / "rate.csv"),
    "the policy": append("expectations/features.py"),
    "its settings": append("expectations/service.toml"),
    "the project's settings": append("pyproject.toml"),
    "a lock": write("uv.lock"),
    "what a link leads to": append("../elsewhere/linked.py"),
    "what the settings name as readable": append("../words/list.txt"),
    "a module that is installed": append("../site-packages/lib/core.py"),
    "the release of a package": lambda root: (root / "../site-packages/lib-1.0.dist-info").rename(
        root / "../site-packages/lib-1.1.dist-info"
    ),
    "what an installer wrote": append("../site-packages/lib-1.0.dist-info/RECORD"),
    "a package that is new": write("../site-packages/other.py"),
    "a module of a folder on the path": append("../path/beside.py"),
    "a package that is installed to be edited": append("../edited/src/own.py"),
    "a package that is linked": append("../linked-package/core.py"),
}  # fmt: skip
LEFT_OUT: dict[str, Change] = {
    "what Python compiled": write("shop/__pycache__/pipeline.cpython-311.pyc"),
    "the state": write(".seatrial/reports/verdict.json"),
    "a commit": write(".git/HEAD"),
    "MLflow's own store": write("mlflow.db-wal"),
    "MLflow's artifacts": write("mlruns/0/meta.yaml"),
    "what the command writes": write("junit.xml"),
    "a cache of pytest": write(".pytest_cache/README.md"),
    "an environment beside": write(".venv/lib/new.py"),
    "what is compiled of a package": write("../site-packages/lib/__pycache__/core.cpython-311.pyc"),
}


def _same_size(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose interpreter is a folder of packages, one on the path, and one that is edited."""
    root = tmp_path / "project"
    for name, text in {
        "pyproject.toml": PYPROJECT, "shop/pipeline.py": "pipeline = 1\n", "shop/prices.py": "RATE = 2\n",
        "rates.csv": "EUR,1\n", "expectations/features.py": "tolerances = {}\n",
        "expectations/service.toml": "[promotion]\n", "junit.xml": "<old/>", ".venv/pyvenv.cfg": "home = /\n",
        "mlflow.db": "", "../elsewhere/linked.py": "X = 1\n", "../words/list.txt": "a\n",
        "../site-packages/lib/core.py": "Y = 1\n", "../site-packages/lib-1.0.dist-info/RECORD": "lib/core.py\n",
        "../path/beside.py": "Z = 1\n", "../linked-package/core.py": "V = 1\n", "../edited/src/own.py": "W = 1\n",
        "../site-packages/own-1.0.dist-info/direct_url.json":
            f'{{"url": "file://{tmp_path}/edited", "dir_info": {{"editable": true}}}}',
    }.items():  # fmt: skip
        write(name, text)(root)
    (root / "shop" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "site-packages" / "linked").symlink_to(tmp_path / "linked-package")
    for name in ("MLFLOW_TRACKING_URI", "SEATRIAL_LEDGER_URL", "MLFLOW_REGISTRY_URI", "_MLFLOW_SERVER_ARTIFACT_ROOT"):
        monkeypatch.delenv(name, raising=False)
    path = (str(tmp_path / "site-packages"), str(tmp_path / "path"), str(root))
    monkeypatch.setattr(interpreter, "THIS", Interpreter("3.11", str(tmp_path / "library"), path))
    return root


def launch(root: Path) -> Launch:
    return Launch(environment=("SHOP_URL",), isolation="limits", readable=(root,), limits={"memory_bytes": 1})


def read(root: Path) -> Inputs:
    return surroundings(Project.find(root), launch(root), without=[root / "junit.xml"])


@pytest.mark.parametrize("what", CHANGED)
def test_whatever_a_result_follows_from_changes_its_digest(root: Path, what: str) -> None:
    """And what is as before has the digest from before."""
    before = read(root)
    assert read(root).digest == before.digest
    CHANGED[what](root)
    assert read(root).digest != before.digest


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_tools_leave_changes_nothing(root: Path, what: str) -> None:
    """Or no result would ever be used again."""
    before = read(root)
    LEFT_OUT[what](root)
    assert read(root).changed_from(before) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"python": "/opt/python"}, {"isolation": "bubblewrap"}, {"limits": {"memory_bytes": 2}}, {"readable": ()},
        {"command": ("podman",)},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_how_the_worker_is_started_counts(root: Path, changed: dict[str, object]) -> None:
    """Another interpreter, isolation, limit or variable is another result."""
    assert inputs._worker(launch(root)) != inputs._worker(Launch(**{**vars(launch(root)), **changed}))  # type: ignore[arg-type]


def test_a_variable_that_the_worker_sees_counts_and_another_does_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its value: SHOP_URL is passed on, a token is not."""
    before = read(root)
    monkeypatch.setenv("SOME_TOKEN", "1")
    assert read(root).changed_from(before) == []
    monkeypatch.setenv("SHOP_URL", "http://another")
    assert read(root).changed_from(before) == ["worker"]


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "OMP_NUM_THREADS", "TZ"])
def test_a_variable_of_any_program_counts(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Threads, time zone and hash seed change numbers."""
    before = read(root)
    monkeypatch.setenv(name, "3")
    assert read(root).changed_from(before) == ["worker"]


def test_another_machine_is_another_result(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other processors numbers may come out otherwise."""
    before = read(root)
    monkeypatch.setattr(os, "cpu_count", lambda: 1_000)
    assert read(root).changed_from(before) == ["machine"]


def test_the_release_of_the_interpreter_counts(root: Path) -> None:
    """The standard library is known by it."""
    here = interpreter.THIS
    assert imported(here, root) != imported(Interpreter("3.12", here.stdlib, here.path), root)
    assert imported(here, root) != imported(Interpreter(here.release, here.stdlib, here.path[1:]), root)


def test_an_environment_in_the_project_counts_as_installed(root: Path) -> None:
    """The project's files leave it out, and the search path of the worker has it."""
    site = root / ".venv" / "lib" / "site-packages"
    write(".venv/lib/site-packages/lib.py")(root)
    there = Interpreter("3.11", "/none", (str(site),))
    before = imported(there, root)
    append(".venv/lib/site-packages/lib.py")(root)
    assert imported(there, root) != before


def test_a_project_that_is_an_environment_itself_is_read(root: Path) -> None:
    """Made by 'python -m venv .': its files count nevertheless."""
    write("pyvenv.cfg")(root)
    before = read(root)
    append("shop/pipeline.py")(root)
    assert read(root).changed_from(before) == ["project"]


def test_a_large_file_is_known_by_its_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not read, and noticed when it is written again, even with its times set back."""
    monkeypatch.setattr(trees, "LARGE_BYTES", 4)
    file = tmp_path / "big.bin"
    file.write_bytes(b"0123456789")
    before = contents([tmp_path])
    assert contents([tmp_path]) == before
    _same_size(file)
    assert contents([tmp_path]) != before


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """Each folder is read once."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "a" / "nowhere").symlink_to(tmp_path / "gone")
    assert contents([tmp_path])


def test_too_many_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept then, rather than a part read."""
    monkeypatch.setattr(trees, "MOST_FILES", 2)
    monkeypatch.setattr(trees, "MOST_INSTALLED", 2)
    for n in range(3):
        (tmp_path / f"{n}.py").touch()
    for call in (contents, installed):
        with pytest.raises(TooManyFiles, match="more than 2 files"):
            call([tmp_path])


def test_a_command_is_not_looked_into(root: Path) -> None:
    """What is in a container is not known here, so that nothing is kept."""
    write("pyproject.toml", PYPROJECT + 'command = ["podman", "run", "shop:1"]\n')(root)
    project = Project.find(root)
    with pytest.raises(interpreter.NotAsked, match="container"):
        surroundings(project, launch_of(project))


def test_what_another_interpreter_of_the_worker_imports_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own packages, beside those of the judge."""
    site = root.parent / "of-the-worker" / "site-packages"
    write("../of-the-worker/site-packages/lib.py")(root)
    there = Interpreter("3.10", "/none", (str(site),))
    monkeypatch.setattr(interpreter, "of_worker", lambda _: there)
    before = read(root)
    append("../of-the-worker/site-packages/lib.py")(root)
    assert read(root).changed_from(before) == ["packages"]
    append("../site-packages/lib/core.py")(root)
    assert read(root).changed_from(before) == ["judge", "packages"]
