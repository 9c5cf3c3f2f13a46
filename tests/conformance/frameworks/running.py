"""The trial of one framework: a project around its service, captured and judged; the service runs elsewhere."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from seatrial import Outcome, Subject, Verdict
from seatrial.isolation.capture import capture_in
from seatrial.isolation.opening.project import open_replayer
from seatrial.orchestration.judge import judging
from seatrial.project import Project
from tests.conformance.frameworks import delivery

HERE = Path(__file__).parent
BUGS = {"wrong": "a wrong answer to some requests", "broken": "status 500 for some requests"}
SLO = "[slo]\npercentile = 0.9\nlimit_ms = 1000\nrate = 20\n\n[load]\nrequests = 300\nfind_max_rate = false\n"


@dataclass(frozen=True)
class Tried:
    """What came of one framework, and how long it took in seconds."""

    name: str
    verdict: Verdict
    seconds: float


def project(root, python, name, *, bug="", allow=None, settings=""):
    """Write the project of one framework.

    Args:
        root: the folder of the project.
        python: the interpreter that has the frameworks.
        name: of the framework.
        bug: see ``delivery.served``.
        allow: ``[contract.allow]``: descriptions or causes, each with its reason.
        settings: further lines of service.toml.
    """
    (root / "expectations").mkdir(parents=True)
    lines = ["import sys", f"sys.path.insert(0, {str(HERE)!r})", "import delivery"]
    (root / "pipeline.py").write_text("\n".join([*lines, f"served = delivery.served({name!r}, {bug!r})", ""]))
    told = {"pipeline": "pipeline.py:served", "python": str(python), "readable": [str(HERE)]}
    limits = "[tool.seatrial.limits]\nprocesses = 512\n"
    text = "".join(f"{setting} = {json.dumps(value)}\n" for setting, value in told.items())
    (root / "pyproject.toml").write_text(f"[tool.seatrial]\n{text}{limits}")
    allowed = "".join(f"{json.dumps(what)} = {json.dumps(why)}\n" for what, why in (allow or {}).items())
    (root / "expectations" / "service.toml").write_text(f"{settings}\n[contract.allow]\n{allowed}")
    return Project.find(root)


def trial(project, name, model, requests, only):
    """Capture with these requests, judge, and return what came of it."""
    with open_replayer(project) as replayer:
        replayer.pipeline()
        reference = capture_in(replayer, requests, model=model)
    begin = time.monotonic()
    with judging(project) as judge:
        judge.load(model, reference, only=only)
        events = [event for case in judge.planned for event in judge.run(case)]
        found = judge.verdict(events, judge.planned, subject=Subject("delivery", "1"))
    return Tried(name, found, time.monotonic() - begin)


def clean(root, python, name, model, only):
    """Return what came of a framework with its allowances."""
    made = project(root, python, name, allow=delivery.ALLOW[name], settings=SLO if "load" in only else "")
    return trial(made, name, model, delivery.requests(60), only)


def bug(root, python, name, model, planted):
    """Return ``found`` where golden finds a bug, at the service and by what it is; else what it says."""
    made = project(root, python, name, bug=planted, allow=delivery.ALLOW[name])
    verdict = trial(made, name, model, delivery.requests(60), ["golden"]).verdict
    here = [f for f in verdict.errors if f.stage == "service"]
    lost = [f for f in here if f.cause == "no-answer" or str(f.cause).startswith("status-")]  # 400 of MLflow's server
    found = lost if planted == "broken" else [f for f in here if f.column == "minutes"]
    return "found" if found else verdict.summary


def under_load(root, python, name, model, planted):
    """Return the causes of what load finds in a framework with something planted."""
    made = project(root, python, name, bug=planted, allow=delivery.ALLOW[name], settings=SLO)
    verdict = trial(made, name, model, delivery.requests(60), ["load"]).verdict
    return {f.cause for f in verdict.errors}


def outcome_of(verdict, check):
    """Return what one check says: pass, fail or inconclusive."""
    if any(f.check == check for f in verdict.errors):
        return Outcome.FAIL.value
    left = any(n.check == check for n in verdict.not_evaluated)
    done = any(e.check == check and e.stage == "service" and e.compared for e in verdict.evaluated)
    return (Outcome.PASS if done and not left else Outcome.INCONCLUSIVE).value
