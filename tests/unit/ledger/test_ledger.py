"""The ledger: in any order of events, a version gets one verdict, and it never changes."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from seatrial.errors import UsageError
from seatrial.events import Outcome, Subject
from seatrial.ledger import (
    ATTEMPTS,
    DueJob,
    Facts,
    Fenced,
    Ledger,
    LedgerError,
    Overtaken,
    Signed,
    identity,
    renewed,
    run_key,
    schema,
)  # fmt: skip
from seatrial.ledger.migrate import VERSION_TABLE
from seatrial.process import crash_points

LEASE = 60.0
PASS = Facts(Outcome.PASS, "pass", digest="sha256:content", policy_digest="sha256:policy")
FAIL = Facts(Outcome.FAIL, "fail", digest="sha256:content", policy_digest="sha256:policy")
EFFECTS = [("log-run", {"n": 1}), ("tags", {}), ("alias", {"aliases": ["validated"]})]


@dataclass(frozen=True)
class Version:
    """A version as a registry lists it."""

    number: str
    created: int
    name: str = "payments"
    run_id: str = "run"
    model_id: str = ""
    scheme: str = "models"

    @property
    def subject(self):
        return Subject(self.name, self.number, created=self.created)


def versions(count):
    return [Version(str(n), 1_000 + n) for n in range(1, count + 1)]


@pytest.fixture
def url(tmp_path):
    """The address of a new ledger on SQLite; tests/integration runs the same tests on PostgreSQL."""
    return f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"


@pytest.fixture
def ledger(url):
    with Ledger.open(url) as opened:
        yield opened


def rows(ledger, table):
    with ledger._engine.connect() as connection:
        return connection.execute(select(table)).all()


def test_several_open_a_new_ledger_at_once(url):
    """Each of them finds it made, whoever made it."""
    failed = []

    def work():
        try:
            Ledger.open(url).close()
        except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []


def test_workers_at_once_never_have_the_same_job(url, ledger):
    """Four workers, forty versions: each version goes to one of them, and every version goes."""
    assert ledger.observe(versions(40)) == 40
    taken = []

    def work(name):
        with Ledger.open(url) as own:
            while job := own.claim(name):
                taken.append(job.number)
                own.commit(job, PASS, EFFECTS)

    workers = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sorted(taken, key=int) == [v.number for v in versions(40)]
    assert len(ledger.verdicts("payments")) == 40


def test_a_version_that_was_observed_is_not_new(ledger):
    """Listed twice, listed doubled, or listed by two reconcilers: one job."""
    assert ledger.observe([*versions(2), *versions(2)]) == 2
    assert ledger.observe(versions(3)) == 1
    assert ledger.open_jobs() == 3


def test_deleted_and_recreated_under_the_same_number_it_is_validated_again(ledger):
    """The old verdict remains, belongs to the old version, and does not count for the new one."""
    old, new = Version("1", 1_000), Version("1", 2_000, run_id="other")
    ledger.observe([old])
    ledger.commit(ledger.claim("a"), PASS)
    assert ledger.passing(old.subject)
    assert ledger.observe([new]) == 1
    assert ledger.passing(new.subject) is None
    ledger.commit(ledger.claim("a"), FAIL)
    assert [k.outcome for k in ledger.verdicts("payments", "1")] == [Outcome.PASS, Outcome.FAIL]
    assert ledger.passing(new.subject) is None


def test_a_commit_after_the_lease_went_to_another_is_refused(ledger):
    """Nothing of it is written, and the other one's verdict stands."""
    ledger.observe(versions(1))
    first = ledger.claim("a", LEASE)
    assert ledger.claim("b", LEASE) is None
    ledger.offset_seconds += LEASE + 1
    second = ledger.claim("b", LEASE)
    assert (second.token, second.attempt) == (first.token + 1, 2)
    assert not ledger.renew(first)
    for refused in (lambda: ledger.commit(first, PASS, EFFECTS, b"x"), lambda: ledger.release(first, "late")):
        with pytest.raises(Fenced, match="another worker has claimed it"):
            refused()
    assert rows(ledger, schema.verdict) == rows(ledger, schema.outbox) == rows(ledger, schema.evidence) == []
    ledger.commit(second, FAIL)
    with pytest.raises(Fenced):
        ledger.commit(second, PASS)
    assert [k.outcome for k in ledger.verdicts("payments")] == [Outcome.FAIL]


