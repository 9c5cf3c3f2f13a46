"""A small shop whose stages run in any environment with scikit-learn: its project, its model, its requests."""

import json

import pandas as pd

from seatrial import Subject, capture
from seatrial.io.loading import load_file
from seatrial.orchestration.judge import judging
from seatrial.project import Project

PIPELINE = """
import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from seatrial import Dependency, Pipeline


class Rates:
    def of(self, currencies):
        return pd.DataFrame({"currency": list(currencies), "rate": [1.0 + len(str(c)) / 10 for c in currencies]})


def load(path):
    known = json.loads((Path(path) / "coefficients.json").read_text())
    model = LogisticRegression()
    model.classes_, model.coef_, model.intercept_ = np.array([0, 1]), np.array([known["coef"]]), np.array([known["at"]])
    return model


def raw(frame):
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True), kind=frame["kind"].astype("category"))


def features(frame, rates):
    known = rates.of(frame["currency"].unique())
    joined = frame.merge(known, on="currency", validate="many_to_one")
    return joined.assign(
        euros=joined["amount"] * joined["rate"],
        hour=joined["at"].dt.hour.astype("int64"),
        tags=[["late"] if h > 12 else [] for h in joined["at"].dt.hour],
    )


def prediction(frame, model):
    scores = model.predict_proba(frame[["euros", "hour"]].to_numpy(dtype="float64"))[:, 1]
    return frame[["id", "kind"]].assign(score=scores)


def response(frame):
    return frame.assign(label=np.where(frame["score"] > 0.5, "yes", "no"))


shop = Pipeline("shop", key="id", model=load, raw=raw, features=features, prediction=prediction, response=response,
                dependencies=[Dependency("rates", url="rates://here", connect=lambda _: Rates())])
"""
CHECKS = ("expectations", "golden", "invariants", "environment")  # that need no service
QUICK = ("expectations", "golden")
OWN = ["scikit-learn>=1.5,<1.6", "numpy>=2.0,<2.1", "pandas>=2.2,<2.3"]  # what the logged model asks for


def save_model(folder):
    """Save a model as MLflow does, with its requirements and what its stage reads."""
    import mlflow.sklearn
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit([[1.0, 2.0], [30.0, 20.0], [5.0, 1.0], [70.0, 9.0]], [0, 1, 0, 1])
    mlflow.sklearn.save_model(fitted, folder, pip_requirements=OWN)
    (folder / "coefficients.json").write_text(json.dumps({"coef": [0.05, -0.02], "at": -0.3}))
    return folder


def captured(folder, model):
    """Return the reference of the model, captured in this process."""
    file = folder / "pipeline.py"
    file.write_text(PIPELINE)
    return capture(load_file(file).shop, requests(), model=str(model))


def requests():
    """Return forty requests."""
    return pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(40)],
            "amount": [0.5 + 1.7 * n for n in range(40)],
            "currency": ["EUR", "US$", "pound"] * 13 + ["EUR"],
            "at": [f"2026-03-{n % 28 + 1:02d}T{n % 24:02d}:10:00+01:00" for n in range(40)],
            "kind": ["a", None, "c", "b"] * 10,
        }
    )


def project(root, text=PIPELINE, **settings):
    """Write a project with these settings."""
    (root / "expectations").mkdir(parents=True, exist_ok=True)
    (root / "pipeline.py").write_text(text)
    setting = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (root / "pyproject.toml").write_text(f'[tool.seatrial]\npipeline = "pipeline.py:shop"\n{setting}')
    return Project.find(root)


def verdict(project, model, reference, only=CHECKS):
    """Judge the model."""
    with judging(project) as judge:
        judge.load(model, reference, only=only)
        events = [event for case in judge.planned for event in judge.run(case)]
        return judge.verdict(events, judge.planned, subject=Subject("shop", "1"))
