"""Play the examples as their READMEs do, in one process with one store and one Prefect server: ``played.py DIR NAME…``.

Each is copied, trained, validated, broken by its patch and validated again. ``DIR/NAME.json`` holds both verdicts, or
what went wrong. A training runs in a fork, which does not import the libraries again; the stages are replayed in one
fresh process, not in three.
"""

import importlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[3] / "examples"
PYTHON = ".venv/bin/python"


def main(folder, names):
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = str(folder / "artifacts")
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    sys.path.append(str(EXAMPLES.parent))
    import pytest

    from seatrial.project import Project
    from tests.support.hash_seeds import replay_in_one

    sys.path.remove(str(EXAMPLES.parent))

    for name in names:
        shutil.copytree(
            EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".seatrial", ".venv")
        )
    if "image" in names:
        (folder / "image" / ".venv").symlink_to(os.environ["IMAGE_ENVIRONMENT"])
    replay_in_one(pytest.MonkeyPatch())
    first = Project.find(folder / names[0])
    first.activate()
    trained = {name: _train(folder / name) for name in names}
    from seatrial.orchestration.runner import prefect_server

    with prefect_server(first) as wait:
        wait()
        for name in names:
            begin = time.process_time(), time.monotonic()
            try:
                told = trained[name] or _validated(folder / name)
            except Exception as error:  # noqa: BLE001  the other examples are played too
                told = {"broke": f"{type(error).__name__}: {error}"}
            took = {"own": time.process_time() - begin[0], "wall": time.monotonic() - begin[1]}
            (folder / f"{name}.json").write_text(json.dumps({**told, "seconds": took}))


def _train(root):
    """Run ``python train.py``; return what went wrong."""
    if (root / PYTHON).exists():
        done = subprocess.run([root / PYTHON, "train.py"], cwd=root, capture_output=True, text=True, check=False)
        return {"broke": done.stderr[-2_000:]} if done.returncode else None
    for module in ("mlflow.sklearn", "sklearn.linear_model", "skops.io"):
        importlib.import_module(module)
    if child := os.fork():
        return {"broke": "train.py ended with an error"} if os.waitpid(child, 0)[1] else None
    status = 1
    try:
        os.chdir(root)
        sys.path.insert(0, str(root))
        runpy.run_path("train.py", run_name="__main__")
        status = 0
    finally:
        os._exit(status)


def _validated(root):
    from seatrial.cli.commands import validate

    told = {}
    for kind in ("clean", "broken"):
        if kind == "broken":
            subprocess.run(["git", "apply", "bug.patch"], cwd=root, check=True)
        file = root.with_suffix(f".{kind}.json")
        validate(root, f"models:/{root.name}/1", sinks=[f"json={file}"], quiet=True)
        told[kind] = json.loads(file.read_text())
    return told


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
