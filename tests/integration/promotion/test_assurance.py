"""``seatrial evidence`` on versions that were validated for real: what it says, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from seatrial import registry
from seatrial.cli import schema
from seatrial.cli.app import main
from seatrial.events import Outcome
from seatrial.policy.digest import policy_digest
from seatrial.promotion import attestation, head
from seatrial.promotion.assurance.then import PolicyThen, policy_then
from seatrial.promotion.envelope import open_envelope
from seatrial.promotion.keyring import PUBLIC_KEY, signing_key
from seatrial.registry.mlflow.client import client
from tests.support.assured import PIPELINE, QUALITY, Assured
from tests.support.trust import own_environment

Ask = Callable[..., SimpleNamespace]
TOO_LATE = "2037-01-01T00:00:00+00:00"
RECORDS = {"MAP 2.3", "MEASURE 1.1", "MEASURE 1.2", "MEASURE 2.1", "MEASURE 2.8", "MANAGE 4.1"}
ON_COMMITTED = RECORDS - {"MEASURE 2.1", "MANAGE 4.1"}
SKEWED = PIPELINE.replace('-model * frame["x"]', '-model * frame["x"] - 1')
UNDECIDED = QUALITY.replace('"recall_difference": 0.9', '"recall_difference": 0.0001')
STRICTER = QUALITY.replace('"roc_auc": 0.8', '"roc_auc": 0.85')


@pytest.fixture(scope="module")
def assured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assured]:
    """One project, whose first version passed: its policy was committed long before."""
    with own_environment():
        made = Assured(tmp_path_factory.mktemp("assured") / "project")
        made.commit()
        made.git("tag", "start")
        made.passed = made.register("assured-pass")
        assert made.validate(made.passed).outcome is Outcome.PASS
        yield made


@pytest.fixture(autouse=True)
def _as_it_was(assured: Assured) -> Iterator[None]:
    """The work tree and the branch are as they were before the test."""
    yield
    assured.git("checkout", "-q", "-f", "-B", "main", "start")


@pytest.fixture
def ask(assured: Assured, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Run 'seatrial evidence'; return exit code, words, JSON and page."""

    def command(uri: str) -> SimpleNamespace:
        capsys.readouterr()
        files = {name: tmp_path / f"evidence.{name}" for name in ("json", "html")}
        words = ["evidence", uri, "--project", str(assured.root)]
        with pytest.raises(SystemExit) as ended:
            main([*words, *(word for name, file in files.items() for word in (f"--{name}", str(file)))])
        said = capsys.readouterr()
        found: Any = json.loads(files["json"].read_text(encoding="utf-8")) if files["json"].exists() else None
        page = files["html"].read_text(encoding="utf-8") if files["html"].exists() else ""
        for file in files.values():
            file.unlink(missing_ok=True)
        words_said = " ".join((said.out + said.err).split())
        assert not re.search("complian|complies", words_said + page + json.dumps(found), re.IGNORECASE)
        assert "Traceback" not in words_said
        return SimpleNamespace(code=int(ended.value.code or 0), words=words_said, json=found, page=page)

    return command


def with_status(found: SimpleNamespace, status: str) -> set[str]:
    return {each["id"] for each in found.json["nist"]["subcategories"] if each["status"] == status}


def run_of(uri: str) -> Any:
    _, name, number = uri.replace(":", "").split("/")
    experiment = client().get_experiment_by_name(f"seatrial/{name}")
    (found,) = client().search_runs([experiment.experiment_id], f"params.version = '{number}'")
    return found.info


