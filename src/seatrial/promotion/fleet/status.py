"""Where every version stands: read once from the ledger, and shown the same everywhere.

First what a person is needed for, then what is in progress, then the rest; of each the newest first. What is not shown
is counted, so that a fleet of ten thousand versions gives a page of the same size as one of ten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from seatrial.events import Outcome
from seatrial.ledger import Ledger, Standing, VersionHistory
from seatrial.project import Project
from seatrial.promotion.fleet.words import doing, dropped, left_to_do, moment, short
from seatrial.promotion.reconcile import outdated
from seatrial.sinks.text import neutral

MOST = 100  # versions of a page
NAME, SUMMARY, NOTES = 200, 300, 12  # characters of a name and of a summary; sentences about one version
UNDER_WAY = ("due", "running", "paused")  # also of one that a person did not wait for
STALE = "code or policy changed since"


class Group(StrEnum):
    """How urgent a version is."""

    ATTENTION = "needs a person"
    PROGRESS = "in progress"
    REST = "nothing to do"


@dataclass(frozen=True)
class Row:
    """A version as it is shown.

    Attributes:
        history: what the ledger has of it.
        group: how urgent it is.
        stale: whether it is in use, and code or policy changed since its verdict.
        notes: a sentence for each thing that is still to be done about it.
    """

    history: VersionHistory
    group: Group
    stale: bool
    notes: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Version, verdict, time in UTC, code and policy, as every rendering shows them."""
        verdict = self.history.verdict
        name = neutral(f"{self.history.name}/{self.history.number}", NAME)
        if verdict is None:
            return name, "none", "", "", ""
        facts = verdict.facts
        at = moment(verdict.created_at)[:16]
        return name, facts.outcome.value, at, short(facts.code_digest), short(facts.policy_digest)


@dataclass(frozen=True)
class Status:
    """The versions of a project at one moment.

    Attributes:
        project: its name.
        model: the one model that is shown; empty for all.
        at: by the ledger's clock, seconds since 1970.
        rows: the versions that are shown.
        groups: how many versions each group has, shown or not.
        outcomes: how many versions have each outcome as their newest verdict; ``none`` for those without one.
        to_validate: validations without a verdict.
        waiting: effects of verdicts that are to be applied.
        parked: effects that a backend refused.
        others: versions in the same ledger whose models are not of this project.
    """

    project: str
    model: str
    at: float
    rows: tuple[Row, ...]
    groups: Mapping[Group, int]
    outcomes: Mapping[str, int]
    to_validate: int
    waiting: int
    parked: int
    others: int

    @property
    def versions(self) -> int:
        """How many versions there are, shown or not."""
        return sum(self.groups.values())

    @property
    def left_out(self) -> Mapping[Group, int]:
        """How many versions of each group are not shown."""
        shown = Counter(row.group for row in self.rows)
        return {group: self.groups[group] - shown[group] for group in Group if self.groups[group] > shown[group]}

    def of(self, group: Group) -> Sequence[Row]:
        """Return the rows of one group."""
        return [row for row in self.rows if row.group is group]


def read(ledger: Ledger, project: Project, *, model: str = "", most: int = MOST) -> Status:
    """Return where the versions of a project stand.

    Args:
        ledger: has the verdicts.
        project: its models, its code and its policy as they are now.
        model: of this one alone.
        most: show at most this many; 0 for all.

    Raises:
        LedgerError: the database cannot be used.
        ProjectError: the project's code cannot be named.

    Example:
        >>> read(Ledger.of(project.state), project).groups[Group.ATTENTION]  # doctest: +SKIP
        2
    """
    known, now = ledger.standings(model), ledger.now()
    ours = [standing for standing in known if project.owns(standing.name)]
    stale = {each.subject for each in outdated(ledger, project, model=model)}
    grouped = grouping(ours, stale)
    order = [standing.subject for group in Group for standing in ours if grouped[standing.subject] is group]
    promoted = {standing.subject for standing in ours if standing.promoted}
    return Status(
        project=project.name,
        model=model,
        at=now,
        rows=tuple(
            _row(found, grouped[found.subject], found.subject in stale, found.subject in promoted, now)
            for found in ledger.histories(order[:most] if most else order)
        ),
        groups={group: sum(each is group for each in grouped.values()) for group in Group},
        outcomes=Counter(standing.outcome.value if standing.outcome else "none" for standing in ours),
        to_validate=sum(standing.open for standing in ours),
        waiting=sum(standing.waiting for standing in ours),
        parked=sum(standing.parked for standing in ours),
        others=len(known) - len(ours),
    )


def grouping(newest_first: Iterable[Standing], stale: Collection[str] = ()) -> dict[str, Group]:
    """Return the group of each version; ``stale`` are those that will be validated again.

    A person is needed where an effect is parked, where something failed and is tried again, and where no newer verdict
    is on its way for a version without a pass that matters: the newest of its model, or the one that was promoted last.
    """
    grouped, models = dict[str, Group](), set[str]()
    for standing in newest_first:
        newest = standing.registered and standing.name not in models
        if newest:
            models.add(standing.name)
        again = bool(standing.open) or standing.subject in stale
        refused = standing.registered and standing.outcome not in (None, Outcome.PASS)
        if standing.parked or standing.troubled or (refused and not again and (newest or standing.promoted)):
            grouped[standing.subject] = Group.ATTENTION
        elif again or standing.waiting:
            grouped[standing.subject] = Group.PROGRESS
        else:
            grouped[standing.subject] = Group.REST
    return grouped


def _row(history: VersionHistory, group: Group, stale: bool, promoted: bool, now: float) -> Row:
    newest, verdict = history.latest, history.verdict
    notes = [STALE] if stale else []  # first, since what is too long is cut at its end
    notes += [doing(each, now) for each in history.validations if each is newest or each.state in UNDER_WAY]
    for validation in history.validations:
        notes += left_to_do(validation)
    if newest:
        notes += dropped(newest)
    if group is Group.ATTENTION and verdict and verdict.outcome is not Outcome.PASS:
        notes += ["it was promoted before"] if promoted else []
        notes.insert(0, neutral(verdict.facts.summary, SUMMARY))
    kept = [note for note in notes if note]
    more = [f"and {len(kept) - NOTES:,} more: seatrial history {history.uri}"] if len(kept) > NOTES else []
    return Row(history, group, stale, (*kept[:NOTES], *more))