def test_a_lease_that_ran_out_unnoticed_still_counts(ledger):
    """As long as nobody else claimed the job, late is not lost; and a renewed lease keeps others away."""
    ledger.observe(versions(1))
    job = ledger.claim("a", LEASE)
    ledger.offset_seconds += LEASE - 1
    assert ledger.renew(job, LEASE)
    ledger.offset_seconds += LEASE - 1
    assert ledger.claim("b") is None
    ledger.offset_seconds += 10
    ledger.commit(job, PASS)
    assert len(ledger.verdicts("payments")) == 1


def test_dying_between_verdict_and_outbox_leaves_neither(ledger, monkeypatch):
    """They are one transaction: the job is open as before, and the next worker does all of it."""

    def die(name):
        raise InterruptedError(name)

    ledger.observe(versions(1))
    job = ledger.claim("a", LEASE)
    monkeypatch.setattr(crash_points, "point", die)
    with pytest.raises(InterruptedError, match="between-verdict-and-outbox"):
        ledger.commit(job, PASS, EFFECTS, b"x")
    monkeypatch.undo()
    assert rows(ledger, schema.verdict) == rows(ledger, schema.outbox) == []
    ledger.offset_seconds += LEASE + 1
    ledger.commit(ledger.claim("b"), PASS, EFFECTS, b"x")
    assert len(rows(ledger, schema.verdict)) == 1
    assert len(rows(ledger, schema.outbox)) == len(EFFECTS)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE verdict SET outcome = 'pass'",
        "DELETE FROM verdict",
        "INSERT INTO outbox (subject, epoch, outcome, model, effect, body, state, due_at, token, attempt, result) "
        "SELECT subject, epoch, outcome, 'payments', 'alias', '{}', 'open', 0, 0, 0, '' FROM verdict",
        "INSERT INTO outbox (subject, epoch, outcome, model, effect, body, state, due_at, token, attempt, result) "
        "SELECT subject, epoch, 'pass', 'payments', 'alias', '{}', 'open', 0, 0, 0, '' FROM verdict",
        "INSERT INTO verdict SELECT subject, 1, 'pass', 7, '', '', '', '', '', 0 FROM verdict",
    ],
    ids=["change", "delete", "alias-of-a-fail", "alias-of-a-lie", "foreign-token"],
)
def test_the_database_itself_refuses(ledger, statement):
    """No verdict changes or goes, no alias moves without a pass, no verdict comes in under another token."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), FAIL)
    ledger.claim_version(versions(1)[0], "a")
    before = rows(ledger, schema.verdict)
    with pytest.raises(DBAPIError), ledger._engine.begin() as connection:
        connection.execute(text(statement))
    assert rows(ledger, schema.verdict) == before
    assert rows(ledger, schema.outbox) == []


def test_failed_attempts_are_repeated_after_a_pause_and_bounded(ledger):
    """Every attempt waits longer; after the last one the job is to be given up, also when its worker died each time."""
    ledger.observe(versions(1))
    for attempt in range(1, ATTEMPTS):
        job = ledger.claim("a", LEASE)
        assert (job.attempt, job.exhausted) == (attempt, False)
        assert ledger.release(job, f"no {attempt}")
        assert ledger.claim("a") is None
        ledger.offset_seconds += 400
    last = ledger.claim("a", LEASE)
    assert not ledger.release(last, "no more")
    ledger.offset_seconds += LEASE + 1
    assert ledger.claim("b").exhausted


def test_an_error_of_the_environment_costs_no_attempt(ledger):
    """However often the registry is down, the version is validated when it is up."""
    ledger.observe(versions(1))
    for _ in range(3 * ATTEMPTS):
        job = ledger.claim("a")
        assert ledger.release(job, "the registry is down", counted=False)
        ledger.offset_seconds += 400
    assert not ledger.claim("a").exhausted


def test_a_job_is_offered_until_somebody_claims_it(ledger):
    """Whoever comes first under its token has it; an offer that was made before names another one from then on."""
    ledger.observe([*versions(3), Version("1", 5_000, name="other")])
    offered = ledger.due(2, models=["payments"])
    assert [job.uri for job in offered] == ["models:/payments/3", "models:/payments/2"], "the newest first"
    assert len(ledger.due(10)) == 4
    first = DueJob.read(str(offered[1]), offered[1].uri)
    job = ledger.claim("a", LEASE, only=first)
    assert (job.uri, job.token, job.attempt) == ("models:/payments/2", 1, 1)
    assert ledger.claim("b", LEASE, only=first) is None
    assert [each.uri for each in ledger.due(10, models=["payments"])] == ["models:/payments/3", "models:/payments/1"]
    assert ledger.release(job, "cancelled", counted=False)
    assert first.uri not in [each.uri for each in ledger.due(10)], "not before its pause is over"
    ledger.offset_seconds += LEASE
    again = next(each for each in ledger.due(10) if each.uri == first.uri)
    assert again == replace(first, token=1)
    assert ledger.claim("b", LEASE, only=first) is None
    assert ledger.claim("b", LEASE, only=again).token == 2


@pytest.mark.parametrize("name", ["", "5ea7/0", "5ea7/0/-1", "5ea7/0/1/2", "x/0/1", "5ea7/0/1\n"])
def test_what_names_no_job_is_refused(name):
    """With what to type to validate a version by hand."""
    with pytest.raises(UsageError, match=r"names no job\..* seatrial validate models:/payments/1"):
        DueJob.read(name, "models:/payments/1")


def test_a_person_starts_a_validation(ledger):
    """An open job is claimed, a claimed one is left to its worker, and after a verdict there is a new epoch."""
    version = versions(1)[0]
    ledger.observe([version])
    mine = ledger.claim_version(version, "a person")
    assert mine.epoch == 0
    theirs = ledger.claim_version(version, "another person")
    assert theirs.epoch == 1
    ledger.commit(theirs, FAIL)
    ledger.commit(mine, PASS)
    assert ledger.claim_version(version, "a person").epoch == 2
    assert ledger.claim_version(Version("9", 9_000), "a person").epoch == 0
    assert [(k.epoch, k.outcome) for k in ledger.verdicts("payments", "1")] == [(1, Outcome.FAIL), (0, Outcome.PASS)]


def test_a_pass_is_valid_until_a_fail(ledger):
    """An inconclusive or error verdict revokes nothing; another policy or other content has no pass."""
    version = versions(1)[0]
    for outcome, valid in [("pass", True), ("error", True), ("inconclusive", True), ("fail", False), ("error", False)]:
        facts = Facts(Outcome(outcome), "", digest="sha256:content", policy_digest="sha256:policy")
        ledger.commit(ledger.claim_version(version, "a"), facts)
        found = ledger.passing(version.subject)
        assert bool(found) is valid, outcome
    ledger.commit(ledger.claim_version(version, "a"), PASS)
    evaluated = Subject("payments", "1", created=version.created, digest="sha256:content")
    assert ledger.passing(evaluated, "sha256:policy")
    assert ledger.passing(evaluated, "sha256:other") is None
    assert ledger.passing(Subject("payments", "1", created=version.created, digest="sha256:swapped")) is None


def test_effects_come_in_order_and_one_at_a_time(ledger):
    """The next one waits for the one before it, with what that one gave; a lease that ran out is given on."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), PASS, EFFECTS, b"files")
    first = ledger.next_effect(LEASE)
    assert (first.kind, ledger.evidence(first)) == ("log-run", b"files")
    assert ledger.next_effect() is None
    ledger.offset_seconds += LEASE + 1
    second = ledger.next_effect(LEASE)
    with pytest.raises(Fenced):
        ledger.complete_effect(first, "the run of an expired lease")
    ledger.complete_effect(second, "run-1")
    ledger.discard_evidence(second)
    tags = ledger.next_effect(LEASE)
    assert (tags.kind, tags.results, tags.digest) == ("tags", {"log-run": "run-1"}, "sha256:content")
    assert ledger.evidence(tags) == b""
    ledger.postpone_effect(tags, "MLflow is down")
    assert ledger.next_effect() is None
    assert ledger.pending_effects()[0] == ("payments 1", "tags", "postponed: MLflow is down")
    claimed = ledger.next_effect(LEASE, job=tags.version)
    assert claimed.kind == "tags", "a person waits for it: the pause is over"
    ledger.postpone_effect(claimed, "MLflow is down")
    ledger.offset_seconds += 400
    ledger.drop_effect(ledger.next_effect(), "its version went")
    ledger.offset_seconds += 400
    assert ledger.next_effect() is None
    assert ledger.pending_effects() == []


