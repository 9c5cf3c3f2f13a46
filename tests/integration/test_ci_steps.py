"""The action for GitHub and the component for GitLab: their schemas, and how their shell reads a command's ending.

The command is one that ends as it is told. The real one is run in ``tests/e2e/cli/test_ci_steps.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.support.ci_steps import ACTION, COMPONENT, Ended, component, run_action, run_component

TOLD = """#!{python}
import json, os, pathlib, sys
pathlib.Path("argv.json").write_text(json.dumps(sys.argv[1:]))
said = dict(option.split("=", 1) for option in sys.argv if option.startswith(("json=", "html=", "junit=")))
if outcome := os.environ["TOLD_OUTCOME"]:
    pathlib.Path(said["json"]).write_text(json.dumps({{"summary": '"outcome": "pass"', "outcome": outcome}}))
    for sink in ("html", "junit"):
        pathlib.Path(said[sink]).write_text(outcome)
sys.exit(int(os.environ["TOLD_CODE"]))
"""
ENDINGS = [  # outcome in the file, exit code; verdict and exit code that the job gives
    ("pass", 0, "pass", 0),
    ("fail", 1, "fail", 1),
    ("inconclusive", 2, "inconclusive", 2),
    ("error", 2, "error", 2),
    ("", 2, "error", 2),
    ("", 0, "error", 2),  # as `--help` would end
    ("pass", 2, "error", 2),  # committed, and not shown at the registry yet
    ("fail", 0, "error", 2),
    ("pass", 137, "error", 2),
]
Run = Callable[[Mapping[str, str], Path, Mapping[str, str]], Ended]


@pytest.fixture
def command(tmp_path: Path) -> Mapping[str, str]:
    """The environment in which ``seatrial`` ends as it is told."""
    told = tmp_path / "bin" / "seatrial"
    told.parent.mkdir()
    told.write_text(TOLD.format(python=sys.executable))
    told.chmod(0o755)
    return {"PATH": f"{told.parent}{os.pathsep}{os.environ['PATH']}"}


def ended(run: Run, folder: Path, command: Mapping[str, str], outcome: str, code: int, **inputs: str) -> Ended:
    install = {"install": ""} if run is not run_action else {}
    given = {"version": "models:/m@champion", **install, **inputs}
    return run(given, folder, {**command, "TOLD_OUTCOME": outcome, "TOLD_CODE": str(code)})


def with_bash(inputs: Mapping[str, str], folder: Path, environment: Mapping[str, str]) -> Ended:
    return run_component(inputs, folder, environment, ("bash", "-eo", "pipefail"))


@pytest.mark.parametrize("run", [run_action, run_component, with_bash])
@pytest.mark.parametrize(("outcome", "code", "verdict", "exit_code"), ENDINGS)
def test_a_job_passes_only_where_file_and_exit_code_say_so(
    run: Run, outcome: str, code: int, verdict: str, exit_code: int, tmp_path: Path, command: Mapping[str, str]
) -> None:
    """Never green without a file that says pass; the reports are named where they are."""
    job = ended(run, tmp_path, command, outcome, code)
    assert job.code == exit_code, job
    if run is run_action:
        assert (job.outputs["verdict"], job.outputs["exit-code"]) == (verdict, str(exit_code))
        assert Path(job.outputs["report"]).is_file() == bool(outcome)
        assert bool(job.outputs["junit"]) == bool(outcome)
    else:
        assert job.outputs == {"SEATRIAL_VERDICT": verdict, "SEATRIAL_EXIT_CODE": str(exit_code)}


@pytest.mark.parametrize("run", [run_action, run_component])
def test_inputs_are_words_and_nothing_else(run: Run, tmp_path: Path, command: Mapping[str, str]) -> None:
    """Nothing of them is run, expanded or taken for a pattern."""
    hostile = 'models:/m@champion"; touch pwned; $(touch pwned) `touch pwned`'
    job = ended(
        run, tmp_path, command, "pass", 0,
        version=hostile, target="https://staging.example/a b", args="--skip load\n  resilience * $(id)", project="a b",
    )  # fmt: skip
    assert job.code == 0, job
    argv = json.loads((tmp_path / "argv.json").read_text())
    assert argv[:2] == ["validate", hostile]
    assert argv[argv.index("--project") + 1] == "a b"
    assert argv[argv.index("--target") + 1] == "https://staging.example/a b"
    assert argv[-5:] == ["--skip", "load", "resilience", "*", "$(id)"]
    assert not (tmp_path / "pwned").exists()


def test_options_left_out_are_not_passed(tmp_path: Path, command: Mapping[str, str]) -> None:
    """No target, no more options."""
    ended(run_component, tmp_path, command, "pass", 0)
    argv = json.loads((tmp_path / "argv.json").read_text())
    assert "--target" not in argv
    assert len(argv) == 10, argv


def test_results_of_an_earlier_job_are_not_read(tmp_path: Path, command: Mapping[str, str]) -> None:
    """A folder that is used again holds the files of a pass: a command that writes none has no verdict."""
    ended(run_component, tmp_path, command, "pass", 0)
    job = ended(run_component, tmp_path, command, "", 0)
    assert (job.code, job.outputs["SEATRIAL_VERDICT"]) == (2, "error")


def test_a_runner_without_seatrial_is_told_what_to_add(tmp_path: Path) -> None:
    """One line that GitHub shows as an annotation, and exit code 2."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "mktemp", "python3", "env"):
        (folder / name).symlink_to(Path("/usr/bin") / name)
    job = run_action({"version": "models:/m/1"}, tmp_path, {"PATH": str(folder)})
    assert (job.code, job.outputs["verdict"]) == (2, "error")
    assert job.said.splitlines() == [
        "::error::seatrial is not installed. Add a step before this one: pip install seatrial"
    ]


