"""Capture beside an old stack, which has nothing of seatrial's dependencies but numpy, pandas and pyarrow."""

import os
import re
import subprocess
import sys
from pathlib import Path

import environments
import pytest

from seatrial import Service, registry
from seatrial.targets.launch import start

HERE = Path(__file__).parent / "old_stack"
ROOT = HERE.parents[2]
UNIT = ROOT / "tests" / "unit"
UNIT_TESTS = ("io", "reference", "worker", "test_pipeline.py", "test_events.py")
STACKS = ["old", "oldest"]
JUDGE = UNIT / "io" / "test_frame_json.py"  # reads what services answer


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The package as an index would have it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
         "--wheel-dir", folder, ROOT], check=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def stack(request, wheel, tmp_path_factory):
    """Run something in an environment with seatrial alone: no other package comes with it."""
    python = request.getfixturevalue(f"{request.param}_python")
    beside = tmp_path_factory.mktemp(request.param) / "site"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", beside, wheel], check=True)

    def run(*words, code=0, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MLFLOW_", "PYTEST"))}
        path = os.pathsep.join([str(beside), *more.pop("path", [])])
        env |= {"PYTHONPATH": path, "GIT_PYTHON_REFRESH": "quiet", **more}
        command = [python, *map(str, words)]
        done = subprocess.run(command, env=env, cwd=beside, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture
def here(monkeypatch):
    """The scripts of the stack as modules of this process."""
    monkeypatch.syspath_prepend(str(HERE))
    import agree
    import cells

    yield agree, cells
    for name in ("agree", "cells", "churn", "train"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("stack", STACKS, indirect=True)
def test_a_reference_captured_there_is_the_one_captured_here(stack, here, tmp_path):
    """Every frame, every recorded answer, their types and order, and what the manifest says; in both directions."""
    agree, _ = here
    stack(HERE / "train.py", tmp_path / "theirs")
    assert agree.differences(tmp_path / "theirs") == []
    agree.train.main(tmp_path / "ours")
    stack(HERE / "agree.py", tmp_path / "ours")


@pytest.mark.parametrize("stack", STACKS, indirect=True)
def test_a_column_of_every_kind_is_read_as_it_was_written(stack, here, tmp_path):
    """From the old stack to ours, and back; in Parquet, and as the worker sends it."""
    _, cells = here
    for folder in ("theirs", "ours"):
        (tmp_path / folder).mkdir()
    stack(HERE / "cells.py", "write", tmp_path / "theirs")
    assert cells.read(tmp_path / "theirs") == []
    cells.write(tmp_path / "ours")
    stack(HERE / "cells.py", "read", tmp_path / "ours")


@pytest.mark.parametrize("stack", ["oldest"], indirect=True)
def test_a_type_that_an_old_arrow_lacks_is_named(stack):
    """Parquet has numbers of 16 bits since pyarrow 15; those that numpy holds are stored otherwise."""
    told = stack("-c", HALVES)
    assert "cannot keep stage 'raw' as Parquet: Unhandled type" in told
    assert "halffloat. Give the column another type in the stage that makes it" in told


HALVES = """
import pathlib
import pandas as pd
import pyarrow as pa
from seatrial.errors import ReferenceInvalid
from seatrial.io.parquet import write_frame
try:
    halves = pd.Series([1.0], dtype="float16").astype(pd.ArrowDtype(pa.float16()))
    write_frame(pd.DataFrame({"id": [1], "x": halves}), pathlib.Path("x.parquet"), "stage 'raw'")
except ReferenceInvalid as error:
    print(error)
"""


@pytest.mark.server
@pytest.mark.parametrize("stack", ["old"], indirect=True)
def test_a_reference_is_stored_beside_its_model_by_mlflow_2(stack, here, tmp_path, monkeypatch):
    """An old client of the skinny package stores it at our server, and the judge reads it from there."""
    agree, _ = here
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1",
        "--backend-store-uri", f"sqlite:///{tmp_path / 'mlflow.db'}", "--artifacts-destination", str(tmp_path / "kept"),
    ]  # fmt: skip
    alone = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # no processes beside it
    with start(Service(command, ready="/health", ready_seconds=180, cwd=tmp_path, env=alone)) as running:
        stack(HERE / "train.py", tmp_path / "theirs", MLFLOW_TRACKING_URI=running.url)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", running.url)
        fetched = registry.fetch(registry.resolve("models:/churn/1"), tmp_path / "fetched")
        told = stack("-c", STORE_NOWHERE, path=[str(HERE)], MLFLOW_TRACKING_URI=running.url)
    assert agree.differences(fetched.reference.root) == []
    assert fetched.model.joinpath("MLmodel").is_file()
    assert "RegistryError: no-such-run could not be stored with run" in told


STORE_NOWHERE = """
import train
from seatrial.errors import RegistryError
try:
    train.captured(run_id="no-such-run")
except RegistryError as error:
    print(f"RegistryError: {error}")
"""


def test_the_guide_names_the_oldest_stack():
    """What it promises is what is tested."""
    guide = (ROOT / "docs" / "how-to" / "capture.md").read_text(encoding="utf-8")
    lowest = dict(re.findall(r"(\w+)>=([\d.]+)", " ".join(environments.OLDEST)))
    assert all(f"{name} {lowest[name]} or newer" in guide for name in ("numpy", "pandas", "pyarrow"))
    assert "Python 3.10 or newer" in guide


@pytest.mark.parametrize("stack", ["oldest"], indirect=True)
def test_without_mlflow_a_run_cannot_be_stored_with(stack):
    """And the error says what to install."""
    told = stack("-c", STORE_NOWHERE, path=[str(HERE)])
    assert told == (
        "RegistryError: MLflow is not installed in this environment. "
        "Run: pip install mlflow-skinny, or mlflow; any 2.x or 3.x.\n"
    )


@pytest.mark.parametrize("stack", STACKS, indirect=True)
def test_the_commands_say_what_they_lack(stack):
    """One sentence, and the code of an error."""
    told = stack("-m", "seatrial", "validate", "models:/churn/1", code=2)
    assert told.startswith("seatrial: The commands need ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("stack", ["oldest"], indirect=True)
def test_the_unit_tests_of_the_thin_core_pass_there(stack, tmp_path):
    """As far as they need nothing else."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = [
        "--rootdir",
        ROOT,
        "--noconftest",
        "--import-mode=importlib",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "few_examples",
    ]
    tests = [UNIT / name for name in UNIT_TESTS]
    stack(
        "-m",
        "pytest",
        "-c",
        tmp_path / "pytest.ini",
        *options,
        f"--ignore={JUDGE}",
        *tests,
        path=[str(ROOT), str(HERE)],
    )