def test_a_version_is_known_by_the_scheme_of_its_registry(ledger):
    """Its job and each effect of its verdict reach the registry that the version is of."""
    ledger.observe([replace(versions(1)[0], scheme="folder")])
    job = ledger.claim("a")
    assert job.uri == "folder:/payments/1"
    ledger.commit(job, PASS, EFFECTS)
    assert ledger.next_effect().version.uri == "folder:/payments/1"


def test_of_one_models_aliases_one_is_moved_at_a_time(ledger):
    """Two versions passed at once: the second one's alias waits for the first one's."""
    ledger.observe(versions(2))
    for _ in range(2):
        ledger.commit(ledger.claim("a"), PASS, [("alias", {"aliases": ["validated"]})])
    first = ledger.next_effect(LEASE)
    assert ledger.next_effect() is None
    ledger.complete_effect(first, '["validated"]')
    second = ledger.next_effect(LEASE)
    ledger.complete_effect(second, '["validated"]')
    assert [k.number for k in ledger.alias_history("payments", "validated")] == [
        second.version.number,
        first.version.number,
    ]
    assert ledger.alias_history("payments", "champion") == []


def test_a_delivery_counts_once(ledger):
    """A replay is distinguished from a new delivery; what is a week old is deleted."""
    assert ledger.deliver("delivery-1", "00")
    assert not ledger.deliver("delivery-1", "00", "payments", "1")
    ledger.offset_seconds += 8 * 86_400
    assert ledger.deliver("delivery-2", "00")
    assert len(rows(ledger, schema.inbox)) == 1


