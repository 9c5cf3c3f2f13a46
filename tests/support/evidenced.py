"""The evidence of verdicts that are put together from events, with a policy and its authors; nothing is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seatrial.events import Case, Evaluated, Event, Measurement, NotEvaluated, Outcome, Subject, total
from seatrial.promotion.assurance.build import evidence_of
from seatrial.promotion.assurance.model import Evidence
from seatrial.promotion.assurance.signed import SignedVerdict
from seatrial.promotion.assurance.then import Origin, PolicyThen
from seatrial.promotion.attestation import Link, Statement
from seatrial.promotion.code import Code
from seatrial.registry import Version

BEGAN = 1_800_000_000
PATH = ("raw", "features", "score", "service")
POLICY = {
    "service.toml": b"[slo]\nlimit_ms = 250\nrate = 10\n[dependencies.store]\ntimeout_ms = 300\n[promotion]\n",
    "features.py": b"def expectations(reference):\n    return []\n",
    "score.py": b"quality = Quality(label='y', score='s', limits={'roc_auc': 0.8}, slices=['c'], groups={'c': {}})",
    "contract/app/one.json": b"{}",
}
ADA = Origin("Ada Lovelace", BEGAN - 86_400, "a" * 40, counted=True)
LATER = Origin("Bob", BEGAN + 60, "b" * 40, reason="It was committed after the run began.")
KNOWN = PolicyThen(POLICY, dict.fromkeys(POLICY, ADA), changed=False)
UNKNOWN = PolicyThen(None, {}, changed=True, reason="The policy of the run is not known: it is elsewhere.")
GOOD: tuple[Event, ...] = (
    *(Evaluated(check, stage, 500) for check in ("expectations", "golden", "invariants") for stage in PATH[:3]),
    Evaluated("golden", "service", 500),
    Evaluated("quality", "score", 500),
    Evaluated("contract", "service", 70),
    Evaluated("load", "service", 2_000),
    Evaluated("resilience", "store", 90),
    Evaluated("environment", None, 12),
    Measurement("quality", "score", "roc_auc", 0.91, column="s"),
    Measurement("quality", "score", "roc_auc.champion", 0.9, column="s"),
    Measurement("load", "service", "p99", float("inf"), "s"),
)


def set_later(*names: str) -> PolicyThen:
    """Return the policy with some of its files committed after the run began."""
    return PolicyThen(POLICY, {name: LATER if name in names else ADA for name in POLICY}, changed=False)


def without(*checks: str, events: Iterable[Event] = GOOD) -> tuple[Event, ...]:
    """Return events without those of some checks."""
    return tuple(each for each in events if getattr(each, "check", "") not in checks)


def evidenced(
    events: Iterable[Event] = GOOD, policy: PolicyThen = KNOWN, *, name: str = "payments", later: int = 0,
    optional: Iterable[str] = (), notes: Iterable[str] = (),
) -> Evidence:  # fmt: skip
    """Return the evidence of a verdict with these events."""
    events = list(events)
    planned = [Case(each.check, each.stage) for each in events if isinstance(each, Evaluated | NotEvaluated)]
    verdict = total(
        events, subject=Subject(name, "3"), path=("raw", "store", *PATH[1:]), planned=planned, seconds=40.0,
        dependencies=["store"], optional=[*optional],
    )  # fmt: skip
    version = Version(name, "3", 1_700_000_000_000, "run", "", registry="sqlite:///mlflow.db")
    following = tuple(stated(name, Outcome.INCONCLUSIVE, 9 - n) for n in range(later))
    signed = SignedVerdict(
        version, stated(name, verdict.outcome, 2), verdict, f"sha256:{'7' * 64}", following, (*notes,)
    )
    return evidence_of(signed, policy)


def stated(name: str, outcome: Outcome, number: int) -> Statement:
    """Return a statement with digests that tell themselves apart."""
    one, two, three, four, five, six = (f"sha256:{digit * 64}" for digit in "123456")
    files: Mapping[str, str] = {"verdict.json": "7" * 64}
    return Statement(
        one, True, "k" * 64, name, "3", 1_700_000_000_000, two, Code({"pipeline.py": "0" * 64}), three, four, five, six,
        files, outcome, (BEGAN + 40) * 1000, Link("ledger", 0, number),
    )  # fmt: skip
