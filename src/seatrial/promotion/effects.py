"""The effects of a verdict: a run at each tracker, tags and a description on the version, and on a pass the alias.

Any worker claims them from the ledger's outbox, in order; the outbox contains all they need. Each is idempotent: it
can be started again after a crash at any line.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial import registry
from seatrial.errors import SeatrialError
from seatrial.io.bundle import directory_digest
from seatrial.ledger import ATTEMPTS_OF_A_DAY, LOG, Fenced, Job, Ledger, LedgerError, OutboxEffect, identity, renewed
from seatrial.process import crash_points
from seatrial.project import Project
from seatrial.promotion.evidence import unpack
from seatrial.registry import SyncsLater
from seatrial.registry.unavailable import is_unavailable
from seatrial.sinks.secrets import without_secrets

TAGS, DESCRIBE, ALIAS = "tags", "describe", "alias"
TRIES = 20  # of an effect that a reachable registry or tracker refuses


class PermanentFailure(SeatrialError):
    """An effect that can never be applied: its version is gone, or its files are not those that were validated."""


def apply(ledger: Ledger, state: Path, *, job: Job | None = None, lease_seconds: float = 120.0) -> list[str]:
    """Apply every effect that is due, or those of one job; return a message for each that was not.

    Args:
        ledger: contains the effects.
        state: the project's state directory, for its trackers.
        job: apply those of its version alone, each once.
        lease_seconds: on one effect; renewed while it is applied.
    """
    problems, tried, away, begun = list[str](), set[int](), set[str](), ledger.now()
    while effect := ledger.next_effect(lease_seconds, job=job, tried=tried, away=away, due_by=begun):
        if job is not None:
            tried.add(effect.id)  # the person who waits gets the reason, and a worker tries again later
        try:
            ledger.complete_effect(effect, _applied(ledger, state, effect, lease_seconds))
            if effect.kind.startswith(LOG):
                ledger.discard_evidence(effect)
            crash_points.point("after-effect")
        except Fenced as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001  whatever it was, the effect waits and is tried again
            problems.append(_not_applied(ledger, effect, error))
            if effect.tracker and is_unavailable(error):
                away.add(effect.kind)  # each of its effects would wait as long
    return problems


def _applied(ledger: Ledger, state: Path, effect: OutboxEffect, lease_seconds: float) -> str:
    name = f"lease of '{effect.kind}' of {effect.version.uri}"
    with renewed(lambda: ledger.renew_effect(effect, lease_seconds), lease_seconds, name):
        return _log_to(state, ledger, effect) if effect.tracker else _HANDLERS[effect.kind](ledger, effect)


def resume(project: Project) -> tuple[list[str], list[str]]:
    """Apply every parked and every postponed effect, and have trackers hand over what waits on this disk.

    Returns:
        A sentence for each run that a tracker handed over, and one for whatever still waits, with the reason.
    """
    with Ledger.of(project.state) as ledger:
        ledger.resume_effects()
        waiting = apply(ledger, project.state)
    done = []
    for name in project.trackers:
        tracker = registry.tracker(name, project.state)
        if isinstance(tracker, SyncsLater):
            handed_over = tracker.sync()
            done += [f"{name}: {each}" for each in handed_over.done]
            waiting += [f"{name}: {each}" for each in handed_over.waiting]
    return done, waiting


def _not_applied(ledger: Ledger, effect: OutboxEffect, error: Exception) -> str:
    """Postpone an effect, park it if it is refused, or drop it if it can never be applied; return a message."""
    what, said = f"'{effect.kind}' of {effect.version.uri}", without_secrets(str(error))
    try:
        if isinstance(error, PermanentFailure):
            ledger.drop_effect(effect, said)
            return f"{what} was dropped: {said}"
        if effect.attempt >= TRIES and _is_refused(effect, error):
            ledger.park_effect(effect, f"{type(error).__name__}: {said}")
            return f"{what} was parked after {effect.attempt} attempts: {said} To try it again: seatrial sync"
        ledger.postpone_effect(effect, f"{type(error).__name__}: {said}")
    except Fenced as fenced:
        return str(fenced)
    return f"{what} was postponed: {said}"


def _is_refused(effect: OutboxEffect, error: Exception) -> bool:
    """Return whether the backend answers and will not have the effect; while it is away, the effect waits."""
    if (is_unavailable(error) or isinstance(error, LedgerError)) and effect.attempt < ATTEMPTS_OF_A_DAY:
        return False
    return bool(effect.tracker) or registry.reachable(effect.version.uri)


def _log(ledger: Ledger, effect: OutboxEffect) -> str:
    with tempfile.TemporaryDirectory(prefix="seatrial-verdict-") as folder:
        unpack(ledger.evidence(effect), Path(folder))
        store = registry.run_store(effect.version.uri)
        return store.log_run(effect.body, Path(folder), effect.key) if store else ""


def _log_to(state: Path, ledger: Ledger, effect: OutboxEffect) -> str:
    with tempfile.TemporaryDirectory(prefix="seatrial-verdict-") as folder:
        unpack(ledger.evidence(effect), Path(folder))
        return registry.tracker(effect.tracker, state).log_run(effect.body, Path(folder), effect.key)


def _tag(_: Ledger, effect: OutboxEffect) -> str:
    version = _registered_version(effect)
    found = {"seatrial.run_id": effect.results.get(LOG, ""), "seatrial.flow_run": effect.body.get("page", "")}
    tags = {**effect.body["tags"], **found}
    registry.of(version.uri).annotate(version, tags)
    return ""


def _describe(_: Ledger, effect: OutboxEffect) -> str:
    version = _registered_version(effect)
    run_id, page = effect.results.get(LOG, ""), effect.body.get("page", "")
    registry.of(version.uri).annotate(version, {}, effect.body["blocks"], run_id, page)
    return ""


def _alias(ledger: Ledger, effect: OutboxEffect) -> str:
    """Move the aliases to a passing version whose files have not changed; return those moved.

    An alias is never moved from a later passing version to an earlier one.
    """
    version = _registered_version(effect)
    if ledger.passing(registry.subject_of(version, effect.digest)) is None:
        raise PermanentFailure(f"A later verdict of {version.uri} is not a pass. No alias was moved.")
    unchanged(version, effect.digest)
    moved = []
    for alias in effect.body["aliases"]:
        holder = registry.with_alias(version.scheme, version.name, alias)
        if holder is not None and holder.number == version.number:
            moved.append(alias)
        elif holder is not None and int(holder.number) > int(version.number) and _passed(ledger, holder):
            continue
        elif registry.of(version.uri).move_alias(version, alias):
            moved.append(alias)
    return json.dumps(moved)


def _passed(ledger: Ledger, version: Any) -> bool:
    return ledger.passing(registry.subject_of(version)) is not None


def unchanged(version: Any, digest: str) -> None:
    """Hash a version's files again and raise PermanentFailure if they are not those that were validated."""
    with tempfile.TemporaryDirectory(prefix="seatrial-again-") as again:
        now = directory_digest(registry.of(version.uri).fetch(version, Path(again) / "model"))
    if now != digest:
        raise PermanentFailure(
            f"The files of {version.uri} changed after their validation ({digest[:19]}… became {now[:19]}…). "
            f"No alias was moved. Validate it again: seatrial validate {version.uri}"
        )


def _registered_version(effect: OutboxEffect) -> Any:
    """Return the version as it is registered now; PermanentFailure if it is not, or is another of the same number."""
    version = registry.present(effect.version.uri)
    if version is None or identity(version) != effect.version.subject:
        raise PermanentFailure(f"{effect.version.uri} is no longer registered.")
    return version


_HANDLERS: Mapping[str, Callable[[Ledger, OutboxEffect], str]] = {
    LOG: _log,
    TAGS: _tag,
    DESCRIBE: _describe,
    ALIAS: _alias,
}
