"""Twelve pipelines of other shapes, with the libraries of such models: clean runs pass, bugs are found and placed.

All of them run in the interpreter of an environment with those libraries, with ours on its path. The suite asks each
one clean run, and two bugs; ``python tests/bench/clean_shapes.py`` asks twenty and all of them. The network for
images goes the whole way too: its worker has torch and none of our libraries, and the judge here has no torch.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pandas as pd
import pytest

from seatrial import Outcome
from seatrial.isolation.capture import capture_in
from seatrial.isolation.opening.project import open_replayer
from seatrial.project import Project
from tests.conformance.shapes.running import FEW, NAMES
from tests.support.shop import QUICK, verdict

ROOT = Path(__file__).parents[2]
SHAPES = ROOT / "tests" / "conformance" / "shapes"
TRAINED = """
import sys
from pathlib import Path
from tests.conformance.shapes import images
folder = Path(sys.argv[1])
images.fit(folder)
images.requests(0).head(60).to_parquet(folder / "requests.parquet")
print(*images.BUGS, sep="\\n")
"""


@pytest.fixture(scope="module")
def there(shapes_python):
    """Run something in the environment with those libraries, with ours on its path; return what it prints."""
    ours = [str(ROOT), str(ROOT / "src"), sysconfig.get_paths()["purelib"], *filter(_is_site, sys.path)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(ours)), "OMP_NUM_THREADS": "1"}

    def run(*words):
        command = [str(shapes_python), *map(str, words)]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4_000:]
        return done.stdout.splitlines()

    return run


@pytest.fixture(scope="module")
def results(there):
    """What came of each shape, by its name; of those alone that the tests ask for."""
    told = map(json.loads, there("-m", "tests.conformance.shapes.running", "1", FEW))
    return {each["name"]: each for each in told}


@pytest.mark.parametrize("name", NAMES)
def test_a_clean_run_passes_and_each_bug_is_found_where_it_is_born(results, name):
    """Every check that needs no service is asked of the clean run."""
    found = results[name]
    assert "broke" not in found, found["broke"]
    assert found["clean"] == ["pass"]
    assert len(found["bugs"]) == FEW
    wrong = {what: b for what, b in found["bugs"].items() if not b["found"] or b["stage"] != b["born"]}
    assert not wrong


def test_a_network_in_a_worker_with_torch_is_judged_here_without(tmp_path, there, shapes_python):
    """Captured there, judged here: the clean version passes, and one left in training mode fails at its stage."""
    bugs = there("-c", TRAINED, tmp_path)
    model, asked = tmp_path / "digits.pt", pd.read_parquet(tmp_path / "requests.parquet")
    clean = _project(tmp_path / "clean", shapes_python)
    with open_replayer(clean) as replayer:
        replayer.pipeline()
        reference = capture_in(replayer, asked, model=model)
    found = verdict(clean, model, reference, only=QUICK)
    assert found.outcome is Outcome.PASS, found.summary
    assert reference.manifest["environment"]["libraries"].keys() >= {"numpy", "pandas"}
    assert "torch" not in sys.modules
    bug = next(bug for bug in bugs if "training mode" in bug)
    failed = verdict(_project(tmp_path / "bug", shapes_python, bug), model, reference, only=QUICK)
    assert (failed.outcome, failed.first_failing_stage) == (Outcome.FAIL, "prediction")


def _is_site(path):
    return path.endswith("site-packages")


def _project(root, python, bug=""):
    """Write a project whose pipeline is that of the images, with one of its bugs."""
    (root / "expectations").mkdir(parents=True)
    text = (SHAPES / "images.py").read_text(encoding="utf-8")
    served = (
        f'Pipeline("digits", model=load, **SETTINGS, **{{**STAGES, **(BUGS[{bug!r}][1] if {bool(bug)} else {{}})}})'
    )
    (root / "pipeline.py").write_text(f"{text}\nserved = {served}\n", encoding="utf-8")
    settings = f'[tool.seatrial]\npipeline = "pipeline.py:served"\npython = {json.dumps(str(python))}\n'
    (root / "pyproject.toml").write_text(settings)
    allowed = {"prediction": ("probabilities", "rtol=1e-4, atol=1e-6"), "response": ("confidence", "atol=0.0011")}
    for stage, (column, numbers) in allowed.items():
        policy = f'from seatrial import Tolerance\n\ntolerances = {{"{column}": Tolerance({numbers})}}\n'
        (root / "expectations" / f"{stage}.py").write_text(policy)
    return Project.find(root)
