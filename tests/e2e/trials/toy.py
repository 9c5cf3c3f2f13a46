"""A project whose model is a Python file: whatever such a model does, it does to the worker that loads it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seatrial import Reference, Verdict, capture
from seatrial.events import Subject
from seatrial.io.loading import load_file
from seatrial.isolation import bubblewrap, launch
from seatrial.orchestration.judge import judging
from seatrial.project import Project

PIPELINE = """
import runpy
from pathlib import Path
from seatrial import Pipeline

def load(path):
    return runpy.run_path(str(Path(path) / "model.py"))["predict"]

def raw(frame):
    return frame.astype({"amount": "float64"})

def prediction(frame, model):
    return frame[["id"]].assign(score=model(frame["amount"]))

pipeline = Pipeline("toy", key="id", raw=raw, prediction=prediction, model=load)
"""
HONEST = "def predict(amount):\n    return amount * 2\n"
KINDS: tuple[launch.Isolation, ...] = ("bubblewrap", "namespaces", "limits")


def available(kind: launch.Isolation) -> bool:
    """Whether a worker can be kept apart so on this machine."""
    if kind == "bubblewrap":
        return bubblewrap.works()
    tried = subprocess.run([sys.executable, "-I", "-S", str(launch.NAMESPACES)], check=False)
    return kind == "limits" or tried.returncode == 0


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """What keeps the worker apart; it may write into ``tmp_path`` for the test."""
    if not available(request.param):
        pytest.skip(f"{request.param} cannot be used on this machine")
    monkeypatch.setattr(launch, "strongest", lambda: request.param)
    arguments = bubblewrap.arguments

    def with_folder_of_the_test(**folders: Any) -> list[str]:
        return arguments(**{**folders, "writable": [*folders["writable"], tmp_path]})

    monkeypatch.setattr(bubblewrap, "arguments", with_folder_of_the_test)
    return request.param


@dataclass(frozen=True)
class Toy:
    """A project whose model is a Python file, and the reference that its honest model gave."""

    root: Path
    reference: Reference

    def write(self, model: str, **limits: float) -> None:
        """Write the model's code and the project's limits."""
        (self.root / "model" / "model.py").write_text(textwrap.dedent(model))
        table = "\n".join(f"{name} = {value}" for name, value in limits.items())
        (self.root / "pyproject.toml").write_text(
            f'[tool.seatrial]\npipeline = "pipeline.py:pipeline"\nenvironment = ["SHOP_URL"]\n'
            f"[tool.seatrial.limits]\n{table}\n"
        )

    def validate(self, model: str, *, only: tuple[str, ...] = ("golden",), **limits: float) -> Verdict:
        """Validate a model with this code, while the worker holds secrets."""
        self.write(model, **limits)
        with judging(Project.find(self.root)) as trial:
            trial.load(self.root / "model", self.reference, only=only)
            events = [event for case in trial.planned for event in trial.run(case)]
            return trial.verdict(events, trial.planned, subject=Subject("toy", "1"))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    root = tmp_path_factory.mktemp("toy")
    (root / "model").mkdir()
    (root / "expectations").mkdir()
    (root / "pipeline.py").write_text(PIPELINE)
    (root / "model" / "model.py").write_text(HONEST)
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(20)], "amount": range(20)})
    return Toy(root, capture(load_file(root / "pipeline.py").pipeline, requests, model=str(root / "model")))
