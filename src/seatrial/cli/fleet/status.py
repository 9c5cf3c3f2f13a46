"""``seatrial status``: every version, its verdict, and what is still to be done about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seatrial.cli.conventions import Json
from seatrial.cli.fleet.opening import opened
from seatrial.cli.fleet.words import doing, left_to_do, moment, short, verdict_json, version_json
from seatrial.errors import EXIT_PASS
from seatrial.ledger import VersionHistory
from seatrial.promotion.reconcile import outdated
from seatrial.sinks.text import neutral

STALE = "code or policy changed since"


def status(model: str = "", *, most: int = 50, project: Path = Path(), as_json: Json = False) -> int:
    """Show every version with its verdict, and what waits, is parked, or is out of date.

    Args:
        model: registered model; empty: all.
        most: show at most this many versions, the newest; 0: all.
        project: project directory.
        as_json: print JSON.
    """
    with opened(project) as (here, ledger):
        versions, counts, now = ledger.overview(model, most=most), ledger.counts(), ledger.now()
        stale = {each.subject for each in outdated(ledger, here, model=model)}
    if as_json:
        body = {"counts": dict(counts), "versions": [_json(each, stale) for each in versions]}
        print(json.dumps(body, indent=2))  # noqa: T201
        return EXIT_PASS
    if not versions:
        print(f"No version{f' of {model}' if model else ''} is known yet. To look for new ones: seatrial reconcile")  # noqa: T201
        return EXIT_PASS
    shown = f"{len(versions):,} of {counts['versions']:,} versions shown. " if not model else ""
    parked = f"{counts['parked']:,} parked.{' To try those again: seatrial sync' if counts['parked'] else ''}"
    footer = f"{shown}{counts['open']:,} to validate, {counts['waiting']:,} effects waiting, {parked}"
    print("\n".join([*_lines(versions, stale, now), "", footer]))  # noqa: T201
    return EXIT_PASS


def _lines(versions: Sequence[VersionHistory], stale: set[str], now: float) -> list[str]:
    names = {each.subject: neutral(f"{each.name}/{each.number}", 200) for each in versions}
    width = max(len("version"), *map(len, names.values()))
    lines = [f"{'version':<{width}}  {'verdict':<12}  {'when (UTC)':<16}  {'code':<12}  policy"]
    for version in versions:
        verdict = version.verdict
        cells = (
            names[version.subject].ljust(width),
            (verdict.outcome.value if verdict else "none").ljust(12),
            (moment(verdict.created_at)[:16] if verdict else "").ljust(16),
            short(verdict.facts.code_digest if verdict else "").ljust(12),
            short(verdict.facts.policy_digest if verdict else ""),
        )
        lines.append("  ".join(cells).rstrip())
        lines += [f"{'':<{width}}  {each}" for each in _open(version, stale, now)]
    return lines


def _open(version: VersionHistory, stale: set[str], now: float) -> list[str]:
    newest = version.latest
    found = [doing(newest, now)] if newest else []
    for validation in version.validations:
        found += left_to_do(validation)
    if version.subject in stale:
        found.append(STALE)
    return [each for each in found if each]


def _json(version: VersionHistory, stale: set[str]) -> dict[str, Any]:
    whole, verdict, newest = version_json(version), version.verdict, version.latest
    del whole["validations"]
    return {
        **whole,
        "verdict": verdict_json(verdict) if verdict else None,
        "state": newest.state if newest else "",
        "error": newest.error if newest else "",
        "waiting": [
            {"epoch": each.epoch, "kind": effect.kind, "state": effect.state, "result": effect.result}
            for each in version.validations
            for effect in each.waiting
        ],
        "stale": version.subject in stale,
    }
