"""What the stages of a pipeline reach, however they reach it, and what is named because it cannot be mutated."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from seatrial.io.loading import load_file
from seatrial.mutation.code_changes import code_changes
from seatrial.worker.reachability import Reached, reached

PIPELINE = """
{imports}
from seatrial import Pipeline

{code}

pipeline = Pipeline("shop", key="id", raw=lambda frame: frame, features={stage}, model={model})
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder whose modules are forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def look(root: Path, files: Mapping[str, str], stage: str, imports: str = "", code: str = "") -> Reached:
    """Write a project whose second stage is ``stage``, and return what is reached."""
    model = "str" if "model" in code else None
    pipeline = PIPELINE.format(imports=imports, code=code, stage=stage, model=model)
    for name, text in {**files, "serving/pipeline.py": pipeline}.items():
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_text(text)
    return reached(load_file(root / "serving" / "pipeline.py").pipeline, root)


def names(found: Reached) -> set[str]:
    return {f"{d.file.stem}.{d.name}" for d in found.definitions if "features" in d.stages}


LARGE = "LIMIT = 40\nUNUSED = 1\n\n\ndef large(frame):\n    return frame.assign(x=frame['x'] > LIMIT)\n"
FEATS = {"common/feats.py": LARGE}
BOTH = {"feats.large", "feats.LIMIT"}
USED = {*BOTH, "pipeline.use"}
CASES: dict[str, tuple[Mapping[str, str], str, str, str, set[str]]] = {
    "a module beside the folder": (FEATS, "feats.large", "from common import feats", "", BOTH),
    "a function of it": (FEATS, "large", "from common.feats import large", "", BOTH),
    "another name": (FEATS, "big", "from common.feats import large as big", "", BOTH),
    "a dotted module": (
        FEATS, "use", "import common.feats",
        "def use(frame):\n    return common.feats.large(frame)", USED,
    ),
    "a star": (
        FEATS, "use", "from common.feats import *", "def use(frame):\n    return large(frame)", USED,
    ),
    "a re-export": (
        FEATS | {"common/__init__.py": "from .feats import large\n"}, "use", "from common import large",
        "def use(frame):\n    return large(frame)", USED,
    ),
    "a re-export by a star": (
        FEATS | {"common/__init__.py": "from .feats import *\n"}, "use", "import common",
        "def use(frame):\n    return common.large(frame)", USED,
    ),
    "a function with the name of its module": (
        {"common/__init__.py": "from .large import large\n", "common/large.py": "def large(f):\n    return f\n"},
        "use", "from common import large", "def use(frame):\n    return large(frame)", {"large.large", "pipeline.use"},
    ),
    "an import in the function": (
        FEATS, "use", "",
        "def use(frame):\n    from common import feats\n    return feats.large(frame)", USED,
    ),
    "an argument": (
        FEATS, "use", "from common.feats import large",
        "def use(frame):\n    return frame.pipe(large)", USED,
    ),
    "a partial": (
        FEATS, "partial(scale, by=large)", "from functools import partial\nfrom common.feats import large",
        "def scale(frame, by):\n    return by(frame)", {*BOTH, "pipeline.scale"},
    ),
    "a partial with a name": (
        FEATS, "use", "from functools import partial\nfrom common.feats import large", "use = partial(large)", BOTH,
    ),
    "a method of a class": (
        FEATS, "Scaler(2).apply", "from common.feats import large",
        "class Base:\n    def apply(self, frame):\n        return large(frame)\nclass Scaler(Base):\n"
        "    def __init__(self, n):\n        self.n = n", {*BOTH, "pipeline.Base", "pipeline.Scaler"},
    ),
    "a callable object": (
        FEATS, "Scaler(large)", "from common.feats import large",
        "class Scaler:\n    def __init__(self, f):\n        self.f = f\n    def __call__(self, frame):\n"
        "        return self.f(frame)", {*BOTH, "pipeline.Scaler"},
    ),
    "a decorator that hides what it wraps": (
        FEATS, "use", "from common.feats import large",
        "def logged(f):\n    def inner(frame):\n        return f(frame)\n    return inner\n"
        "@logged\ndef use(frame):\n    return large(frame)", {*BOTH, "pipeline.logged", "pipeline.use"},
    ),
    "a table of functions that a decorator fills": (
        FEATS, "use", "from common.feats import large",
        "TABLE = {}\ndef register(f):\n    TABLE[f.__name__] = f\n    return f\n"
        "@register\ndef first(frame):\n    return large(frame)\n"
        "def use(frame):\n    return TABLE['first'](frame)", {*USED, "pipeline.TABLE", "pipeline.first"},
    ),
    "a table that another module fills": (
        {
            "common/tables.py": "TABLE = {}\ndef register(name, f):\n    TABLE[name] = f\n",
            "common/steps.py": "from .tables import register\ndef step(f):\n    return f\nregister('a', step)\n",
        },
        "use", "from common import tables, steps", "def use(frame):\n    return tables.TABLE['a'](frame)",
        {"tables.TABLE", "steps.step", "steps.<line 4>", "pipeline.use"},
    ),
    "a definition under a condition": (
        {"common/feats.py": "import sys\nif sys.version_info > (3, 0):\n    def large(frame):\n        return frame\n"},
        "large", "from common.feats import large", "", {"feats.large"},
    ),
    "a lambda": (FEATS, "lambda f: large(f)", "from common.feats import large", "", {*BOTH, "pipeline.<lambda>"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_code_is_reached_however_it_is_mentioned(case, project):
    """By its module, a star, an argument, a partial, a method, an object, a decorator, a table, in a lambda."""
    files, stage, imports, code, expected = CASES[case]
    found = look(project, files, stage, imports, code)
    assert names(found) - {"pipeline.<lambda>"} >= expected - {"pipeline.<lambda>"}
    assert "feats.UNUSED" not in names(found)
    assert not found.unmutated
    assert any(c.stages == ("features",) or "features" in c.stages for c in code_changes(found.definitions))


def test_of_a_lambda_its_own_part_of_the_line_is_mutated(project):
    """The wiring beside it is not: a pipeline of another name or key would be no mutant of a stage."""
    found = look(project, {}, "lambda frame: frame.assign(é='é', x=frame['x'] > 1000)")
    diffs = [c.diff for c in code_changes([d for d in found.definitions if "features" in d.stages])]
    assert any("> 1001" in d for d in diffs)
    assert any("'XXxXX'" in d or '"XXxXX"' in d for d in diffs)
    assert not [d for d in diffs if "XXshop" in d or "XXid" in d]


def test_constants_and_arguments_of_decorators_are_mutated(project):
    """Thresholds, tables, and the limit that a decorator is given."""
    code = (
        "RATES = {'a': 1.5}\ndef clip(limit):\n    def inner(f):\n        return lambda x: f(x.clip(upper=limit))\n"
        "    return inner\n@clip(1000)\ndef use(frame):\n    return frame.assign(y=frame['k'].map(RATES))"
    )
    diffs = [c.diff for c in code_changes(look(project, {}, "use", "", code).definitions)]
    assert any("+@clip(1001)" in d for d in diffs)
    assert any("2.5" in d and "RATES" in d for d in diffs)


UNMUTATED = {
    "an installed package": ("pd.DataFrame.copy", "import pandas as pd", "", "pandas: an installed package"),
    "what it calls": (
        "use", "import numpy as np", "def use(frame):\n    return np.log1p(frame)", "numpy: an installed package",
    ),
    "compiled code": (
        "use", "import _demo", "def use(frame):\n    return _demo.scale(frame)", "_demo.scale: compiled code",
    ),
    "a name chosen at run time": (
        "use", "from common import feats", "def use(frame):\n    return getattr(feats, frame.columns[0])(frame)",
        "what getattr(feats, frame.columns[0]) calls (pipeline.py:6): it is chosen by a text at run time",
    ),
    "a model": (
        "use", "", "def use(frame, model):\n    return frame.assign(y=model.predict(frame))",
        "the methods of 'model': it is an object that the stage is given",
    ),
    "a file elsewhere": (
        "elsewhere.scale", "import elsewhere", "", "elsewhere.scale: outside the project's folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNMUTATED)
def test_what_is_reached_and_not_mutated_is_named(case, project, tmp_path_factory):
    """With the reason; it would count as tested otherwise."""
    stage, imports, code, expected = UNMUTATED[case]
    other = tmp_path_factory.mktemp("other")
    (other / "elsewhere.py").write_text("def scale(frame):\n    return frame * 2\n")
    sys.path.insert(0, str(other))
    (other / f"_demo{EXTENSION_SUFFIXES[0]}").touch()
    if "_demo" in imports:  # it is found where it is imported, and not loaded: it is none
        imports, code = "", code.replace("return", "import _demo\n    return")
    found = look(project, FEATS, stage, imports, code)
    assert expected in {f"{u.what}: {u.reason}" for u in found.unmutated}
    assert all(u.stages == ("features",) for u in found.unmutated)