def test_untrusted_text_is_stored(ledger):
    """NUL bytes and lone surrogates in names, reasons and results stop no verdict."""
    untrusted = Version("1", 1_000, name="a\x00b\ud800'; --")
    ledger.observe([untrusted])
    job = ledger.claim("a")
    assert ledger.release(job, "x\x00\udfff")
    ledger.offset_seconds += 400
    ledger.commit(ledger.claim("a"), Facts(Outcome.FAIL, "y\x00\udfff"), [("tags", {"z": "\x00\udfff"})])
    assert ledger.next_effect().body == {"z": "\x00\udfff"}


# --- what cannot be opened -------------------------------------------------------------------------------


def test_a_ledger_that_cannot_be_opened_is_one_sentence(tmp_path):
    """Another kind of database, a server that is down, a file that is none, a newer ledger."""
    with pytest.raises(UsageError, match=r"address of 'mysql'\. Allowed: sqlite"):
        Ledger.open("mysql://127.0.0.1/x")
    with pytest.raises(UsageError, match="not a database address"):
        Ledger.open("ledger.db")
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger.open("postgresql://someone:secret@127.0.0.1:1/x")
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger.open(f"sqlite:///{tmp_path / 'broken.db'}")
    url = f"sqlite:///{tmp_path / 'newer.db'}"
    with Ledger.open(url) as ledger, ledger._engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="newer seatrial"):
        Ledger.open(url)


# --- any order of things ---------------------------------------------------------------------------------


# --- statements, heads, verdicts that are out of date -----------------------------------------------------


def signed(number, previous="", content=b"envelope"):
    return Signed(number, f"sha256:{number}", previous, content)


def test_verdicts_are_numbered_in_the_order_of_their_commits(ledger):
    """Whatever epoch they are of: the one that was claimed first is committed last, and is the latest."""
    (version,) = versions(1)
    ledger.observe([version])
    early, late = ledger.claim("a"), ledger.claim_version(version, "b")
    ledger.commit(late, PASS)
    assert ledger.passing(version.subject)
    ledger.offset_seconds = -600  # the database's clock is put back
    ledger.commit(early, FAIL)
    assert [(k.epoch, k.order, k.outcome) for k in ledger.verdicts("payments")] == [
        (1, 1, Outcome.PASS), (0, 2, Outcome.FAIL),
    ]  # fmt: skip
    assert ledger.passing(version.subject) is None


