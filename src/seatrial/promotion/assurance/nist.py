"""Which subcategories of the NIST AI RMF the results of a verdict support, and which they do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seatrial.events import Outcome
from seatrial.formatting import plural
from seatrial.pipeline import SERVICE
from seatrial.promotion.assurance import model
from seatrial.promotion.assurance.mapping import Subcategory, shows, subcategories
from seatrial.promotion.assurance.results import GOOD, UNKNOWN, not_counted, worst
from seatrial.promotion.assurance.then import UNKNOWN as NOBODY
from seatrial.promotion.assurance.thresholds import Declared, of_case

NO_THRESHOLD = "The policy declares no threshold."


@dataclass(frozen=True)
class Shown:
    """What a verdict shows.

    Attributes:
        outcome: of the verdict.
        summary: of the verdict.
        results: of its cases.
        thresholds: of the policy of the run.
        settings: the same, with the arguments that each sets.
        known: whether the policy of the run is.
        dependencies: of the pipeline.
    """

    outcome: Outcome
    summary: str
    results: tuple[model.Result, ...]
    thresholds: tuple[model.Threshold, ...]
    settings: tuple[Declared, ...]
    known: bool = True
    dependencies: tuple[str, ...] = ()

    def of(self, checks: Iterable[str], declares: Iterable[str] = ()) -> tuple[model.Result, ...]:
        """Return the results of some checks, or of those whose stage's policy sets one of some arguments."""
        wanted = {*declares}
        found = (each for each in self.results if each.check in checks)
        return tuple(each for each in found if not wanted or wanted & self._names(each))

    def not_counted(self, found: Iterable[model.Result]) -> str:
        """Return why some results are not counted, as a sentence; empty where all are."""
        return not_counted(found, {each.id: each for each in self.thresholds}, known=self.known)

    def _names(self, result: model.Result) -> set[str]:
        return {name for each in of_case(self.settings, result.check, result.stage or None) for name in each.names}


def framework(shown: Shown, source: str) -> model.Framework:
    """Return every subcategory with its status."""
    return model.Framework(source=source, subcategories=tuple(_assessed(each, shown) for each in subcategories()))


def _assessed(of: Subcategory, shown: Shown) -> model.Subcategory:
    found = shown.of(of.checks, of.declares)
    if of.records:
        status, says = _records(of, shown)
    elif of.verdict:
        status, says = _verdict(of, shown)
    else:
        status, says = _checked(of, shown, found)
    return model.Subcategory(
        id=of.id, text=of.text, status=status, says=says, rest="" if status == "not assessed" else of.rest,
        results=tuple(each.id for each in found), records=of.records and status == "partly supported",
    )  # fmt: skip


def _checked(of: Subcategory, shown: Shown, found: tuple[model.Result, ...]) -> tuple[model.Status, str]:
    if not found:
        undeclared = of.declares and not shown.known and shown.of(of.checks)
        return "not assessed", UNKNOWN if undeclared else of.because
    gravest = worst(found)
    bad = [each for each in found if each.state not in GOOD]
    if gravest == "failed":
        return "failed", f"Failed: {_named([e for e in bad if e.state != 'not evaluated'])}."
    if gravest == "inconclusive":
        return "inconclusive", f"Not evaluated: {_named(bad)}."
    if reason := shown.not_counted(found):
        return "not counted", reason
    return "partly supported", of.shows or _composed(of, found)


def _composed(of: Subcategory, found: tuple[model.Result, ...]) -> str:
    """Return what the checks that passed show, and which of the subcategory's checks did not run."""
    told = "; ".join(dict.fromkeys(shows(each.check, service=each.stage == SERVICE) for each in found))
    absent = [check for check in of.checks if check not in {each.check for each in found}]
    missing = f" Not run: {', '.join(absent)}." if absent else ""
    return f"{told[:1].upper()}{told[1:]}.{missing}"


def _verdict(of: Subcategory, shown: Shown) -> tuple[model.Status, str]:
    if shown.outcome is Outcome.FAIL:
        return "failed", "The version failed: it is not promoted."
    if shown.outcome is not Outcome.PASS:
        return "inconclusive", "The verdict decided nothing: the version is not promoted."
    if reason := shown.not_counted(shown.results) or _late(shown):
        return "not counted", reason
    return "partly supported", f"{shown.summary[:1].upper()}{shown.summary[1:]}. {of.shows}"


def _records(of: Subcategory, shown: Shown) -> tuple[model.Status, str]:
    if not any(each.compared for each in shown.results):
        return "not assessed", of.because
    if of.committed and shown.known and not shown.thresholds:
        return "not assessed", NO_THRESHOLD
    if of.committed and (reason := _late(shown, by_whom=True)):
        return "not counted", reason
    return "partly supported", of.shows


def _late(shown: Shown, *, by_whom: bool = False) -> str:
    """Return why not every threshold was there before the run, or is known by its author; empty where each is."""
    if not shown.known:
        return UNKNOWN
    out = (each for each in shown.thresholds if not each.counted or (by_whom and each.author == NOBODY))
    return next((f"{each.id}: {each.reason}" for each in out), "")


def _named(found: list[model.Result], most: int = 4) -> str:
    names = [each.id for each in found]
    more = [plural(len(names) - most, "further case")] if len(names) > most else []
    return ", ".join([*names[:most], *more])
