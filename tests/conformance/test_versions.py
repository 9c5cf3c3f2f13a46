"""The ranges of ``pyproject.toml`` are those that the page states, and claim no more than the combinations try."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.paths import ROOT

sys.path.insert(0, str(Path(__file__).parent))
from versions import COMBINATIONS, THREE, requirements

JOBS = yaml.safe_load((ROOT / "deployments" / "ci" / "versions.yml").read_text())["jobs"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = {r.name: r.specifier for r in map(Requirement, PROJECT["dependencies"])}
LOCK = dict(line.split("==") for line in (ROOT / "deployments" / "constraints.txt").read_text().split() if "==" in line)
ROW = re.compile(r"^\| `([\w-]+)` \| `([^`]+)` \| ([\d., ]+) \| (.+) \| (.+) \|$", re.MULTILINE)
PAGE = {row[0]: row[1:] for row in ROW.findall((ROOT / "docs" / "reference" / "versions.md").read_text())}


def cap(package):
    """The first release that is not allowed; None where every one is."""
    return next((Version(s.version) for s in CORE[package] if s.operator == "<"), None)


def minor(release):
    return f"{Version(release).major}.{Version(release).minor}"


def test_the_page_states_what_an_installer_reads():
    """Each range, with a reason for its floor and its cap."""
    assert {*THREE} <= PAGE.keys()
    for package, (allowed, *_, below, above) in PAGE.items():
        assert Requirement(f"{package}{allowed}").specifier == CORE[package], package
        assert below.strip(), package
        assert above.strip(), package


@pytest.mark.parametrize("package", THREE)
def test_the_page_claims_what_is_in_the_matrix(package):
    """The floor, the locked release and the pins: no others, and nothing above the newest of them is allowed."""
    floor = next(s.version for s in CORE[package] if s.operator == ">=")
    pins = [pin.partition("==")[2].removesuffix(".*") for each in COMBINATIONS for pin in each.pins if package in pin]
    tried = {minor(release) for release in (floor, LOCK[package], *pins)}
    assert {*PAGE[package][1].split(", ")} == tried
    newest = max(tried, key=Version)
    assert str(cap(package)) == f"{Version(newest).major}.{Version(newest).minor + 1}"


def test_a_cap_before_the_next_major_has_its_reason_beside_it():
    """In ``pyproject.toml``, where people change it, or on the page."""
    text = (ROOT / "pyproject.toml").read_text()
    for package, specifier in CORE.items():
        floor = max((Version(s.version) for s in specifier if s.operator == ">="), default=Version("0"))
        limit = cap(package)
        majors = {(floor.major + 1,), (0, floor.minor + 1)} if not floor.major else {(floor.major + 1,)}
        if limit is not None and limit.release not in majors and package not in PAGE:
            (line,) = re.findall(rf'^  "{package}[\[<>=].*$', text, re.MULTILINE)
            assert "#" in line, line


def test_what_is_above_the_caps_is_tried_without_them():
    """The three lose their caps alone: those of the others have reasons that stay."""
    above = next(each for each in COMBINATIONS if each.name == "next")
    asked = {r.name: r.specifier for r in map(Requirement, requirements(above)) if r.name in CORE}
    for package, specifier in asked.items():
        if package in THREE:
            assert not [s for s in specifier if s.operator != ">="], package
            assert specifier, package
        else:
            assert specifier == CORE[package]


def test_the_job_asks_for_every_combination(tmp_path):
    """Its shell, run as a runner does, hands on their names; one that is misspelt, or none, ends it."""
    outputs = tmp_path / "outputs"
    (listed,) = [step["run"] for step in JOBS["list"]["steps"] if step.get("id") == "list"]
    assert shell(listed, GITHUB_OUTPUT=str(outputs)).returncode == 0
    name, _, value = outputs.read_text().partition("=")
    assert (name, json.loads(value)) == ("names", [each.name for each in COMBINATIONS])
    tried = JOBS["combination"]["steps"][-1]["run"]
    for given, said in (("prefect-39", "Did you mean 'prefect-3.9'?"), ("", "No combination ''")):
        done = shell(tried, COMBINATION=given)
        assert done.returncode == 2
        assert said in done.stderr


def shell(script, **environment):
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": python, **environment}, capture_output=True, text=True, check=False
    )
