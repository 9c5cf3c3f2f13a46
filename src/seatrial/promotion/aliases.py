"""Unauthorised aliases: aliases on versions without a passing verdict."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from seatrial import registry
from seatrial.errors import RegistryError
from seatrial.events import Outcome, Subject
from seatrial.ledger import Ledger, StoredVerdict, identity
from seatrial.policy.service import promotion
from seatrial.project import Project
from seatrial.promotion.effects import PermanentFailure, unchanged
from seatrial.promotion.elsewhere import signed_verdict
from seatrial.registry import VALIDATED, Version, subject_of

UNKNOWN = "its files cannot be downloaded, so that nobody knows whether they are those that passed"


@dataclass(frozen=True)
class UnauthorisedAlias:
    """An alias on a version without a passing verdict; ``restored_to`` is where it was moved back to, or empty."""

    model: str
    alias: str
    number: str
    reason: str
    restored_to: str = ""

    def __str__(self) -> str:
        done = f" It was moved back to version {self.restored_to}." if self.restored_to else ""
        return f"Unauthorised alias '{self.alias}' of {self.model} on version {self.number}: {self.reason}.{done}"


def check_aliases(ledger: Ledger, project: Project, *, hashing: bool = False) -> list[UnauthorisedAlias]:
    """Return the aliases on versions without a passing verdict, and move them back if the policy says so.

    Args:
        ledger: has the verdicts; tags are not trusted.
        project: its policy names the alias.
        hashing: also download the promoted files and compare them with those that passed.

    Raises:
        RegistryError: the registry does not answer.
    """
    policy = promotion(project.expectations)
    guarded = {VALIDATED, policy.alias}
    here, found = registry.named(project.registry), list[UnauthorisedAlias]()
    for model, aliases in registry.aliases(here, project.models).items():
        on = {alias: aliases[alias] for alias in sorted(guarded & set(aliases))}
        if not on or not project.owns(model):
            continue
        for number in sorted(set(on.values())):
            if not hashing and _passed_here(ledger, model, number):
                continue
            holder = registry.present(f"{project.registry}:/{model}/{number}")
            if holder is None:
                continue
            reason = _unauthorised(ledger, project, holder, hashing=hashing)
            for alias in (alias for alias in on if on[alias] == number and reason):
                restored = _restore(ledger, holder, alias) if policy.restore and reason != UNKNOWN else ""
                found.append(UnauthorisedAlias(model, alias, number, reason, restored))
    return found


def _passed_here(ledger: Ledger, model: str, number: str) -> bool:
    """Return whether the newest version of this name and number that was ever listed has a valid pass.

    One that was deleted and registered again has been listed since, without a verdict.
    """
    newest = ledger.overview(model, number, most=1)
    return any(ledger.passing(Subject(v.name, v.number, created=v.created)) is not None for v in newest)


def _unauthorised(ledger: Ledger, project: Project, holder: Version, *, hashing: bool) -> str:
    """Return why an alias may not stand on a version; UNKNOWN where its files cannot be downloaded to see that."""
    try:
        reason = why_unauthorised(ledger, holder, hashing=hashing)
        return "" if reason and _passed_elsewhere(ledger, project, holder, hashing=hashing) else reason
    except RegistryError:
        if not registry.reachable(holder.uri):
            raise  # of every version that follows too
        return UNKNOWN


def why_unauthorised(ledger: Ledger, version: Version, *, hashing: bool = False) -> str:
    """Return why a version's verdicts do not allow its promotion; empty when they do."""
    passed = ledger.passing(subject_of(version))
    if passed is None:
        verdicts = [k for k in ledger.verdicts(version.name, version.number) if k.created == version.created]
        evaluated = [k.outcome.value for k in verdicts if k.outcome in (Outcome.PASS, Outcome.FAIL)] or [
            k.outcome.value for k in verdicts
        ]
        return f"its verdict is {evaluated[-1]}" if evaluated else "it has no verdict"
    if hashing:
        try:
            unchanged(version, passed.facts.digest)
        except PermanentFailure:
            return "its files are not the files that passed"
    return ""


def _passed_elsewhere(ledger: Ledger, project: Project, version: Version, *, hashing: bool) -> bool:
    """Return whether another ledger, to which this one leaves the version, has its pass."""
    if not ledger.relies(identity(version)):
        return False
    known = signed_verdict(project, version, hashing=hashing)
    return known is not None and known.outcome is Outcome.PASS


def _restore(ledger: Ledger, holder: Version, alias: str) -> str:
    """Move the alias back to the last passing version that it was on; return its number, or empty if there is none."""
    here = registry.of(holder.uri)
    for verdict in ledger.alias_history(holder.name, alias):
        former = registry.present(f"{holder.scheme}:/{verdict.name}/{verdict.number}")
        if former is not None and former.created == verdict.created and former.number != holder.number:
            valid = _still_valid(ledger, former, verdict)
            if valid and here.move_alias(former, alias):
                return former.number
    return ""


def _still_valid(ledger: Ledger, version: Version, verdict: StoredVerdict) -> bool:
    latest: Any = ledger.passing(subject_of(version))
    if latest is None or latest.facts.digest != verdict.facts.digest:
        return False
    with contextlib.suppress(PermanentFailure):
        unchanged(version, verdict.facts.digest)
        return True
    return False