def test_a_statement_follows_the_newest_or_is_refused(ledger):
    """Nothing of the refused one is written; a verdict without a statement takes a number too."""
    (version,) = versions(1)
    subject = identity(version)
    ledger.observe([version])
    assert ledger.latest(subject) == (0, None)
    one, two, three = ledger.claim("a"), ledger.claim_version(version, "b"), ledger.claim_version(version, "c")
    ledger.commit(one, PASS, signed=signed(1))
    for wrong in (signed(1), signed(2), signed(2, "sha256:other")):
        with pytest.raises(Overtaken):
            ledger.commit(two, PASS, EFFECTS, b"files", wrong)
    assert ledger.statements(subject) == [signed(1)]
    ledger.commit(two, FAIL)
    assert ledger.latest(subject) == (2, signed(1))
    with pytest.raises(Overtaken):
        ledger.commit(three, FAIL, signed=signed(2, "sha256:1"))
    ledger.commit(three, FAIL, signed=signed(3, "sha256:1"))
    assert ledger.statements(subject) == [signed(3, "sha256:1"), signed(1)]


def test_the_first_statement_of_a_ledger_may_follow_one_of_another(ledger):
    """It was lost; the numbers go on where the registry's end."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), PASS, signed=signed(7, "sha256:6"))
    ledger.commit(ledger.claim_version(versions(1)[0], "a"), PASS)
    assert [k.order for k in ledger.verdicts("payments")] == [7, 8]


def test_a_statement_never_changes(ledger):
    """Neither an update nor a deletion is carried out."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), PASS, signed=signed(1))
    for change in ("UPDATE statement SET digest = 'x'", "DELETE FROM statement"):
        with pytest.raises(DBAPIError, match="never"), ledger._engine.begin() as connection:
            connection.execute(text(change))


def test_a_head_is_due_when_it_is_behind_or_soon_expires(ledger):
    """And stays due if a statement was committed while it was being renewed."""
    (version,) = versions(1)
    subject = identity(version)
    ledger.observe([version])
    assert ledger.due_heads(60.0, 10) == []
    ledger.commit(ledger.claim("a"), PASS, signed=signed(1))
    ((due, number, digest),) = ledger.due_heads(60.0, 10)
    assert (due.uri, number, digest) == ("models:/payments/1", 1, "sha256:1")
    ledger.commit(ledger.claim_version(version, "a"), PASS, signed=signed(2, "sha256:1"))
    ledger.record_head(subject, 1, ledger.now() + 3_600)
    assert [d.number for d in ledger.due_heads(60.0, 10)] == [2]
    ledger.record_head(subject, 2, ledger.now() + 3_600)
    assert ledger.due_heads(60.0, 10) == []
    ledger.offset_seconds += 3_550
    assert [d.number for d in ledger.due_heads(60.0, 10)] == [2]
    assert ledger.due_heads(60.0, 10, "another") == []


def test_of_many_heads_those_come_first_that_tell_nothing_and_then_those_that_expire_first(ledger):
    """Or one could expire while others are renewed that have time."""
    for number, version in enumerate(known := versions(4), start=1):
        ledger.observe([version])
        ledger.commit(ledger.claim("a"), PASS, signed=signed(number, (number > 1 and f"sha256:{number - 1}") or ""))
    for version, number, left in zip(known, (1, 2, 3), (50, 30, 40), strict=False):
        ledger.record_head(identity(version), number, ledger.now() + left)
    assert [due.number for due in ledger.due_heads(60.0, 10)] == [4, 2, 3, 1]
    assert [due.number for due in ledger.due_heads(60.0, 2)] == [4, 2]


def test_in_use_are_the_newest_version_and_the_newest_that_passed(ledger):
    """Of each model; not one that waits for its verdict, and not one that is gone."""
    for name, outcomes in (("payments", "pass pass fail inconclusive"), ("churn", "fail"), ("fraud", "pass gone")):
        for number, outcome in enumerate(outcomes.split(), start=1):
            ledger.observe([Version(str(number), number, name)])
            job = ledger.claim("a")
            if outcome == "gone":
                ledger.drop(job, "gone")
            else:
                ledger.commit(job, replace(PASS, outcome=Outcome(outcome), code_digest=f"sha256:{number}"))
    found = {(c.version.name, c.version.number): c.under for c in ledger.in_use()}
    assert set(found) == {("payments", "4"), ("payments", "2"), ("churn", "1"), ("fraud", "1")}
    assert found["payments", "2"] == {("sha256:policy", "sha256:2")}
    assert [c.version.name for c in ledger.in_use("churn")] == ["churn"]
    again = [c.version for c in ledger.in_use("payments")]
    assert ledger.validate_again(again) == 2
    assert ledger.validate_again(again) == 0
    assert ledger.in_use("payments") == []
    assert {ledger.claim("a").epoch, ledger.claim("b").epoch} == {1}


