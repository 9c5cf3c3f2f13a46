"""``seatrial rerun``, ``cancel`` and ``prune``: what is to be done with a version, and what need not be kept."""

from __future__ import annotations

import os
from pathlib import Path

from seatrial import registry
from seatrial.cli.conventions import Flag
from seatrial.cli.fleet.history import known_versions
from seatrial.cli.fleet.opening import opened
from seatrial.errors import EXIT_FAIL, EXIT_PASS
from seatrial.project import Project
from seatrial.promotion.commit import owner


def rerun(*versions: str, project: Path = Path(), quiet: Flag = False) -> int:
    """Validate versions again at the next 'seatrial reconcile', whatever their verdict.

    Args:
        versions: versions as models:/NAME/VERSION or models:/NAME@ALIAS.
        project: project directory.
        quiet: print nothing.
    """
    lines = []
    with opened(project) as (_, ledger):
        for found in [registry.resolve(uri) for uri in versions]:
            made = ledger.observe([found]) or ledger.validate_again([found], closed=True) or ledger.hurry(found)
            what = "will be validated by the next 'seatrial reconcile'" if made else "is being validated"
            lines.append(f"{found.uri} {what}.")
    if not quiet:
        print("\n".join(lines))  # noqa: T201
    return EXIT_PASS


def cancel(version: str, *, project: Path = Path(), quiet: Flag = False) -> int:
    """Close the open validation of a version without a verdict. One that is running ends by itself and writes nothing.

    Args:
        version: version as models:/NAME/VERSION or NAME/VERSION.
        project: project directory.
        quiet: print nothing.
    """
    with opened(project) as (_, ledger):
        found = known_versions(ledger, version)[0]
        owners = ledger.cancel(found.subject, f"by {owner()}")
    if owners is None:
        line = f"{found.uri} has no open validation. What there was: seatrial history {found.uri}"
    else:
        running = f" {' and '.join(owners)} will write nothing." if owners else ""
        line = f"The validation of {found.uri} is cancelled.{running} To start it again: seatrial rerun {found.uri}"
    if not quiet:
        print(line)  # noqa: T201
    return EXIT_FAIL if owners is None else EXIT_PASS


def prune(*, dry_run: Flag = False, project: Path = Path(), quiet: Flag = False) -> int:
    """Delete old results, downloaded models, leftovers of killed processes, and old flow runs of this project.

    Args:
        dry_run: delete nothing, and say what would be.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.orchestration.deployments import prune as pruning

    here = Project.find(project)
    here.activate()
    verb = "Would delete" if dry_run else "Deleted"
    lines = [f"{verb} {pruning.prune(here, dry=dry_run)}."]
    if os.environ.get("PREFECT_API_URL"):
        lines.append(f"{verb} {pruning.prune_runs(here, dry=dry_run):,} flow runs (at most {pruning.AT_ONCE} at once).")
    if not quiet:
        print("\n".join(lines))  # noqa: T201
    return EXIT_PASS
