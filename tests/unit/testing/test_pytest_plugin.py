"""The pytest plugin: what a user writes, what is collected, and what a failure says."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from seatrial.testing import pytest_plugin

CASES = "def test_path(seatrial_case):\n    seatrial_case.validate()\n"
WHOLE = "def test_path(seatrial):\n    seatrial.validate()\n"
QUICK = "--seatrial-checks=expectations,golden"  # none of them starts a process


def run(pytester: pytest.Pytester, test: str, *words: str) -> pytest.RunResult:
    pytester.makepyfile(test)
    return pytester.runpytest_inprocess("-p", "seatrial.testing.pytest_plugin", "-p", "no:cacheprovider", *words)


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run within would import what the other installed plugins import, and print more where it is told of CI."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for told in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(told, raising=False)


def test_pytest_finds_the_plugin_by_itself() -> None:
    """By its entry point."""
    [found] = entry_points(group="pytest11", name="seatrial")
    assert found.load() is pytest_plugin


@pytest.mark.usefixtures("project")
def test_a_project_whose_stages_match_passes(pytester: pytest.Pytester) -> None:
    """The fixture reads pipeline, policy and reference by itself."""
    run(pytester, WHOLE, QUICK).assert_outcomes(passed=1)


@pytest.mark.usefixtures("project")
def test_each_case_is_a_test(pytester: pytest.Pytester) -> None:
    """The list of tests reads as what was checked."""
    listed = run(pytester, CASES, QUICK, "--collect-only", "-q").stdout.str()
    names = [f"{stage}-{check}" for check in ("expectations", "golden") for stage in ("features", "response")]
    assert [line for line in listed.splitlines() if "::" in line] == [f"{_file(listed)}::test_path[{n}]" for n in names]
    run(pytester, CASES, QUICK).assert_outcomes(passed=4)


def _file(listed: str) -> str:
    return listed.partition("::")[0].splitlines()[-1]


@pytest.mark.usefixtures("skewed")
def test_a_failure_is_the_finding(pytester: pytest.Pytester) -> None:
    """Stage, column, cause and advice as a terminal shows them, and no frame of ours."""
    ran = run(pytester, WHOLE, QUICK)
    ran.assert_outcomes(failed=1)
    text = ran.stdout.str()
    assert "fail at stage 'features', column 'minutes'" in text
    assert "features ✗ failed (origin) → response ~ downstream" in text
    assert "[unit-factor]" in text
    assert "→ Compare how training and 'features' compute 'minutes'" in " ".join(text.split())
    assert "Traceback" not in text
    assert "validating.py" not in text
    [summary] = [line for line in text.splitlines() if line.startswith("FAILED ")]
    assert "Failed: fail at stage " in summary


@pytest.mark.usefixtures("skewed")
def test_what_is_downstream_fails_in_one_line(pytester: pytest.Pytester) -> None:
    """It is red, or a run of it alone would be green; it names the origin."""
    ran = run(pytester, CASES, QUICK)
    ran.assert_outcomes(failed=3, passed=1)
    alone = run(pytester, CASES, QUICK, "-k", "response-golden")
    alone.assert_outcomes(failed=1, deselected=3)
    assert "The difference originates at 'features'. Start there." in alone.stdout.str()


@pytest.mark.usefixtures("skewed")
def test_a_marker_narrows_what_is_validated(pytester: pytest.Pytester) -> None:
    """By checks and stages; the marker goes before the options."""
    test = f"import pytest\n\n@pytest.mark.seatrial(checks=['expectations'], stages=['response'])\n{WHOLE}"
    run(pytester, test, "--seatrial-checks=golden", "--strict-markers").assert_outcomes(passed=1)
    both = f"import pytest\n\n@pytest.mark.seatrial(checks=['expectations'])\n{CASES}"
    run(pytester, both, "-k", "features").assert_outcomes(failed=1, deselected=1)


@pytest.mark.usefixtures("skewed")
def test_a_verdict_can_be_looked_at(pytester: pytest.Pytester) -> None:
    """``run`` returns it, whatever it is, for assertions of one's own."""
    test = (
        "def test_a_skew_is_found(seatrial):\n"
        "    verdict = seatrial.run(checks=['expectations'])\n"
        "    assert verdict.first_failing_stage == 'features'\n"
        "    assert seatrial.pipeline.stages == ('features', 'response') == seatrial.reference.stages\n"
        "    assert seatrial.model is None and not seatrial.policy.stages\n"
    )
    run(pytester, test).assert_outcomes(passed=1)


