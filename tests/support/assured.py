"""A small project in a Git repository, whose versions are validated by three checks, signed, and recorded for real."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from seatrial import capture, registry, run
from seatrial.events import Verdict
from seatrial.io.loading import load_file
from seatrial.project import Project
from seatrial.promotion.code import read_code
from seatrial.promotion.commit import commit_verdict
from seatrial.sinks.files import new_directory, write_results
from tests.support.trust import registered

CHECKS = ("golden", "invariants", "quality")
LIMITS = 'limits={"roc_auc": 0.8}, baseline="prior", groups={"kind": {"recall_difference": 0.9}}'
QUALITY = f"""from seatrial import Quality, Tolerance

tolerances = {{"score": Tolerance(rtol=1e-9)}}
quality = Quality(label="late", score="score", {LIMITS})
"""
PIPELINE = """
import json
from pathlib import Path

from seatrial import Pipeline


def read(frame):
    return frame.assign(x=frame["x"].astype("float64"))


def score(frame, model):
    return frame[["id"]].assign(score=1 / (1 + 2.718281828 ** (-model * frame["x"])))


def load(path):
    return json.loads((Path(path) / "weight.json").read_text())


pipeline = Pipeline("assured", key="id", raw=read, score=score, model=load)
"""
FILES = {
    "pyproject.toml": '[tool.seatrial]\npipeline = "serving/pipeline.py:pipeline"\nmodels = ["assured*"]\n',
    "expectations/service.toml": '[promotion]\nalias = "champion"\n',
    "expectations/score.py": QUALITY,
    "serving/pipeline.py": PIPELINE,
    ".gitignore": ".seatrial/\nreference/\nmlflow.db\nweight.json\n__pycache__/\n",
}
ROWS = 600
LONG_AGO = "2026-01-05T08:00:00+00:00"


class Assured:
    """The project, and what people do with it."""

    passed = ""  # a version that passed

    def __init__(self, root: Path) -> None:
        for name, text in FILES.items():
            self._write(root / name, text)
        self.root, self.project = root, Project.find(root)
        self.project.activate()
        rng = np.random.default_rng(0)
        x = rng.normal(size=ROWS)
        rows = pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "x": x, "kind": rng.choice(list("ab"), ROWS)})
        late = pd.DataFrame({"id": rows["id"], "late": (x + rng.normal(size=ROWS) / 2 > 0).astype(int)})
        capture(self.project.pipeline(), rows, model=2.0, labels=late).save(root / "reference")

    def git(self, *words: str, at: str = LONG_AGO, author: str = "Ada Lovelace") -> bytes:
        """Run Git in the project, as a person at a time; return what it prints."""
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", author), ("EMAIL", "ada@example.org"), ("DATE", at))}  # fmt: skip
        alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-C", str(self.root), *words], check=True, capture_output=True, env={**os.environ, **who, **alone}
        )
        return done.stdout

    def commit(self, *, at: str = LONG_AGO, author: str = "Ada Lovelace") -> None:
        """Commit everything, in a repository that is made where there is none."""
        if not (self.root / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change", at=at, author=author)

    def sign(self) -> None:
        """Give the newest commit a signature that is none."""
        head, body = self.git("cat-file", "commit", "HEAD").split(b"\n\n", 1)
        (self.root / ".git" / "signed").write_bytes(
            head + b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n" + body
        )
        made = self.git("hash-object", "-t", "commit", "-w", str(self.root / ".git" / "signed"))
        self.git("reset", "-q", "--hard", made.decode().strip())

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        self._write(self.root / name, text)

    def register(self, name: str) -> str:
        """Register a version as a training job would; return its URI."""
        return registered(self.root, name)

    def validate(self, uri: str, checks: Sequence[str] = CHECKS) -> Verdict:
        """Validate a version, sign and commit the verdict."""
        project = self.project = Project.find(self.root)
        code = read_code(project)
        with tempfile.TemporaryDirectory(prefix="trial-", dir=project.state) as folder:
            fetched = registry.fetch(registry.resolve(uri), Path(folder) / "version")
            pipeline = load_file(project.pipeline_file).pipeline
            pipeline.source = (project.pipeline_file, project.pipeline_name)
            verdict = run(
                pipeline, fetched.reference, checks, model=str(fetched.model), policy=project.policy(pipeline),
                subject=replace(fetched.subject, code_digest=code.digest),
            )  # fmt: skip
            directory = new_directory(project.state, verdict.subject)
            write_results(verdict, [], directory)
            commit_verdict(project, verdict, fetched, directory, code=code)
        return verdict

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