def test_a_pass_supports_in_part_by_digests_and_thresholds_of_a_person(assured: Assured, ask: Ask) -> None:
    """Each digest is that of the stored envelope; each threshold has its author and date."""
    found = ask(assured.passed)
    assert found.code == 0, found.words
    assert jsonschema.Draft7Validator(schema.schema("evidence")).is_valid(found.json)
    assert with_status(found, "partly supported") == {
        *RECORDS, "MEASURE 2.3", "MEASURE 2.5", "MEASURE 2.11", "MANAGE 1.1",
    }  # fmt: skip
    assert len(with_status(found, "not assessed")) == 62
    content = client().download_artifacts(run_of(assured.passed).run_id, attestation.FILE)
    envelope = open_envelope(Path(content).read_bytes(), [])
    stated, digests = attestation.read(Path(content).read_bytes(), []), found.json["digests"]
    assert (digests["statement"], digests["evidence"]) == (envelope.digest, stated.evidence_digest)
    assert (digests["policy"], digests["code"]) == (stated.policy_digest, stated.code_digest)
    assert digests["verdict"] == f"sha256:{stated.evidence['verdict.json']}"
    set_by = {each["id"]: each for each in found.json["thresholds"]}
    assert {*set_by} == {"score.py: score.quality", "score.py: score.tolerances"}
    assert {(each["author"], each["at"], each["counted"]) for each in set_by.values()} == {
        ("Ada Lovelace", "2026-01-05T08:00:00Z", True)
    }
    assert "'roc_auc': 0.8" in set_by["score.py: score.quality"]["value"]
    numbers = {n["name"]: n["value"] for each in found.json["results"] for n in each["numbers"]}
    assert numbers["roc_auc"] > 0.8
    assert {t["number"] for t in found.json["ml_test_score"]["tests"] if t["coverage"] == "covered"} == {
        "Model 5", "Infra 4",
    }  # fmt: skip
    assert digests["statement"] in found.page
    assert "10 partly supported" in found.words


def test_a_fail_and_an_inconclusive_support_nothing_that_was_tested(assured: Assured, ask: Ask) -> None:
    """Serving code that computes something else; groups that differ within chance. What is recorded stays recorded."""
    assured.write("serving/pipeline.py", SKEWED)
    failed = assured.register("assured-fail")
    assert assured.validate(failed, ["golden", "quality"]).outcome is Outcome.FAIL
    found = ask(failed)
    assert (found.code, found.json["run"]["outcome"]) == (0, "fail")
    assert with_status(found, "failed") == {"MEASURE 2.3", "MEASURE 2.5", "MANAGE 1.1"}
    assert with_status(found, "partly supported") == RECORDS | {"MEASURE 2.11"}
    assert any("differs" in each["says"] for each in found.json["results"])

    assured.git("checkout", "-q", "-f", "start")
    assured.write("expectations/score.py", UNDECIDED)
    assured.commit()
    undecided = assured.register("assured-open")
    assert assured.validate(undecided, ["quality"]).outcome is Outcome.INCONCLUSIVE
    found = ask(undecided)
    assert with_status(found, "inconclusive") == {"MEASURE 2.3", "MEASURE 2.5", "MEASURE 2.11", "MANAGE 1.1"}
    assert with_status(found, "partly supported") == RECORDS


