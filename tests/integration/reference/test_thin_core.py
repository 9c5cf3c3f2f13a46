"""Capture and the worker need the standard library, numpy, pandas and pyarrow, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support import thin_core

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENOUGH = {"numpy", "pandas", "pyarrow"}
WHEN_ASKED = {  # module to what its functions import beside that, where it is asked for what needs it
    "seatrial.cli": {"seatrial.cli.app"},
    "seatrial.parity.drift": {"scipy"},  # the distributions of a comparison
    "seatrial.parity.noise": {"scipy"},  # its bounds, which a judge computes
    "seatrial.parity.noisy": {"scipy"},
    "seatrial.pipeline.access": {"certifi"},  # where the judge reaches a service over TLS
    "seatrial.pipeline.pictures": {"PIL"},  # where a stage gets an image
    "seatrial.pipeline.returned": {"polars"},  # where a stage gets what polars' own frame was kept of
    "seatrial.project": {  # what a command reads
        "seatrial.policy.policy",
        "seatrial.policy.settings",
        "seatrial.policy.tool",
        "seatrial.process.prefect_profile",
    },
    "seatrial.registry.lookup": {"seatrial.registry.runs"},  # what a trial needs
    "seatrial.registry.mlflow.artifacts": {"mlflow"},
    "seatrial.registry.mlflow.client": {"mlflow", "requests", "sqlalchemy"},
    "seatrial.registry.mlflow.early": {"seatrial.registry.mlflow.rest"},  # before a command starts
    "seatrial.registry.mlflow.hosted": {"azureml", "mlflow"},  # where the server is one of these
    "seatrial.registry.mlflow.pages": {"seatrial.sinks.markdown"},  # of a verdict
    "seatrial.registry.mlflow.tracking": {"mlflow"},
}
CORE = thin_core.core()


def foreign(names: frozenset[str]) -> set[str]:
    """Return the modules of seatrial outside the thin core, and the packages, that names are from."""
    strange = {name.partition(".")[0] for name in names} - {"seatrial", *ENOUGH, *sys.stdlib_module_names}
    return strange | {name for name in names if thin_core.path_of(name) and name not in CORE}


def test_the_thin_core_is_what_it_should_be() -> None:
    """The walk finds what capture and the worker stand on, and no check, policy or server."""
    assert {"seatrial.io.arrow", "seatrial.parity.compare", "seatrial.reference.capture", "seatrial.worker.main"} <= {
        *CORE
    }
    assert not [name for name in CORE if name.split(".")[1:2] in (["checks"], ["policy"], ["orchestration"])]


@pytest.mark.parametrize("module", CORE)
def test_a_module_of_the_thin_core_imports_nothing_else(module: str) -> None:
    """Neither when it is imported nor in its functions, what is named above excepted."""
    imports = thin_core.imports(module)
    assert foreign(imports.first) == set()
    assert foreign(imports.later) == WHEN_ASKED.get(module, set())
    named = imports.first | imports.later
    public = [name for name in named if re.fullmatch(r"seatrial\.([A-Z]\w*|capture|run)", name)]
    assert not public, "a public name would be found through the whole package: import it from its own module"


def blocked() -> set[str]:
    """Return the modules of all that seatrial depends on or can use, but for the three."""
    extras = PROJECT["optional-dependencies"].values()
    stated = [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]
    wanted = {re.split(r"[^\w.-]", text, maxsplit=1)[0].lower().replace("_", "-") for text in stated}
    by_module = packages_distributions().items()
    modules = {m for m, found in by_module if wanted & {name.lower().replace("_", "-") for name in found}}
    return modules - ENOUGH - {"seatrial"}


USED = """
import importlib.abc, os, sys
from pathlib import Path

BLOCKED = set(sys.argv[1].split(","))


class Refusing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise AssertionError(f"{name} was imported")


sys.meta_path.insert(0, Refusing())
for module in sys.argv[2].split(","):
    __import__(module)

import numpy as np
import pandas as pd

from seatrial import Dependency, Pipeline, Reference, SeatrialError, Service, Stage, Step, Tolerance, capture
from seatrial.worker import frames

class Store:
    def names(self, ids):
        return {i: [i.upper(), "x"] for i in ids}

def raw(frame):
    return frame.assign(at=pd.to_datetime(frame["n"], unit="s", utc=True), kind=pd.Categorical(["a", "b"] * 5))

def joined(frame, store):
    return frame.assign(name=frame["id"].map(store.names(frame["id"])), extra=[{"n": n} for n in range(10)])

def drawn(frame, model):
    return frame[["id"]].assign(score=frame["n"] + model * np.random.default_rng().normal(size=10))

requests = pd.DataFrame({"id": [f"r{n}" for n in range(10)], "n": range(10)})
pipeline = Pipeline(
    "shop", key="id", raw=raw, joined=joined, drawn=drawn, model=lambda path: None,
    dependencies=[Dependency("store", url="store://", connect=lambda url: Store())],
)
reference = capture(pipeline, requests, model=0.0, labels=requests)
assert Reference.load(reference.save("kept")).digest == reference.digest
assert not reference.noise and capture(pipeline, requests, model=1e-9, noise="record").noise["drawn"]["score"] > 0
try:
    capture(pipeline, requests, model=1.0)
except SeatrialError as error:
    assert "not repeatable" in str(error)
else:
    raise AssertionError("noise was captured")
for stage in reference.stages:
    frames.write([reference.frame(stage)], Path(f"{stage}.arrow"))
    [sent] = frames.read(Path(f"{stage}.arrow"), 1)
    pd.testing.assert_frame_equal(sent, reference.frame(stage))
print("used")
"""


def test_capture_and_the_worker_run_where_everything_else_is_refused(tmp_path: Path) -> None:
    """An import of any other dependency of seatrial raises, in a process that captures, loads and sends frames."""
    assert {"cyclopts", "great_expectations", "jinja2", "jsonschema", "mlflow", "prefect", "pydantic"} <= blocked()
    assert {"rich", "scipy", "sqlalchemy"} <= blocked()
    modules = [name for name in CORE if name.startswith(("seatrial.worker", "seatrial.registry"))]
    command = [sys.executable, "-c", USED, ",".join(blocked()), ",".join(modules)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "used\n", done.stderr[-3000:]
