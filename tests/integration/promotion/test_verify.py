"""Whatever happens between a validation and a deployment, 'seatrial verify' says yes only to what passed."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from seatrial import registry
from seatrial.cli.app import main
from seatrial.events import Outcome
from seatrial.ledger import JOB, Ledger, database, identity, schema
from seatrial.promotion import attestation, head
from seatrial.promotion.envelope import MAX_BYTES
from seatrial.promotion.evidence import archive, unpack
from seatrial.promotion.keyring import PUBLIC_KEY, SIGNING_KEY
from seatrial.registry.mlflow.client import client
from tests.support.trust import FILES, Trusted, own_environment

Ask, Hide = Callable[[str], tuple[int, str]], Callable[[], None]
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusted]:
    """One project for the module; each test has a model, and so a chain, of its own."""
    with own_environment():
        yield Trusted(tmp_path_factory.mktemp("trust") / "project")


@pytest.fixture
def uri(trusted: Trusted) -> Iterator[str]:
    """A version of a new model that has no verdict; afterwards the project is as it was."""
    yield trusted.register(f"trusted-{next(NUMBERS)}")
    for name, text in FILES.items():
        trusted.edit(name, text)


@pytest.fixture
def ask(trusted: Trusted, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run 'seatrial verify'; return exit code and words."""

    def command(uri: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["verify", uri, "--project", str(trusted.root)])
        said = capsys.readouterr()
        return int(ended.value.code or 0), " ".join((said.out + said.err).split())

    return command