def test_the_verdict_is_the_one_that_verify_would_take(
    assured: Assured, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later inconclusive is told, and not used. Without ledger and head nobody knows the newest."""
    assured.write("serving/pipeline.py", PIPELINE + "# as before\n")
    uri = assured.register("assured-again")
    assert assured.validate(uri, ["quality"]).outcome is Outcome.PASS
    assert assured.validate(uri, []).outcome is Outcome.INCONCLUSIVE
    found = ask(uri)
    assert (found.json["run"]["outcome"], found.json["run"]["number"]) == ("pass", 1)
    assert [(each["number"], each["outcome"]) for each in found.json["later"]] == [(2, "inconclusive")]
    assert found.json["notes"] == []
    assured.write("serving/pipeline.py", PIPELINE)
    found = ask(uri)
    assert found.json["run"]["number"] == 1
    assert "The code here is not that of the run: serving/pipeline.py changed." in found.words
    for file in assured.project.state.glob("ledger.db*"):
        file.rename(tmp_path / file.name)
    assert ask(uri).code == 0
    version = registry.resolve(uri)
    registry.of(uri).annotate(version, {head.TAG: ""})
    found = ask(uri)
    assert (found.code, found.json) == (2, None)
    assert "its signed head is missing" in found.words
    for file in tmp_path.glob("ledger.db*"):
        file.rename(assured.project.state / file.name)
    signing_key(tmp_path)
    monkeypatch.setenv(PUBLIC_KEY, str(tmp_path / "keys"))
    found = ask(uri)
    assert (found.code, found.json) == (2, None)
    assert "is signed by a key that is not trusted here" in found.words


def test_a_threshold_that_changed_after_the_run_is_not_taken_for_that_of_the_run(assured: Assured, ask: Ask) -> None:
    """The one that was in force comes from its commit, whether the new one is committed or not, and a note says so."""
    assured.write("expectations/score.py", STRICTER)
    for committed in (False, True):
        if committed:
            assured.commit(at=TOO_LATE, author="Bob")
        found = ask(assured.passed)
        values = {each["id"]: each for each in found.json["thresholds"]}
        assert "'roc_auc': 0.8}" in values["score.py: score.quality"]["value"]
        assert (values["score.py: score.quality"]["author"], found.code) == ("Ada Lovelace", 0)
        assert "The policy here is not that of the run" in found.words
        assert "MEASURE 2.11" in with_status(found, "partly supported")


def test_a_threshold_that_nobody_committed_before_the_run_is_not_counted(assured: Assured, ask: Ask) -> None:
    """It was in the folder alone; then it is committed, which is too late."""
    assured.write("expectations/score.py", STRICTER)
    uri = assured.register("assured-late")
    assert assured.validate(uri, ["quality"]).outcome is Outcome.PASS
    for reason in ("It is not committed", "It was committed after the run began."):
        if "after" in reason:
            assured.commit(at=TOO_LATE, author="Bob")
        found = ask(uri)
        assert with_status(found, "partly supported") == RECORDS - ON_COMMITTED
        assert with_status(found, "not counted") == {
            *ON_COMMITTED, "MEASURE 2.3", "MEASURE 2.5", "MEASURE 2.11", "MANAGE 1.1",
        }  # fmt: skip
        assert reason in found.page
        assert reason in found.words


def test_without_a_repository_nobody_is_known_to_have_set_a_threshold(assured: Assured, ask: Ask) -> None:
    """The values are those of the run, by their digest; once they change, nothing is known of them."""
    (assured.root / ".git").rename(assured.root / "git-away")
    try:
        found = ask(assured.passed)
        assert {(each["author"], each["counted"]) for each in found.json["thresholds"]} == {("unknown", False)}
        assert with_status(found, "partly supported") == RECORDS - ON_COMMITTED
        assert "it is in no Git repository" in found.words
        assured.write("expectations/score.py", STRICTER)
        found = ask(assured.passed)
        assert (found.code, found.json["thresholds"]) == (0, [])
        assert "The policy of the run is not known" in found.words
        assert with_status(found, "partly supported") == RECORDS - ON_COMMITTED
    finally:
        (assured.root / "git-away").rename(assured.root / ".git")


def test_what_is_not_as_it_was_signed_is_refused(assured: Assured, ask: Ask) -> None:
    """A verdict that was edited, by name; files that are gone; a model that was exchanged. Nothing is written."""
    run = run_of(assured.passed)
    file = Path(run.artifact_uri.removeprefix("file://")) / "verdict.json"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(before.replace('"roc_auc"', '"auc"'), encoding="utf-8")
        found = ask(assured.passed)
        assert (found.code, found.json, found.page) == (1, None, "")
        assert "is not the one that was signed: verdict.json changed" in found.words
        file.write_text(before, encoding="utf-8")
        version = registry.resolve(assured.passed)
        logged = Path(client().get_run(version.run_id).info.artifact_uri.removeprefix("file://"))
        model = logged / "model" / "weight.json"
        model.write_text("3.0", encoding="utf-8")
        found = ask(assured.passed)
        assert (found.code, found.json) == (1, None)
        assert "are not those that were validated" in found.words
        model.write_text("2.0", encoding="utf-8")
        client().delete_run(run.run_id)
        found = ask(assured.passed)
        assert (found.code, found.json) == (2, None)
        assert "The files of the verdict on models:/assured-pass/1 are gone" in found.words
        client().restore_run(run.run_id)
    finally:
        file.write_text(before, encoding="utf-8")
    assert ask(assured.passed).code == 0


def test_a_version_that_is_not_there_or_has_no_verdict_is_refused(assured: Assured, ask: Ask) -> None:
    """Exit code 2, with what to do."""
    found = ask("models:/assured-pas/1")
    assert (found.code, found.json) == (2, None)
    assert "assured-pass" in found.words
    found = ask(assured.register("assured-new"))
    assert (found.code, found.json) == (2, None)
    assert "has no signed verdict. Validate it: seatrial validate models:/assured-new/1" in found.words


def origins(then: PolicyThen) -> dict[str, tuple[str, bool]]:
    return {name: (origin.author, origin.counted) for name, origin in then.origins.items()}


def test_the_author_of_a_file_is_who_changed_what_it_says(assured: Assured, tmp_path: Path) -> None:
    """Not who changed a comment or another file; in a shallow clone the author is unknown, and the age is not."""
    folder = assured.root / "expectations"
    assured.write("expectations/service.toml", '[promotion]\nalias = "best"\n')
    assured.commit(at="2026-02-01T00:00:00+00:00", author="Eve")
    assured.write("expectations/score.py", f"# Why: see the report.\n{QUALITY}")
    assured.commit(at="2026-03-01T00:00:00+00:00", author="Mallory")
    digest, began = policy_digest(folder), 1_780_000_000.0
    assert origins(policy_then(folder, digest, began)) == {
        "service.toml": ("Eve", True), "score.py": ("Ada Lovelace", True),
    }  # fmt: skip
    assured.write("expectations/service.toml", "")
    assured.commit(at="2026-04-01T00:00:00+00:00", author="Trent")
    assured.git("revert", "-n", "HEAD")
    assured.commit(at=TOO_LATE, author="Bob")
    assert origins(policy_then(folder, digest, began))["service.toml"] == ("Eve", True)
    assert origins(policy_then(folder, digest, 3e9))["service.toml"] == ("Bob", True)
    assured.git("reset", "-q", "--hard", "HEAD~2")
    before_eve = policy_then(folder, digest, 1_769_000_000.0)
    assert origins(before_eve)["service.toml"] == ("Eve", False)
    assured.git("clone", "-q", "--depth", "1", f"file://{assured.root}", str(tmp_path / "shallow"))
    shallow = policy_then(tmp_path / "shallow" / "expectations", digest, began)
    assert set(origins(shallow).values()) == {("unknown", True)}
    assert "git fetch --unshallow" in shallow.origins["score.py"].reason
    shutil.rmtree(tmp_path / "shallow")


def test_no_program_of_the_repository_runs(assured: Assured, tmp_path: Path) -> None:
    """Neither a monitor of files nor a pager nor what shows signatures, of a commit that has one."""
    trap = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trap}\n", encoding="utf-8")
    program.chmod(0o755)
    assured.sign()
    for name in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external"):
        assured.git("config", name, str(program))
    assured.git("config", "log.showSignature", "true")
    try:
        folder = assured.root / "expectations"
        assert origins(policy_then(folder, policy_digest(folder), 1_780_000_000.0))
        assert not trap.exists()
    finally:
        for name in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external", "log.showSignature"):
            assured.git("config", "--unset", name)
