"""Run the twelve: ``python -m tests.conformance.shapes.running RUNS BUGS [NAME...]``, a line of JSON for each of them.

It runs where torch, LightGBM, XGBoost and ONNX Runtime are (``environments.SHAPES``), with seatrial on the path.
"""

import importlib
import json
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path

from seatrial import Outcome, Pipeline, Policy, Stage, StagePolicy, capture, run

NAMES = (
    "categories", "detection", "embeddings", "generator", "images", "missing", "multioutput", "onnx_export", "ranking",
    "recommender", "text", "timeseries",
)  # fmt: skip
FEW = 2  # bugs of each that the test suite plants


def changed(shape, **parts):
    """Return the pipeline of a shape with other stages, or another way to load its model."""
    model = parts.pop("model", shape.pipeline.model)
    stages = {**shape.STAGES, **{n: _as_before(shape.STAGES[n], other) for n, other in parts.items()}}
    return Pipeline(shape.pipeline.name, model=model, **shape.SETTINGS, **stages)


def _as_before(stage, other):
    """Return a stage with another function and all that was said of it; a Stage is taken as it is."""
    keeps = isinstance(stage, Stage) and not isinstance(other, Stage)
    return replace(stage, function=other, needs=()) if keeps else other


def captured(shape, path, seed):
    """Return the reference of a seed: with what training itself computed and with labels, where there are some."""
    asked = shape.requests(seed)
    more = {}
    if hasattr(shape, "given"):
        more["given"] = shape.given(asked, shape.pipeline.model(str(path)))
    if hasattr(shape, "labels"):
        more["labels"] = shape.labels(asked)
    return capture(shape.pipeline, asked, model=str(path), seed=seed, **more)


def results(name, runs, bugs):
    """Return what came of clean runs, each on data of its own seed and asked every check, and of the first bugs.

    Bugs are asked every check too, unless they are few: then the first is asked the stage replay and the end-to-end
    replay, and the others the latter, which takes least, unless a stage is stochastic and has no end-to-end replay.
    """
    shape = importlib.import_module(f"tests.conformance.shapes.{name}")
    policy = Policy({stage: StagePolicy(**settings) for stage, settings in shape.POLICY.items()})
    stochastic = any(isinstance(stage, Stage) and stage.samples for stage in shape.STAGES.values())
    begin, clean, found = time.process_time(), [], {}
    with tempfile.TemporaryDirectory() as folder:
        path = shape.fit(Path(folder))
        for seed in range(runs):
            reference = captured(shape, path, seed)
            verdict = run(shape.pipeline, reference, model=str(path), policy=policy, seed=seed)
            clean.append("pass" if verdict.outcome is Outcome.PASS else f"seed {seed}: {verdict.summary}")
        for n, (what, (stage, parts)) in enumerate(list(shape.BUGS.items())[:bugs]):
            checks = None if bugs > FEW else ["golden"] if n and not stochastic else ["expectations", "golden"]
            version = changed(shape, **parts)
            verdict = run(version, reference, checks, model=str(path), policy=policy)
            found[what] = {
                "found": verdict.outcome is Outcome.FAIL, "stage": verdict.first_failing_stage, "born": stage,
                "summary": verdict.summary,
            }  # fmt: skip
    return {"name": name, "clean": clean, "bugs": found, "seconds": round(time.process_time() - begin, 1)}


def main(runs, bugs, *names):
    """Print the results of each shape as soon as they are there."""
    for name in names or NAMES:
        try:
            told = results(name, int(runs), int(bugs))
        except Exception:  # noqa: BLE001  the others are run all the same
            told = {"name": name, "clean": [], "bugs": {}, "broke": traceback.format_exc()[-3000:]}
        print(json.dumps(told, ensure_ascii=False), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
