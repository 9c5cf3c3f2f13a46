"""After any sequence of faults, status and history show what happened: compared with a small model of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seatrial.events import Outcome
from seatrial.ledger import ATTEMPTS, Facts, Fenced, Ledger, identity
from seatrial.policy.digest import policy_digest
from seatrial.process import crash_points
from seatrial.project import Project
from seatrial.promotion.code import read_code
from seatrial.promotion.fleet.status import STALE, read
from seatrial.promotion.fleet.text import body
from tests.unit.ledger.test_ledger import Version

LEASE = 60.0
MOST = 4  # versions: few, so that much happens to each
KINDS = ["log-run", "tags", "log-run:wandb", "alias"]


class Frozen(Ledger):
    """A ledger whose clock stands still until somebody moves it."""

    def _now(self, connection: Any) -> float:
        return 1_000_000.0 + self.offset_seconds


@dataclass
class Told:
    """What the model knows of one validation. ``effects`` are kind, state, reason."""

    state: str = "open"
    owner: str = ""
    due: float = 0.0
    attempts: int = 0
    error: str = ""
    token: int = 0
    outcome: Outcome | None = None
    number: int = 0
    under: tuple[str, str] = ("", "")
    effects: list[list[str]] = field(default_factory=list)

    def shown(self, now: float) -> str:
        """Return the state that people see."""
        if self.state != "open":
            return "done" if self.outcome else "closed"
        return "due" if self.due <= now else "running" if self.owner else "paused"


class Shown(RuleBasedStateMachine):
    """Workers that die or sleep, a registry that forgets versions, people who cancel and rerun, code that changes."""

    template: ClassVar[Path]
    project: ClassVar[Project]

    @initialize()
    def begin(self) -> None:
        where = self.template.with_name(f"{id(self)}.db")
        shutil.copyfile(self.template, where)
        self.ledger = Frozen.open(f"sqlite:///{where}")
        self.known: dict[str, tuple[Version, list[Told]]] = {}
        self.jobs: list[Any] = []
        self.claims: list[Any] = []
        self.moved: dict[str, tuple[int, str]] = {}
        self.code = 0
        self.now = self.ledger.now()
        self._code_changes()

    # --- what happens ------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.known) < MOST)
    @rule(model=st.sampled_from(["payments", "payments", "fraud"]))
    def registers(self, model: str) -> None:
        version = Version(str(len(self.known) + 1), 1_000 + len(self.known), model)
        assert self.ledger.observe([version]) == 1
        self.known[identity(version)] = (version, [Told(due=self.now)])

    @rule(seconds=st.sampled_from([5, 61, 400]))
    def time_passes(self, seconds: int) -> None:
        self.ledger.offset_seconds += seconds
        self.now = self.ledger.now()

    @rule()
    def code_changes(self) -> None:
        self._code_changes()

    def _code_changes(self) -> None:
        self.code = (self.code + 1) % 3
        (self.project.root / "pipeline.py").write_text(f"pipeline = {self.code}\n")
        self.digests = policy_digest(self.project.expectations), read_code(self.project).digest

    @rule(worker=st.sampled_from("ab"))
    def claims_a_job(self, worker: str) -> None:
        job = self.ledger.claim(worker, LEASE)
        due = [told for _, all_told in self.known.values() for told in all_told if told.shown(self.now) == "due"]
        assert (job is None) is (not due)
        if job is not None:
            told = self._told(job)
            assert told.shown(self.now) == "due"
            told.owner, told.due, told.attempts, told.token = worker, self.now + LEASE, told.attempts + 1, job.token
            self.jobs.append(job)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), how=st.sampled_from(["renew", "counted", "environment", "gone", "elsewhere"]))
    def job_goes_on(self, data: st.DataObject, how: str) -> None:
        job = self._one_of(self.jobs, data)
        told, mine = self._told(job), self._mine(job)
        try:
            if how == "renew":
                assert self.ledger.renew(job, LEASE) is mine
                told.due = self.now + LEASE if mine else told.due
                return
            if how == "gone":
                self.ledger.drop(job, "no longer registered")
                told.state, told.owner, told.error = "gone", "", "no longer registered"
            elif how == "elsewhere":
                self.ledger.postpone(job, self.now + 500)
                told.owner, told.due, told.attempts = "", self.now + 500, job.attempt - 1
                told.error = "It has a verdict in another ledger."
            elif not self.ledger.release(job, f"{how}: it broke", counted=how == "counted"):
                assert job.attempt >= ATTEMPTS
                return
            else:
                pause = min(10.0 * 2 ** ((job.attempt if how == "counted" else job.token) - 1), 300.0)
                told.owner, told.due, told.error = "", self.now + pause, f"{how}: it broke"
                told.attempts = job.attempt - (how == "environment")
        except Fenced:
            assert not mine
        else:
            assert mine
            self.jobs.remove(job)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome), dies=st.booleans())
    def commits(self, data: st.DataObject, outcome: Outcome, dies: bool) -> None:
        self._commit(self._one_of(self.jobs, data), outcome, dies=dies)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def a_person_validates(self, data: st.DataObject, outcome: Outcome) -> None:
        version, validations = self.known[data.draw(st.sampled_from(sorted(self.known)))]
        if validations[-1].state != "open" or validations[-1].shown(self.now) == "running":
            validations.append(Told())
        job, told = self.ledger.claim_version(version, "ann", LEASE), validations[-1]
        assert job.epoch == len(validations) - 1
        told.owner, told.due, told.attempts, told.token = "ann", self.now + LEASE, told.attempts + 1, job.token
        self.jobs.append(job)
        self._commit(job, outcome)

    def _commit(self, job: Any, outcome: Outcome, *, dies: bool = False) -> None:
        told, mine = self._told(job), self._mine(job)
        kinds = KINDS if outcome is Outcome.PASS else KINDS[:3]
        policy, code = self.digests
        facts = Facts(outcome, f"{outcome.value}: why", "sha256:content", policy, code_digest=code)
        point, crash_points.point = crash_points.point, (_dies if dies else crash_points.point)
        try:
            self.ledger.commit(job, facts, [(kind, {}) for kind in kinds])
        except Fenced:
            assert not mine
        except InterruptedError:
            assert mine
        else:
            assert mine
            told.state, told.owner, told.error, told.outcome, told.under = "done", "", "", outcome, self.digests
            told.number = 1 + max((each.number for each in self.known[job.subject][1]), default=0)
            told.effects = [[kind, "open", ""] for kind in kinds]
        finally:
            crash_points.point = point
            self.jobs.remove(job)

    @rule(refused=st.booleans())
    def takes_an_effect(self, *, refused: bool) -> None:
        effect = self.ledger.next_effect(LEASE)
        if effect is not None:
            told = self._effect(effect)
            assert told[1] == "open"
            told[2] = ""
            self.claims = [each for each in self.claims if each.id != effect.id] + [effect]
            if refused:
                self._end(effect, "parked")

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(["done", "parked", "postponed", "dropped"]))
    def effect_ends(self, data: st.DataObject, how: str) -> None:
        self._end(self._one_of(self.claims, data), how)

    def _end(self, effect: Any, how: str) -> None:
        self.claims.remove(effect)
        told, validation = self._effect(effect), self._told(effect.version)
        later = [each for each in validation.effects[validation.effects.index(told) + 1 :] if ":" not in each[0]]
        later = [] if effect.tracker else [each for each in later if each[1] == "open"]
        try:
            if how == "done":
                self.ledger.complete_effect(effect, '["champion"]' if effect.kind == "alias" else "it is there")
            elif how == "parked":
                self.ledger.park_effect(effect, "refused")
            elif how == "postponed":
                self.ledger.postpone_effect(effect, "it is away")
            else:
                self.ledger.drop_effect(effect, "never")
        except Fenced:
            assert told[1] != "open"
            return
        assert told[1] == "open"
        if how == "postponed":
            told[2] = "postponed: it is away"
        elif how == "done":
            told[1:] = "done", '["champion"]' if effect.kind == "alias" else "it is there"
            if effect.kind == "alias":
                model = effect.version.name
                self.moved[model] = max(self.moved.get(model, (0, "")), (effect.id, effect.version.subject))
        else:
            for each in (told, *later):
                each[1:] = how, "refused" if how == "parked" else "never"

    @rule()
    def syncs(self) -> None:
        self.ledger.resume_effects()
        for _, validations in self.known.values():
            for validation in validations:
                overtaken = any(each.number > validation.number for each in validations)
                for effect in validation.effects:
                    if effect[1] == "parked" and overtaken and not effect[0].startswith("log-run"):
                        effect[1:] = "dropped", "A later verdict has overtaken it."
                    elif effect[1] == "parked":
                        effect[1] = "open"

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def is_cancelled(self, data: st.DataObject) -> None:
        subject = data.draw(st.sampled_from(sorted(self.known)))
        opened = [told for told in self.known[subject][1] if told.state == "open"]
        running = sorted(told.owner for told in opened if told.shown(self.now) == "running")
        owners = self.ledger.cancel(subject, "by ann")
        assert (owners is None) is (not opened)
        assert sorted(owners or ()) == running
        for told in opened:
            told.state, told.owner, told.error, told.token = "gone", "", "cancelled by ann", told.token + 1

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def is_asked_for_again(self, data: st.DataObject) -> None:
        version, validations = self.known[data.draw(st.sampled_from(sorted(self.known)))]
        told = validations[-1]
        if told.state == "open":
            free = [each for each in validations if each.state == "open" and each.shown(self.now) != "running"]
            assert self.ledger.hurry(version) is bool(free)
            for told in free:
                told.due, told.owner, told.error = self.now, "", ""
        else:
            assert self.ledger.validate_again([version], closed=True) == 1
            validations.append(Told(due=self.now))

    # --- what is shown -----------------------------------------------------------------------------------

    @invariant()
    def status_is_right(self) -> None:
        if not getattr(self, "known", None):
            return
        shown = body(read(self.ledger, self.project, most=0))
        expected = {
            f"models:/{version.name}/{version.number}": self._expected(s) for s, (version, _) in self.known.items()
        }
        found = {each["uri"]: (each, [e["kind"] + e["state"] for e in each["waiting"]]) for each in shown["versions"]}
        assert {
            uri: (
                (each["verdict"] or {}).get("outcome"), each["state"], each["error"], each["stale"], each["attention"],
                waits,
            )
            for uri, (each, waits) in found.items()
        } == expected  # fmt: skip
        assert all((STALE in each["notes"]) is each["stale"] for each, _ in found.values())
        everything = [told for _, validations in self.known.values() for told in validations]
        effects = [effect[1] for told in everything for effect in told.effects]
        assert shown["counts"]["versions"] == len(self.known)
        assert shown["counts"]["open"] == sum(told.state == "open" for told in everything)
        assert (shown["counts"]["waiting"], shown["counts"]["parked"]) == (
            effects.count("open"),
            effects.count("parked"),
        )
        order = [not each["attention"] for each in shown["versions"]]
        assert order == sorted(order)

    @invariant()
    def history_is_right(self) -> None:
        for subject, (version, validations) in getattr(self, "known", {}).items():
            found = [each for each in self.ledger.overview(version.name, version.number) if each.subject == subject]
            assert [
                (
                    v.epoch, v.state, v.attempts, v.owner, v.error, v.verdict and (v.verdict.outcome, v.verdict.order),
                    [[e.kind, e.state, e.result] for e in v.effects],
                )
                for v in found[0].validations
            ] == [
                (
                    epoch, told.shown(self.now), told.attempts, told.owner, told.error,
                    told.outcome and (told.outcome, told.number), told.effects,
                )
                for epoch, told in enumerate(validations)
            ]  # fmt: skip

    def _expected(self, subject: str) -> tuple[Any, ...]:
        version, validations = self.known[subject]
        newest, last = _newest(validations), validations[-1]
        stale = subject in self._stale()
        waits = [e[0] + e[1] for told in validations for e in told.effects if e[1] in ("open", "parked")]
        failed = any(
            told.error not in ("", "It has a verdict in another ledger.")
            for told in validations
            if told.state == "open" and told.shown(self.now) != "running"
        )
        away = any(e[1] == "open" and e[2].startswith("postponed") for told in validations for e in told.effects)
        refused = newest is not None and newest.outcome is not Outcome.PASS and not stale
        refused &= all(told.state != "open" for told in validations)
        refused &= _registered(validations) and subject in (
            self._newest_of(version.name),
            self._promoted_of(version.name),
        )
        attention = failed or away or any(wait.endswith("parked") for wait in waits) or refused
        return newest and newest.outcome.value, last.shown(self.now), last.error, stale, attention, waits

    def _newest_of(self, model: str) -> str:
        return next((s for s, (v, told) in reversed(self.known.items()) if v.name == model and _registered(told)), "")

    def _promoted_of(self, model: str) -> str:
        return self.moved.get(model, (0, ""))[1]

    def _stale(self) -> set[str]:
        used = set[str]()
        for model in {version.name for version, _ in self.known.values()}:
            mine = [
                (s, told)
                for s, (v, told) in self.known.items()
                if v.name == model and _newest(told) and _registered(told)
            ]
            used |= {s for s, _ in mine[-1:]}
            used |= {s for s, told in [(s, told) for s, told in mine if _decided(told) is Outcome.PASS][-1:]}
        return {
            s for s in used
            if self.known[s][1][-1].state != "open" and self.digests not in [told.under for told in self.known[s][1]]
        }  # fmt: skip

    # --- the model's own -----------------------------------------------------------------------------------

    def _told(self, job: Any) -> Told:
        return self.known[job.subject][1][job.epoch]

    def _mine(self, job: Any) -> bool:
        told = self._told(job)
        return told.state == "open" and told.token == job.token

    def _effect(self, effect: Any) -> list[str]:
        return next(each for each in self._told(effect.version).effects if each[0] == effect.kind)

    @staticmethod
    def _one_of(things: list[Any], data: st.DataObject) -> Any:
        return things[data.draw(st.integers(0, len(things) - 1))]

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()


def _newest(validations: list[Told]) -> Any:
    return max((told for told in validations if told.outcome), key=lambda told: told.number, default=None)


def _decided(validations: list[Told]) -> Outcome | None:
    decided = [told for told in validations if told.outcome in (Outcome.PASS, Outcome.FAIL)]
    return max(decided, key=lambda told: told.number).outcome if decided else None


def _registered(validations: list[Told]) -> bool:
    return not (validations[-1].state == "gone" and not validations[-1].error.startswith("cancelled"))


def _dies(_: str) -> None:
    raise InterruptedError


def test_status_and_history_show_what_happened(tmp_path: Path) -> None:
    """Claims, crashes, verdicts, parked effects, sync, rerun, cancel, leases that end, code that changes."""
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (tmp_path / "pipeline.py").write_text("pipeline = None\n")
    Shown.template, Shown.project = tmp_path / "template.db", Project.find(tmp_path)
    Frozen.open(f"sqlite:///{Shown.template}").close()
    Shown.TestCase.settings = settings(
        max_examples=10,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a history is short enough to be read as it is
    )
    case: Any = Shown.TestCase()
    case.runTest()