def test_a_ledger_is_known_by_its_id(ledger, tmp_path):
    """A copy is the same one; another is not; one that is not there is not reached, and not made."""
    assert len(ledger.id) == 32
    assert Ledger.reached(tmp_path / "nowhere") is None
    assert not (tmp_path / "nowhere").exists()
    with Ledger.of(tmp_path / "other") as other, Ledger.reached(tmp_path / "other") as same:
        assert other.id == same.id != ledger.id


class Histories(RuleBasedStateMachine):
    """Two workers who may die or sleep anywhere, a registry that changes, a clock that jumps ahead."""

    template = None

    @initialize()
    def begin(self):
        where = self.folder / f"{id(self)}.db"
        shutil.copyfile(self.template, where)
        self.ledger = Ledger.open(f"sqlite:///{where}")
        self.registered, self.clock = [], 1_000
        self.held, self.effects = {"a": None, "b": None}, {"a": None, "b": None}
        self.committed, self.applied = {}, []

    @rule(number=st.sampled_from("12"), doubled=st.booleans())
    def registered_or_recreated(self, number, doubled):
        self.clock += 1
        version = Version(number, self.clock)
        self.registered.append(version)
        assert self.ledger.observe([version, *([version] if doubled else [])]) == 1

    @rule()
    def listed_again(self):
        assert self.ledger.observe(self.registered) == 0

    @rule(worker=st.sampled_from("ab"))
    def claim(self, worker):
        job = self.ledger.claim(worker, LEASE)
        if job is not None:
            self.held[worker] = job

    @precondition(lambda self: self.registered)
    @rule(data=st.data(), worker=st.sampled_from("ab"))
    def a_person_starts(self, data, worker):
        self.held[worker] = self.ledger.claim_version(data.draw(st.sampled_from(self.registered)), worker, LEASE)

    @rule(seconds=st.sampled_from([1, 30, 61, 400]))
    def time_passes(self, seconds):
        self.ledger.offset_seconds += seconds

    @rule(worker=st.sampled_from("ab"))
    def dies(self, worker):
        self.held[worker] = self.effects[worker] = None

    @rule(worker=st.sampled_from("ab"))
    def renew(self, worker):
        if self.held[worker]:
            assert self.ledger.renew(self.held[worker], LEASE) is self._latest(self.held[worker])

    @rule(worker=st.sampled_from("ab"), counted=st.booleans())
    def release(self, worker, counted):
        job = self.held[worker]
        if job is None:
            return
        latest = self._latest(job)
        try:
            assert self.ledger.release(job, "failed", counted=counted) is (not counted or job.attempt < ATTEMPTS)
        except Fenced:
            assert not latest
        else:
            assert latest or (counted and job.attempt >= ATTEMPTS)
            self.held[worker] = None

    @rule(worker=st.sampled_from("ab"), outcome=st.sampled_from(list(Outcome)), dies=st.booleans())
    def commit(self, worker, outcome, dies):
        job = self.held[worker]
        if job is None:
            return
        latest = self._latest(job)
        effects = EFFECTS if outcome is Outcome.PASS else EFFECTS[:2]
        point, crash_points.point = crash_points.point, (_die if dies else crash_points.point)
        try:
            self.ledger.commit(job, Facts(outcome, "words"), effects)
        except Fenced:
            assert not latest
        except InterruptedError:
            assert latest
            self.held[worker] = None
        else:
            assert latest
            assert not dies
            key = run_key(job.subject, job.epoch, self.ledger.id)
            assert key not in self.committed, "a second verdict"
            self.committed[key] = outcome
        finally:
            crash_points.point = point

    @rule(worker=st.sampled_from("ab"))
    def take_effect(self, worker):
        self.effects[worker] = self.ledger.next_effect(LEASE) or self.effects[worker]

    @rule(worker=st.sampled_from("ab"))
    def apply_effect(self, worker):
        effect = self.effects[worker]
        if effect is None:
            return
        try:
            self.ledger.complete_effect(effect, "result")
        except Fenced:
            return
        assert effect.key in self.committed
        assert effect.kind != "alias" or self.committed[effect.key] is Outcome.PASS
        assert (effect.key, effect.kind) not in self.applied, "applied twice"
        self.applied.append((effect.key, effect.kind))
        mine = [kind for key, kind in self.applied if key == effect.key]
        assert mine == [kind for kind, _ in EFFECTS][: len(mine)], "out of order"
        self.effects[worker] = None

    @invariant()
    def one_verdict_for_each_that_was_committed(self):
        if hasattr(self, "ledger"):
            written, ledger = rows(self.ledger, schema.verdict), self.ledger.id
            kept = {run_key(row.subject, row.epoch, ledger): row.outcome for row in written}
            assert kept == {key: outcome.value for key, outcome in self.committed.items()}
            for version in self.registered:
                numbers = sorted(row.number for row in written if row.subject == identity(version))
                assert numbers == list(range(1, len(numbers) + 1)), "a number is missing or there twice"

    @invariant()
    def nobody_is_forgotten(self):
        """A version without a verdict has an open job; one job is held under one token."""
        if hasattr(self, "ledger"):
            jobs = {(row.subject, row.epoch): row for row in rows(self.ledger, schema.job)}
            for version in self.registered:
                first = jobs[identity(version), 0]
                assert (first.state == "done") is (run_key(first.subject, 0, self.ledger.id) in self.committed)
            held = [(j.subject, j.epoch, j.token) for j in self.held.values() if j]
            assert len(held) == len(set(held))

    def _latest(self, job):
        row = {(r.subject, r.epoch): r for r in rows(self.ledger, schema.job)}[job.subject, job.epoch]
        return row.token == job.token and row.state == "open"

    def teardown(self):
        if hasattr(self, "ledger"):
            self.ledger.close()