@pytest.mark.usefixtures("project")
def test_a_setting_of_pytest_stands_for_an_option(pytester: pytest.Pytester) -> None:
    """In pyproject.toml, where pytest has its settings."""
    file = pytester.path / "pyproject.toml"
    file.write_text(f'{file.read_text()}\n[tool.pytest.ini_options]\nseatrial_checks = "expectations"\n')
    run(pytester, CASES).assert_outcomes(passed=2)
    run(pytester, CASES, "--seatrial-checks=golden", "-k", "golden").assert_outcomes(passed=2)


@pytest.mark.usefixtures("project")
def test_a_test_that_validates_nothing_is_not_green(pytester: pytest.Pytester) -> None:
    """Nor is one whose checks have no case, as quality has none without labels."""
    ran = run(pytester, "def test_path(seatrial_case):\n    pass\n", QUICK)
    ran.assert_outcomes(passed=4, errors=4)
    assert "validated nothing. Call seatrial_case.validate()" in ran.stdout.str()
    none = run(pytester, WHOLE, "--seatrial-checks=quality")
    none.assert_outcomes(failed=1)
    assert "inconclusive: No check was selected, or none applies" in none.stdout.str()
    run(pytester, CASES, "--seatrial-checks=quality").assert_outcomes(errors=1)


WRONG = [
    (["--seatrial-checks=goldn"], "", "Did you mean 'golden'?"),
    (["--seatrial-reference=refrence"], "", "There is no reference at"),
    (["--seatrial-model=modl"], "", "There is no model at"),
    (["--seatrial-seed=x"], "", "--seatrial-seed must be a whole number, 0 or more; found 'x'."),
    (["--seatrial-project=nowhere"], "", "There is no seatrial project at"),
    ([], "@pytest.mark.seatrial(stages=['feature'])\n", "Did you mean 'features'?"),
    ([], "@pytest.mark.seatrial(stages=['service'])\n", "add --seatrial-service"),
    ([], "@pytest.mark.seatrial(check=['golden'])\n", "Did you mean 'checks'?"),
    ([], "@pytest.mark.seatrial(['golden'])\n", "takes its arguments by name: checks, stages"),
    ([], "@pytest.mark.seatrial(checks='golden')\n", "give a list of names, such as checks=['golden']"),
]


@pytest.mark.parametrize("test", [WHOLE, CASES], ids=["fixture", "cases"])
@pytest.mark.parametrize(("words", "marker", "message"), WRONG, ids=[wrong[2][:30] for wrong in WRONG])
def test_what_is_wrong_is_told_in_one_message(
    pytester: pytest.Pytester, project: Path, test: str, words: list[str], marker: str, message: str
) -> None:
    """With what to type next, and never as a traceback, or as a test that passes."""
    (project.parent / "elsewhere").mkdir(exist_ok=True)
    words = [word.replace("nowhere", str(project.parent / "elsewhere")) for word in words]
    ran = run(pytester, f"import pytest\n\n{marker}{test}", *words)
    outcomes = ran.parseoutcomes()
    assert outcomes.get("errors", 0) + outcomes.get("failed", 0) == 1
    assert "passed" not in outcomes
    assert message in ran.stdout.str()
    assert "Traceback" not in ran.stdout.str()
    assert "validating.py" not in ran.stdout.str()


def test_a_model_is_asked_for_where_the_pipeline_loads_one(pytester: pytest.Pytester, project: Path) -> None:
    """The cases are listed without it; no test of them passes."""
    text = (project / "pipeline.py").read_text()
    text = text.replace("def response(frame)", "def response(frame, model)").replace('key="id"', 'key="id", model=str')
    (project / "pipeline.py").write_text(text)
    ran = run(pytester, CASES, QUICK, "-k", "features-expectations")
    ran.assert_outcomes(failed=1, deselected=3)
    assert "Pipeline 'trips' loads a model, and there is none at" in ran.stdout.str()
    (project / "model").mkdir()
    run(pytester, CASES, QUICK).assert_outcomes(passed=4)


@pytest.mark.usefixtures("project")
def test_tests_of_one_project_stay_in_one_process(pytester: pytest.Pytester) -> None:
    """With --dist loadgroup of pytest-xdist; other tests are as free as before."""
    pytester.makeconftest(
        "def pytest_collection_finish(session):\n"
        "    for item in session.items:\n"
        "        print(item.name, [m.args for m in item.iter_markers('xdist_group')])\n"
    )
    shown = run(
        pytester, f"{WHOLE}\n\ndef test_other():\n    pass\n", QUICK, "-p", "xdist", "--collect-only", "-s"
    ).stdout.str()
    assert "test_path [('seatrial',)]" in shown
    assert "test_other []" in shown