def test_the_action_keeps_the_schema_of_actions(tmp_path: Path) -> None:
    """And one without the shell of its step does not."""
    wrong = tmp_path / "action.yml"
    wrong.write_text(ACTION.read_text(encoding="utf-8").replace("      shell: bash\n", ""))
    for file, code in ((ACTION, 0), (wrong, 1)):
        assert _checked(["--builtin-schema", "vendor.github-actions", str(file)]) == code


def test_the_component_keeps_the_schema_of_pipelines(tmp_path: Path) -> None:
    """Header and job in one, as the schema has them; and one with a misspelt key in either does not."""
    header, jobs = yaml.safe_load_all(COMPONENT.read_text(encoding="utf-8"))
    merged, wrong = tmp_path / "merged.yml", tmp_path / "wrong.yml"
    schema = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    merged.write_text(yaml.safe_dump({**header, **jobs}))
    assert _checked([*schema, str(merged)]) == 0
    for key in ("  inputs:", "  script:"):
        wrong.write_text(merged.read_text().replace(key, key.replace("i", "j")))
        assert _checked([*schema, str(wrong)]) == 1, key


def test_every_input_is_used_and_every_one_that_is_used_is_declared() -> None:
    """A misspelt one would be empty, and nobody would notice."""
    spec, _ = component()
    text = COMPONENT.read_text(encoding="utf-8")
    assert {name for name in spec if f"$[[ inputs.{name} ]]" in text} == set(spec)
    assert text.count("$[[ inputs.") == len(spec)
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    text = ACTION.read_text(encoding="utf-8")
    assert {name for name in action["inputs"] if f"${{{{ inputs.{name} }}}}" in text} == set(action["inputs"])
    assert text.count("${{ inputs.") == len(action["inputs"])


def _checked(words: list[str]) -> int:
    check = [Path(sysconfig.get_path("scripts")) / "check-jsonschema", *words]
    return subprocess.run(check, capture_output=True, text=True, check=False).returncode