def _die(name):
    raise InterruptedError(name)


def test_in_any_order_of_things_there_is_one_verdict_and_nobody_is_forgotten(tmp_path):
    """Histories of claims, deaths, sleeps, commits and effects, checked after every step."""
    Histories.template, Histories.folder = tmp_path / "template.db", tmp_path
    with Ledger.open(f"sqlite:///{Histories.template}") as ledger, ledger._engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    many = settings(max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    Histories.TestCase.settings = many
    case = Histories.TestCase()
    case.runTest()


def test_a_tracker_that_is_away_delays_nothing_but_itself(ledger):
    """Each has a place of its own in the outbox; the files stay until the last of them has been given its run."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), PASS, [*EFFECTS, ("log-run:wandb", {}), ("log-run:clearml", {})], b"files")
    claimed = {effect.kind: effect for _ in range(3) if (effect := ledger.next_effect())}
    assert sorted(claimed) == ["log-run", "log-run:clearml", "log-run:wandb"]
    ledger.postpone_effect(claimed["log-run:wandb"], "it is down")
    for kind in ("log-run", "log-run:clearml"):
        ledger.complete_effect(claimed[kind], "run-1")
        ledger.discard_evidence(claimed[kind])
    assert ledger.next_effect().kind == "tags"
    assert ledger.evidence(claimed["log-run"]) == b"files"
    ledger.offset_seconds += 400
    again = ledger.next_effect()
    assert again.kind == "log-run:wandb"
    ledger.complete_effect(again, "run-2")
    ledger.discard_evidence(again)
    assert ledger.evidence(again) == b""


def test_what_is_refused_is_parked_with_what_follows_it_there(ledger):
    """Nothing is lost: it waits, is listed, and goes on where it was when somebody asks."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), PASS, [*EFFECTS, ("log-run:wandb", {})], b"files")
    log, tracked = ledger.next_effect(), ledger.next_effect()
    ledger.park_effect(log, "the file is too large")
    ledger.complete_effect(tracked, "run-1")
    ledger.discard_evidence(tracked)
    assert ledger.next_effect() is None
    assert [kind for _, kind, _ in ledger.pending_effects()] == [kind for kind, _ in EFFECTS]
    assert ledger.evidence(log) == b"files"
    assert ledger.resume_effects() == len(EFFECTS)
    again = ledger.next_effect()
    assert again.kind == "log-run"
    assert again.attempt == 1
    ledger.complete_effect(again, "run-2")
    assert ledger.next_effect().results == {"log-run": "run-2", "log-run:wandb": "run-1"}


def test_a_parked_tag_does_not_overwrite_that_of_a_later_verdict(ledger):
    """The run of the earlier one is logged still; its tags and its alias are of another time."""
    first = versions(1)[0]
    ledger.observe([first])
    ledger.commit(ledger.claim("a"), PASS, EFFECTS, b"files")
    ledger.park_effect(ledger.next_effect(), "refused")
    ledger.commit(ledger.claim_version(first, "b"), FAIL, EFFECTS[:2], b"files")
    later = ledger.next_effect()
    assert later.version.epoch == 1, "a parked effect blocks no later verdict"
    ledger.complete_effect(later, "run-2")
    ledger.complete_effect(ledger.next_effect(), "")
    assert ledger.resume_effects() == 1
    log = ledger.next_effect()
    assert log.kind == "log-run"
    ledger.complete_effect(log, "run-1")
    assert ledger.next_effect() is None
    assert ledger.pending_effects() == []


def test_a_postponed_effect_is_due_at_once_when_somebody_asks(ledger):
    """They do not wait for the pause."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), PASS, EFFECTS)
    ledger.postpone_effect(ledger.next_effect(), "down")
    assert ledger.next_effect() is None
    assert ledger.resume_effects() == 1
    assert ledger.next_effect().kind == "log-run"


def test_a_lease_lasts_as_long_as_its_holder_works(ledger):
    """It is renewed meanwhile, and no other worker is given the effect; one that was taken is not."""
    ledger.observe(versions(1))
    ledger.commit(ledger.claim("a"), PASS, EFFECTS)
    effect = ledger.next_effect(LEASE)
    beats = threading.Event()

    def renew():
        held = ledger.renew_effect(effect, LEASE)
        beats.set()
        return held

    with renewed(renew, 0.03, "lease of a test"):
        for _ in range(4):
            ledger.offset_seconds += LEASE * 2 / 3  # twice this is more than the lease
            beats.clear()
            assert beats.wait(30)
            assert ledger.next_effect(LEASE) is None
    ledger.offset_seconds += LEASE + 1
    assert ledger.next_effect(LEASE).token == effect.token + 1
    assert not ledger.renew_effect(effect, LEASE)


def test_a_parked_effect_gives_way_to_the_newest_verdict_by_number(ledger):
    """One that a person started may be committed before a job that began earlier: numbers count, not epochs."""
    first = versions(1)[0]
    ledger.observe([first])
    slow, by_hand = ledger.claim("a"), ledger.claim_version(first, "b")
    assert (slow.epoch, by_hand.epoch) == (0, 1)
    ledger.commit(by_hand, PASS, EFFECTS, b"files")
    ledger.park_effect(ledger.next_effect(), "refused")
    ledger.commit(slow, FAIL, EFFECTS[:2], b"files")
    newest = ledger.next_effect()
    assert newest.version.epoch == 0
    ledger.park_effect(newest, "refused")
    assert ledger.resume_effects() == 3, "all of the newest verdict, and the run of the one before"
    left = {(effect.version.epoch, effect.kind) for effect in claimed(ledger)}
    assert left == {(0, "log-run"), (0, "tags"), (1, "log-run")}


def claimed(ledger):
    """Claim and complete whatever is due, in order."""
    found = []
    while (effect := ledger.next_effect()) is not None:
        ledger.complete_effect(effect, "done")
        found.append(effect)
    return found


def test_a_claim_takes_what_was_due_then_and_is_of_these_models(ledger):
    """What becomes due meanwhile is for the next run; what another project registered is not taken."""
    ledger.observe([replace(versions(1)[0], name="theirs"), versions(2)[1]])
    begun = ledger.now()
    assert sorted(ledger.waiting_models()) == ["payments", "theirs"]
    job = ledger.claim("a", models=["payments"], due_by=begun)
    assert job.name == "payments"
    ledger.release(job, "down", counted=False)
    ledger.offset_seconds += 400
    assert ledger.claim("a", models=["payments"], due_by=begun) is None
    assert ledger.claim("a", models=["payments"]).token == job.token + 1


def test_the_pause_grows_when_nothing_is_counted(ledger):
    """An environment that stays away is asked less and less often."""
    ledger.observe(versions(1))
    for pause in (10, 20, 40, 80):
        job = ledger.claim("a")
        ledger.release(job, "down", counted=False)
        ledger.offset_seconds += pause - 2
        assert ledger.claim("a") is None
        ledger.offset_seconds += 4
