"""``seatrial history``: every validation of a version, and what came of each."""

from __future__ import annotations

import json
from pathlib import Path

from seatrial.cli.conventions import Json
from seatrial.cli.fleet.opening import opened
from seatrial.errors import EXIT_PASS, UsageError, nearest
from seatrial.ledger import Ledger, Validation, VersionHistory
from seatrial.promotion.fleet.words import doing, dropped, left_to_do, moment, short, version_json
from seatrial.sinks.text import neutral


def history(version: str, *, project: Path = Path(), as_json: Json = False) -> int:
    """Show every validation of a version: when, the verdict, by which code and policy, and what it changed.

    Args:
        version: version as models:/NAME/VERSION or NAME/VERSION.
        project: project directory.
        as_json: print JSON.
    """
    with opened(project) as (_, ledger):
        found, now = known_versions(ledger, version), ledger.now()
    if as_json:
        print(json.dumps([version_json(each) for each in found], indent=2))  # noqa: T201
        return EXIT_PASS
    for each in found:
        print("\n".join(_lines(each, now)))  # noqa: T201
    return EXIT_PASS


def known_versions(ledger: Ledger, version: str) -> list[VersionHistory]:
    """Return what the ledger knows of a version, the one registered last first: numbers are used again.

    Raises:
        UsageError: not a version, or one that the ledger does not know, with the nearest one.
    """
    scheme, _, rest = version.rpartition(":/")
    name, _, number = rest.rpartition("/")
    if not name or not number:
        raise UsageError(f"'{version}' is not a version. Write models:/NAME/VERSION or NAME/VERSION.")
    if found := [each for each in ledger.overview(name, number) if scheme in ("", each.scheme)]:
        return found
    known = sorted({f"{each.name}/{each.number}" for each in ledger.overview(most=500)})
    raise UsageError(
        f"The ledger knows no version {name}/{number}.{nearest(f'{name}/{number}', known)} "
        "To see all: seatrial status. To look for new ones: seatrial reconcile"
    )


def _lines(version: VersionHistory, now: float) -> list[str]:
    lines = [f"{neutral(version.uri, 300)}, registered {moment(version.created / 1000)}"]
    for validation in version.validations:
        lines += ["", *(f"  {line}" for line in _validation(validation, now))]
    return lines


def _validation(validation: Validation, now: float) -> list[str]:
    verdict = validation.verdict
    if verdict is None:
        return [f"validation {validation.epoch + 1}: {doing(validation, now)}"]
    facts = verdict.facts
    lines = [
        f"validation {validation.epoch + 1}: {facts.outcome.value}, {moment(verdict.created_at)}, "
        f"verdict {verdict.order}",
        f"  {neutral(facts.summary, 2_000)}",
        f"  code {short(facts.code_digest) or 'unknown'}, policy {short(facts.policy_digest) or 'unknown'}, "
        f"reference {short(facts.reference_digest) or 'none'}",
    ]
    done = [neutral(f"{e.kind} {e.result}".strip(), 200) for e in validation.effects if e.state == "done"]
    lines += [f"  applied: {', '.join(done)}"] if done else []
    lines += [f"  {each}" for each in left_to_do(validation)]
    lines += [f"  {each}" for each in dropped(validation)]
    return lines
