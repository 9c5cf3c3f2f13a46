"""The status for a terminal and for programs."""

from __future__ import annotations

from typing import Any

from seatrial.formatting import plural
from seatrial.promotion.fleet.status import Group, Row, Status
from seatrial.promotion.fleet.words import verdict_json, version_json


def lines(status: Status) -> list[str]:
    """Return the status as lines of text."""
    if not status.versions:
        of = f" of {status.model}" if status.model else ""
        return [f"No version{of} is known yet. To look for new ones: seatrial reconcile", *_others(status)]
    width = max(len("version"), *(len(row.cells[0]) for row in status.rows))
    found = [f"{'version':<{width}}  {'verdict':<12}  {'when (UTC)':<16}  {'code':<12}  policy"]
    for row in status.rows:
        name, verdict, at, code, policy = row.cells
        found.append(f"{name:<{width}}  {verdict:<12}  {at:<16}  {code:<12}  {policy}".rstrip())
        found += [f"{'':<{width}}  {note}" for note in row.notes]
    return [*found, "", *summary(status)]


def summary(status: Status) -> list[str]:
    """Return what there is in all, in sentences, as every rendering has them."""
    shown, outcomes = len(status.rows), status.outcomes
    counted = [f"{outcomes[name]:,} {name}" for name in ("pass", "fail", "inconclusive", "error") if outcomes.get(name)]
    counted += [f"{outcomes['none']:,} without a verdict"] if outcomes.get("none") else []
    parked = f"{status.parked:,} parked.{' To try those again: seatrial sync' if status.parked else ''}"
    sentences = [
        f"{shown:,} of {status.versions:,} versions shown: {', '.join(counted)}.",
        f"{status.groups[Group.ATTENTION]:,} of them {'needs' if status.groups[Group.ATTENTION] == 1 else 'need'} "
        "a person.",
        f"{status.to_validate:,} to validate, {plural(status.waiting, 'effect')} waiting, {parked}",
    ]
    return [*sentences, *_others(status)]


def _others(status: Status) -> list[str]:
    if not status.others:
        return []
    are = "version in this ledger is of a model" if status.others == 1 else "versions in this ledger are of models"
    return [f"{status.others:,} {are} that 'models' in [tool.seatrial] does not name."]


def body(status: Status) -> dict[str, Any]:
    """Return the status as JSON; times are seconds since 1970."""
    return {
        "project": status.project,
        "at": status.at,
        "counts": {
            "versions": status.versions,
            "open": status.to_validate,
            "waiting": status.waiting,
            "parked": status.parked,
            "attention": status.groups[Group.ATTENTION],
            "progress": status.groups[Group.PROGRESS],
            "outcomes": dict(status.outcomes),
            "others": status.others,
        },
        "versions": [_json(row) for row in status.rows],
    }


def _json(row: Row) -> dict[str, Any]:
    history, verdict, newest = row.history, row.history.verdict, row.history.latest
    whole = version_json(history)
    del whole["validations"]
    return {
        **whole,
        "verdict": verdict_json(verdict) if verdict else None,
        "state": newest.state if newest else "",
        "error": newest.error if newest else "",
        "waiting": [
            {"epoch": each.epoch, "kind": effect.kind, "state": effect.state, "result": effect.result}
            for each in history.validations
            for effect in each.waiting
        ],
        "stale": row.stale,
        "attention": row.group is Group.ATTENTION,
        "notes": list(row.notes),
    }