@pytest.fixture
def hide(trusted: Trusted) -> Iterator[Hide]:
    """Make it as on a machine that deploys: the ledger cannot be reached, and no head was seen before."""
    state, away = trusted.project.state, trusted.root / "away"

    def move(source: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        for file in source.glob("ledger.db*"):
            file.replace(target / file.name)

    yield lambda: move(state, away)
    if away.exists():
        for file in state.glob("ledger.db*"):
            file.unlink()
        move(away, state)
        away.rmdir()
    shutil.rmtree(state / "heads", ignore_errors=True)


def tag(uri: str) -> str:
    return registry.resolve(uri).tags.get(head.TAG, "")


def set_tag(uri: str, text: str) -> None:
    version = registry.resolve(uri)
    registry.of(uri).annotate(version, {head.TAG: text})


# --- yes ---------------------------------------------------------------------------------------------------


def test_an_untouched_version_stays_a_yes(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """By the ledger; by the signed head alone; after a later verdict that decided nothing."""
    trusted.validate(uri)
    assert ask(uri)[0] == 0
    trusted.validate(uri, INCONCLUSIVE)
    assert ask(uri)[0] == 0
    hide()
    code, words = ask(uri)
    assert (code, "passed on" in words) == (0, True), words


def test_after_a_move_of_the_ledger_it_is_a_yes(
    trusted: Trusted, uri: str, ask: Ask, hide: Hide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The database is copied to another address, and goes on there with the same numbers."""
    trusted.validate(uri)
    hide()
    shutil.copytree(trusted.root / "away", tmp_path / "moved")
    monkeypatch.setenv(database.URL, f"sqlite:///{tmp_path / 'moved' / 'ledger.db'}")
    assert ask(uri)[0] == 0
    trusted.validate(uri)
    assert ask(uri)[0] == 0
    with Ledger.of(trusted.project.state) as ledger:
        assert [s.number for s in ledger.statements(identity(registry.resolve(uri)))] == [2, 1]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [("fail", 1), ("error", 1), ("inconclusive", 1), ("pass fail", 1), ("fail pass", 0), ("pass error", 0)],
)
def test_the_newest_verdict_that_decided_counts(trusted: Trusted, uri: str, ask: Ask, outcomes: str, code: int) -> None:
    """What could not be judged revokes nothing, and allows nothing."""
    for outcome in outcomes.split():
        trusted.validate(uri, Outcome(outcome))
    assert ask(uri)[0] == code


# --- no ----------------------------------------------------------------------------------------------------


def test_tags_and_aliases_set_by_hand_are_nothing(trusted: Trusted, uri: str, ask: Ask) -> None:
    """Every tag that a pass would write, and no signed verdict."""
    version = registry.resolve(uri)
    tags = {"seatrial.verdict": "pass", "seatrial.run_id": version.run_id, head.TAG: "{}"}
    registry.of(uri).annotate(version, tags)
    client().set_registered_model_alias(version.name, "validated", version.number)
    code, words = ask(f"models:/{version.name}@validated")
    assert (code, "has no signed verdict" in words, "seatrial validate" in words) == (1, True, True)


def test_other_files_and_another_policy_are_a_no(trusted: Trusted, uri: str, ask: Ask) -> None:
    """Back as they were, it is a yes again."""
    trusted.validate(uri)
    version = registry.resolve(uri)
    weights = Path(client().get_model_version_download_uri(version.name, version.number)) / "weight.json"
    weights.write_text("3.0")
    code, words = ask(f"models:/{version.name}@champion")
    assert (code, "are not those that were validated" in words) == (1, True)
    weights.write_text("2.0")
    trusted.edit("expectations/service.toml", '[promotion]\nalias = "best"\n')
    code, words = ask(uri)
    assert (code, "under another policy" in words) == (1, True)
    trusted.edit("expectations/service.toml", FILES["expectations/service.toml"])
    assert ask(uri)[0] == 0


def test_statements_about_other_versions_are_nothing(trusted: Trusted, uri: str, ask: Ask, tmp_path: Path) -> None:
    """Our own signature under a version of the same content, damaged envelopes, and one that is too long."""
    trusted.validate(uri)
    (run_id,) = trusted.runs(uri)
    theirs = Path(client().download_artifacts(run_id, attestation.FILE, str(tmp_path))).read_bytes()
    second = trusted.register(uri.split("/")[1])
    for content in (theirs, b"{}", b"x" * (MAX_BYTES + 1)):
        run = client().create_run(client().get_run(run_id).info.experiment_id)
        client().log_param(run.info.run_id, "version", "2")
        (tmp_path / attestation.FILE).write_bytes(content)
        client().log_artifact(run.info.run_id, str(tmp_path / attestation.FILE))
    code, words = ask(second)
    assert (code, "of another version: 1" in words, "damaged: 1" in words) == (1, True, True), words


def test_a_version_made_anew_under_the_same_number_needs_its_own(trusted: Trusted, ask: Ask) -> None:
    """The content and the number are the same; the creation is not."""
    first = trusted.register("trusted-remade")
    trusted.validate(first)
    assert ask(first)[0] == 0
    client().delete_registered_model("trusted-remade")
    anew = trusted.register("trusted-remade")
    assert anew == first
    assert ask(anew)[0] == 1


def test_what_cannot_be_verified_is_2(trusted: Trusted, uri: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such version, and no key to verify with."""
    trusted.validate(uri)
    code, words = ask(f"{uri[:-1]}999")
    assert (code, "no version '999'" in words) == (2, True)
    monkeypatch.setenv(PUBLIC_KEY, str(trusted.root / "nowhere.pub"))
    code, words = ask(uri)
    assert (code, "no public key" in words) == (2, True)


# --- the code ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("serving/pipeline.py", FILES["serving/pipeline.py"].replace("* model", "* model * 100")),
        ("serving/service.py", "ANSWERS = 100\n"),
        ("common/rates.py", "RATE = 100.0\n"),
        ("server/main.go", "package other\n"),
        ("serving/new.py", ""),
        ("uv.lock", "version = 1\n"),
    ],
)
def test_edited_code_is_a_no_that_names_the_file(trusted: Trusted, uri: str, ask: Ask, name: str, text: str) -> None:
    """Pipeline, service, a module that is imported from elsewhere, the service's own folder, a new file, the lock."""
    trusted.validate(uri, service="server")
    assert ask(uri)[0] == 0
    trusted.edit(name, text)
    try:
        code, words = ask(uri)
    finally:
        (trusted.root / name).unlink()
    assert (code, name in words, "The code changed" in words) == (1, True, True), words


def test_what_is_no_code_may_change(trusted: Trusted, uri: str, ask: Ask) -> None:
    """A database beside the pipeline, a script that nothing imports, a comment in pyproject.toml."""
    trusted.validate(uri)
    for name in ("serving/notes.db", "unrelated/plot.py", "pyproject.toml"):
        trusted.edit(name, FILES[name] + "\n# something else\n")
    assert ask(uri)[0] == 0


def test_a_version_whose_code_changed_is_validated_again_by_itself(trusted: Trusted, uri: str, ask: Ask) -> None:
    """Once for each state of the code; back as it was, the earlier verdict counts and nothing runs."""
    assert trusted.reconcile(uri) == [f"{uri}: pass."]
    assert trusted.reconcile(uri) == []
    trusted.edit("serving/service.py", "ANSWERS = 2\n")
    assert ask(uri)[0] == 1
    assert trusted.reconcile(uri) == [f"{uri}: pass."]
    assert ask(uri)[0] == 0
    assert trusted.reconcile(uri) == []
    trusted.edit("serving/service.py", FILES["serving/service.py"])
    assert trusted.reconcile(uri) == []
    assert ask(uri)[0] == 0
    trusted.edit("expectations/service.toml", '[promotion]\nalias = "best"\n')
    assert trusted.reconcile(uri) == [f"{uri}: pass."]


def test_code_that_changes_during_a_trial_gets_no_verdict(
    trusted: Trusted, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named, and the job is tried again."""
    ran = []

    def edited(job: object) -> None:
        from tests.support import trust

        ran.append(job)
        read = trust.new_directory

        def edits(*given: object) -> Path:
            trusted.edit("serving/service.py", "ANSWERS = 3\n")
            return read(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(trust, "new_directory", edits)
        trusted.validate(uri)

    results = trusted.reconcile(uri, edited)
    assert len(ran) == 1
    assert any("serving/service.py changed" in line and "will be tried again" in line for line in results), results


# --- the chain ---------------------------------------------------------------------------------------------


def test_a_fail_whose_run_was_deleted_stays_a_no(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """The ledger has the statement itself; elsewhere the head names one that is missing."""
    trusted.validate(uri)
    trusted.validate(uri, FAIL)
    client().delete_run(trusted.runs(uri)[-1])
    code, words = ask(uri)
    assert (code, "is fail" in words) == (1, True), words
    hide()
    code, words = ask(uri)
    assert (code, "Statement 2" in words, "missing" in words) == (2, True, True), words


def test_a_lost_ledger_never_makes_an_older_pass_count(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """An empty one says that it is another; what is validated anew follows what was signed before, and counts."""
    trusted.validate(uri)
    trusted.validate(uri, FAIL)
    failed = trusted.runs(uri)[-1]
    hide()
    assert ask(uri)[0] == 1
    Ledger.of(trusted.project.state).close()
    assert ask(uri)[0] == 1
    client().delete_run(failed)
    assert ask(uri)[0] == 2
    client().restore_run(failed)
    trusted.validate(uri)
    with Ledger.of(trusted.project.state) as ledger:
        (signed,) = ledger.statements(identity(registry.resolve(uri)))
    assert (signed.number, attestation.read(signed.content, ()).link.epoch) == (3, 0)
    assert ask(uri)[0] == 0
    assert len(trusted.runs(uri)) == 3


def test_a_pass_with_an_empty_ledger_cannot_be_told(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """The ledger that is reached knows nothing of what the registry has: it is not the one that numbered it."""
    trusted.validate(uri)
    hide()
    Ledger.of(trusted.project.state).close()
    code, words = ask(uri)
    assert (code, "has no statement" in words) == (2, True), words


def test_a_ledger_that_was_restored_from_an_older_copy_cannot_tell(
    trusted: Trusted, uri: str, ask: Ask, hide: Hide, tmp_path: Path
) -> None:
    """It ends at the pass; the registry's later pass is newer, and a fail may have come after it."""
    trusted.validate(uri)
    shutil.copy(trusted.project.state / "ledger.db", tmp_path / "older.db")
    trusted.validate(uri)
    hide()
    shutil.copy(tmp_path / "older.db", trusted.project.state / "ledger.db")
    code, words = ask(uri)
    assert (code, "restored from an older copy" in words) == (2, True), words


def test_two_ledgers_cannot_be_told_until_one_of_them_goes_on(
    trusted: Trusted, uri: str, ask: Ask, hide: Hide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One key, two machines with a ledger each: what the other one said later is never passed over."""
    trusted.validate(uri)
    monkeypatch.setenv(database.URL, f"sqlite:///{tmp_path / 'second.db'}")
    trusted.validate(uri, FAIL)
    monkeypatch.delenv(database.URL)
    assert ask(uri)[0] == 1  # the other one's statement follows ours
    trusted.validate(uri, INCONCLUSIVE)
    code, words = ask(uri)  # ours is the newest and follows our pass: the fail is on another line
    assert (code, "do not form one chain" in words) == (2, True), words
    trusted.validate(uri)
    assert ask(uri)[0] == 0
    monkeypatch.setenv(database.URL, f"sqlite:///{tmp_path / 'second.db'}")
    assert ask(uri)[0] == 2  # from there our later statements are another ledger's
    monkeypatch.delenv(database.URL)
    hide()
    assert ask(uri)[0] == 0


@pytest.mark.parametrize("reached", [True, False])
def test_a_fail_by_a_clock_that_is_behind_is_the_newest(
    trusted: Trusted, uri: str, ask: Ask, hide: Hide, monkeypatch: pytest.MonkeyPatch, reached: bool
) -> None:
    """The numbers of the ledger order the statements, not the ten minutes."""
    trusted.validate(uri)
    now = time.time
    with monkeypatch.context() as behind:
        behind.setattr(attestation.time, "time", lambda: now() - 600)
        trusted.validate(uri, FAIL)
    if not reached:
        hide()
    code, words = ask(uri)
    assert (code, "is fail" in words) == (1, True), words


def test_two_that_commit_at_the_same_moment_are_one_chain(
    trusted: Trusted, uri: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is overtaken signs again, and follows the other."""
    latest = Ledger.latest

    def slow(ledger: Ledger, subject: str) -> object:
        monkeypatch.setattr(Ledger, "latest", latest)
        before = latest(ledger, subject)
        trusted.validate(uri, FAIL)
        return before

    trusted.validate(uri)
    monkeypatch.setattr(Ledger, "latest", slow)
    trusted.validate(uri)
    with Ledger.of(trusted.project.state) as ledger:
        third, second, first = ledger.statements(identity(registry.resolve(uri)))
    assert (third.previous, second.previous, first.previous) == (second.digest, first.digest, "")
    assert ask(uri)[0] == 0


# --- heads -------------------------------------------------------------------------------------------------


def test_an_expired_head_cannot_tell(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """Nor can none; reconciling renews it after half of its time."""
    project = trusted.project
    trusted.validate(uri)
    first = tag(uri)
    with Ledger.of(project.state) as ledger:
        assert head.renew_heads(ledger, project) == []
        assert tag(uri) == first
        ledger.offset_seconds = -13 * 3_600  # as it was signed thirteen hours ago
        ledger.record_head(identity(registry.resolve(uri)), 0, 0.0)
        head.renew_heads(ledger, replace(project, head_hours=12.0))
    expired = tag(uri)
    hide()
    code, words = ask(uri)
    assert (code, "expired at" in words, "seatrial reconcile" in words) == (2, True, True), words
    set_tag(uri, "")
    code, words = ask(uri)
    assert (code, "is missing" in words) == (2, True), words
    assert expired != first


def test_a_head_is_renewed_after_half_of_its_time(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """By the ledger's clock, and the version is a yes again elsewhere."""
    trusted.validate(uri)
    with Ledger.of(trusted.project.state) as ledger:
        first = tag(uri)
        ledger.offset_seconds = 11.9 * 3_600
        head.renew_heads(ledger, trusted.project)
        assert tag(uri) == first
        ledger.offset_seconds = 12.1 * 3_600
        head.renew_heads(ledger, trusted.project)
        assert tag(uri) != first
    hide()
    assert ask(uri)[0] == 0


def test_an_older_head_that_is_put_back_is_never_a_yes(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """With the fail beside it, and with the fail deleted where the later head was seen once."""
    trusted.validate(uri)
    older = tag(uri)
    trusted.validate(uri, FAIL)
    hide()
    set_tag(uri, older)
    assert ask(uri)[0] == 1
    shutil.rmtree(trusted.project.state / "heads")
    set_tag(uri, "")
    client().delete_run(trusted.runs(uri)[-1])
    assert ask(uri)[0] == 2
    set_tag(uri, older)


def test_a_head_that_was_seen_is_not_forgotten(trusted: Trusted, uri: str, ask: Ask, hide: Hide) -> None:
    """Older head put back and the fail deleted: nothing in the registry tells, and this machine remembers."""
    trusted.validate(uri)
    older = tag(uri)
    trusted.validate(uri, FAIL)
    hide()
    assert ask(uri)[0] == 1
    set_tag(uri, older)
    client().delete_run(trusted.runs(uri)[-1])
    code, words = ask(uri)
    assert (code, "seen here before" in words) == (2, True), words


def test_a_head_of_another_version_or_key_is_none(
    trusted: Trusted, uri: str, ask: Ask, hide: Hide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each is signed, and not about this version or not by a key of the ring."""
    other = trusted.register("trusted-other")
    trusted.validate(other)
    trusted.validate(uri)
    version = registry.resolve(uri)
    with Ledger.of(trusted.project.state) as ledger, monkeypatch.context() as theirs:
        theirs.setenv(SIGNING_KEY, str(new_key(tmp_path / "theirs.pem")))
        ledger.record_head(identity(version), 0, 0.0)
        head.renew_heads(ledger, trusted.project, identity(version))
    foreign = tag(uri)
    hide()
    for text in (foreign, tag(other), "{}", "nonsense"):
        set_tag(uri, text)
        code, words = ask(uri)
        assert (code, "is missing" in words) == (2, True), words


# --- keys --------------------------------------------------------------------------------------------------


def new_key(path: Path) -> Path:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("reached", [True, False])
def test_a_newer_statement_of_a_second_signer_cannot_be_told(
    trusted: Trusted,
    uri: str,
    ask: Ask,
    hide: Hide,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    reached: bool,
) -> None:
    """Whatever it says; with its key in the ring it counts."""
    trusted.validate(uri)
    with monkeypatch.context() as second:
        second.setenv(SIGNING_KEY, str(new_key(tmp_path / "second.pem")))
        second.setenv(PUBLIC_KEY, str(trusted.project.state / "keys"))
        trusted.validate(uri, FAIL)
    if not reached:
        hide()
    code, words = ask(uri)
    assert (code, "key that is not trusted here" in words) == (2, True), words
    ring = os.pathsep.join([str(trusted.project.state / "keys"), str(tmp_path)])
    monkeypatch.setenv(PUBLIC_KEY, ring)
    code, words = ask(uri)
    assert (code, "is fail" in words) == (1, True), words


def test_a_signer_with_a_ledger_of_its_own_cannot_be_told(
    trusted: Trusted, uri: str, ask: Ask, hide: Hide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its numbers say nothing about ours: it may have failed later."""
    trusted.validate(uri)
    with monkeypatch.context() as second:
        second.setenv(SIGNING_KEY, str(new_key(tmp_path / "second.pem")))
        second.setenv(PUBLIC_KEY, str(tmp_path))
        second.setenv(database.URL, f"sqlite:///{tmp_path / 'second.db'}")
        trusted.validate(uri, FAIL)
    assert ask(uri)[0] == 2


def test_a_rotated_key(trusted: Trusted, uri: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the old one signed counts while its public key is in the ring; what the new one signs, once its own is."""
    keys = trusted.project.state / "keys"
    trusted.validate(uri)
    (old,) = keys.glob("*.pub")
    deployed = tmp_path / "ring"
    deployed.mkdir()
    shutil.copy(old, deployed)
    monkeypatch.setenv(PUBLIC_KEY, str(deployed))
    (keys / "verdict.key").rename(tmp_path / "retired.key")  # as documented: the next verdict makes another
    assert ask(uri)[0] == 0
    trusted.validate(uri)
    code, words = ask(uri)
    assert (code, "key that is not trusted here" in words) == (2, True), words
    (new,) = set(keys.glob("*.pub")) - {old}
    shutil.copy(new, deployed)
    assert ask(uri)[0] == 0
    (deployed / old.name).unlink()
    assert ask(uri)[0] == 0  # the newest is the new one's
    monkeypatch.delenv(PUBLIC_KEY)
    assert ask(uri)[0] == 0


def test_what_a_retired_key_signed_decides_nothing(
    trusted: Trusted, uri: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pass of its own, and after it a verdict of the new key that decides nothing."""
    monkeypatch.setenv(SIGNING_KEY, str(new_key(tmp_path / "retired.pem")))
    trusted.validate(uri)
    monkeypatch.delenv(SIGNING_KEY)
    monkeypatch.setenv(PUBLIC_KEY, str(trusted.project.state / "keys"))
    trusted.validate(uri, INCONCLUSIVE)
    assert ask(uri)[0] == 1


# --- evidence ----------------------------------------------------------------------------------------------


def test_a_swapped_evidence_folder_is_a_no(trusted: Trusted, uri: str, ask: Ask, tmp_path: Path) -> None:
    """In the run's artifacts: a file that was changed, and one that was added; deleted whole, the statement stands."""
    trusted.validate(uri)
    (run_id,) = trusted.runs(uri)
    there = Path(client().download_artifacts(run_id, "", str(tmp_path)))
    client().log_text(run_id, "another report", "report.html")
    code, words = ask(uri)
    assert (code, "report.html changed" in words) == (1, True), words
    client().log_artifact(run_id, str(there / "report.html"))
    assert ask(uri)[0] == 0
    client().log_text(run_id, "more", "more.txt")
    code, words = ask(uri)
    assert (code, "more.txt was added" in words) == (1, True), words
    client().delete_run(run_id)
    assert ask(uri)[0] == 0


def test_evidence_that_waits_in_the_ledger_is_checked_there(trusted: Trusted, uri: str, ask: Ask) -> None:
    """A worker died before the run was logged: the archive is compared with what was signed."""
    with Ledger.of(trusted.project.state) as ledger:
        job = ledger.claim_version(registry.resolve(uri), "a worker that dies")
        token = JOB.set(job)
        try:
            trusted.validate(uri)
        finally:
            JOB.reset(token)
        assert trusted.runs(uri) == []
        assert ask(uri)[0] == 0
        folder = trusted.root / "other evidence"
        unpack(ledger.archive(job.subject, job.epoch), folder)
        (folder / "report.html").write_text("another report")
        other = update(schema.evidence).where(schema.evidence.c.subject == job.subject)
        with ledger._engine.begin() as connection:
            connection.execute(other.values(content=archive(folder)))
        code, words = ask(uri)
    assert (code, "report.html changed" in words) == (1, True), words


def test_two_validations_of_a_version_share_no_folder(trusted: Trusted, uri: str) -> None:
    """One that fails and one that passes, interleaved: each verdict has its own evidence."""
    trusted.validate(uri)
    trusted.validate(uri, FAIL)
    name = uri.removeprefix("models:/").replace("/", "-")
    (reports,) = (trusted.project.state / "reports").glob(f"{name}*")
    folders = sorted(p for p in reports.iterdir() if not p.is_symlink())
    assert len(folders) == 2
    assert (reports / "latest").resolve() in folders
    said = {(f / "verdict.json").read_text().split('"outcome": "')[1].split('"')[0] for f in folders}
    assert said == {"pass", "fail"}
