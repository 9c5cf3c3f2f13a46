"""Aliases on versions that did not earn them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from seatrial import registry
from seatrial.events import Outcome
from seatrial.ledger import Ledger, StoredVerdict
from seatrial.policy.service import promotion
from seatrial.project import Project
from seatrial.promotion.effects import Never, unchanged
from seatrial.promotion.triggers import polling
from seatrial.registry import VALIDATED, Version, subject_of


@dataclass(frozen=True)
class UnauthorisedAlias:
    """An alias on a version that did not earn it; ``back`` is the version it was put back on, where it was."""

    model: str
    alias: str
    number: str
    why: str
    back: str = ""

    def __str__(self) -> str:
        done = f" It was put back on version {self.back}." if self.back else ""
        return f"'{self.alias}' of {self.model} stands on version {self.number}: {self.why}.{done}"


def watch(ledger: Ledger, project: Project, *, hashing: bool = False) -> list[UnauthorisedAlias]:
    """Return the aliases on versions without a passing verdict, and put them back where the policy says so.

    Args:
        ledger: whose word counts; tags are anybody's.
        project: whose policy names the alias.
        hashing: also download what is promoted and compare it with what passed.

    Raises:
        RegistryError: no answer.
    """
    policy = promotion(project.expectations)
    ours = {VALIDATED, policy.alias}
    strays = []
    found = registry.named(project.registry)
    for model, aliases in found.aliases().items():
        for alias in sorted(ours & set(aliases)):
            holder = found.present(model, aliases[alias])
            if holder is None or not polling.wanted([holder], project.models):
                continue
            if why := why_unauthorised(ledger, holder, hashing=hashing):
                back = _put_back(ledger, holder, alias) if policy.restore else ""
                strays.append(UnauthorisedAlias(model, alias, holder.number, why, back))
    return strays


def why_unauthorised(ledger: Ledger, version: Version, *, hashing: bool = False) -> str:
    """Return why a version's verdicts do not let it be promoted; empty when they do."""
    kept = ledger.passing(subject_of(version))
    if kept is None:
        mine = [k for k in ledger.verdicts(version.name, version.number) if k.created == version.created]
        evaluated = [k.outcome.value for k in mine if k.outcome in (Outcome.PASS, Outcome.FAIL)] or [
            k.outcome.value for k in mine
        ]
        return f"its verdict is {evaluated[-1]}" if evaluated else "it has no verdict"
    if hashing:
        try:
            unchanged(version, kept.facts.digest)
        except Never:
            return "its files are not those that passed"
    return ""


def _put_back(ledger: Ledger, stray: Version, alias: str) -> str:
    """Put the alias on the version it stood on before by right; return its number, or nothing where there is none."""
    for kept in ledger.stood(stray.name, alias):
        there = registry.of(stray.uri).present(kept.name, kept.number)
        if there is not None and there.created == kept.created and there.number != stray.number:
            good = _still_good(ledger, there, kept)
            if good and registry.of(stray.uri).move_alias(stray.name, alias, there.number):
                return there.number
    return ""


def _still_good(ledger: Ledger, version: Version, kept: StoredVerdict) -> bool:
    latest: Any = ledger.passing(subject_of(version))
    if latest is None or latest.facts.digest != kept.facts.digest:
        return False
    with contextlib.suppress(Never):
        unchanged(version, kept.facts.digest)
        return True
    return False
