"""The shell of the action and of the component, run as their systems run it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

ACTION = ROOT / "deployments" / "ci" / "action" / "action.yml"
COMPONENT = ROOT / "deployments" / "ci" / "gitlab-component" / "templates" / "validate.yml"


@dataclass(frozen=True)
class Ended:
    """How a job ended, and what it gives to the steps after it."""

    code: int
    said: str
    outputs: Mapping[str, str] = field(default_factory=dict)


def component() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header with the inputs, and the job."""
    header, jobs = yaml.safe_load_all(COMPONENT.read_text(encoding="utf-8"))
    (job,) = jobs.values()
    return header["spec"]["inputs"], job


def run_action(inputs: Mapping[str, str], folder: Path, environment: Mapping[str, str]) -> Ended:
    """Run the step of the action with ``bash`` as a runner does, in a folder; inputs left out have their default."""
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    given = {name: str(each.get("default", "")) for name, each in action["inputs"].items()} | dict(inputs)
    (step,) = action["runs"]["steps"]
    assert step["shell"] == "bash"
    passed = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], value)
        for name, value in step["env"].items()
    }
    script, outputs = folder / "step.sh", folder / "outputs"
    script.write_text(step["run"], encoding="utf-8")
    outputs.touch()
    runner = {"RUNNER_TEMP": str(folder), "GITHUB_OUTPUT": str(outputs)}
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    done = _run(shell, folder, {**environment, **passed, **runner})
    written = dict(line.split("=", 1) for line in outputs.read_text(encoding="utf-8").splitlines())
    named = {
        name: written.get(each["value"].removeprefix("${{ steps.validate.outputs.").removesuffix(" }}"), "")
        for name, each in action["outputs"].items()
    }
    return Ended(done.returncode, done.stdout, named)


def run_component(
    inputs: Mapping[str, str], folder: Path, environment: Mapping[str, str], shell: tuple[str, ...] = ("sh", "-e")
) -> Ended:
    """Run the scripts of the component's job in one shell as a runner does, in a folder."""
    spec, job = component()
    given = {name: str(each.get("default", "")) for name, each in spec.items()} | dict(inputs)
    passed = {
        name: re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda match: given[match[1]], value)
        for name, value in job["variables"].items()
    }
    script = folder / "job.sh"
    script.write_text("\n".join([*job["before_script"], *job["script"]]), encoding="utf-8")
    done = _run([*shell, str(script)], folder, {**environment, **passed})
    written = folder / job["artifacts"]["reports"]["dotenv"]
    lines = written.read_text(encoding="utf-8").splitlines() if written.exists() else []
    return Ended(done.returncode, done.stdout, dict(line.split("=", 1) for line in lines))


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
