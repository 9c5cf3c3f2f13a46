"""What a verdict does to the world: a run in MLflow, tags and a description on the version, on a pass the alias.

Effects are taken from the ledger's outbox, in order, by whoever comes first; all they need is there. Each may be begun
again at any line and takes place once.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial import registry
from seatrial.errors import SeatrialError
from seatrial.io.bundle import directory_digest
from seatrial.ledger import Effect, Fenced, Job, Ledger, identity
from seatrial.process import crash_points

LOG, TAGS, DESCRIBE, ALIAS = "log-run", "tags", "describe", "alias"
WAITS = " waits: "  # in what is said of an effect that is tried again
TRIES = 20  # of an effect that MLflow answers and refuses


class Never(SeatrialError):
    """An effect that can never take place: its version went, or is not what was judged."""


def apply(ledger: Ledger, *, job: Job | None = None, lease_seconds: float = 120.0) -> list[str]:
    """Apply every effect that is due, or those of one job; return what was given up or has to wait, in words.

    Args:
        ledger: where they wait.
        job: those of its version alone, until one has to wait.
        lease_seconds: for which an effect is ours; within it a model is downloaded and hashed again.
    """
    trouble = []
    while (effect := ledger.next_effect(lease_seconds, job=job)) is not None:
        try:
            ledger.applied(effect, _DO[effect.kind](ledger, effect))
            if effect.kind == LOG:
                ledger.logged(effect)
            crash_points.point("after-effect")
        except Fenced as error:
            trouble.append(str(error))
        except Exception as error:  # noqa: BLE001  whatever it was, the effect waits and is tried again
            trouble.append(_not_now(ledger, effect, error))
            if job is not None and WAITS in trouble[-1]:
                break  # who asked hears why, and others try again later
    return trouble


def _not_now(ledger: Ledger, effect: Effect, error: Exception) -> str:
    """Have an effect wait, or give it up when it can never take place; return that in words."""
    what = f"'{effect.kind}' of {effect.version.uri}"
    try:
        if isinstance(error, Never) or (effect.attempt >= TRIES and registry.of(effect.version.uri).reachable()):
            ledger.dropped(effect, str(error))
            return f"{what} was given up: {error}"
        ledger.postponed(effect, f"{type(error).__name__}: {error}")
    except Fenced as fenced:
        return str(fenced)
    return f"{what}{WAITS}{error}"


def _log(ledger: Ledger, effect: Effect) -> str:
    with tempfile.TemporaryDirectory(prefix="seatrial-verdict-") as folder:
        unpack(ledger.evidence(effect), Path(folder))
        return registry.of(effect.version.uri).tracker.log_run(effect.body, Path(folder), effect.key)


def _tag(_: Ledger, effect: Effect) -> str:
    _still(effect)
    tags = {"seatrial.run_id": effect.results.get(LOG, ""), **effect.body["tags"]}
    registry.of(effect.version.uri).tag(effect.version.name, effect.version.number, tags)
    return ""


def _describe(_: Ledger, effect: Effect) -> str:
    _still(effect)
    run_id, page = effect.results.get(LOG, ""), effect.body.get("page", "")
    registry.of(effect.version.uri).describe(
        effect.version.name, effect.version.number, effect.body["blocks"], run_id, page
    )
    return ""


def _alias(ledger: Ledger, effect: Effect) -> str:
    """Move the aliases to a version that passed, whose files are still those that passed; return those moved.

    An alias is never moved from a later version that passed too to an earlier one.
    """
    version = _still(effect)
    if ledger.passing(registry.subject_of(version, effect.digest)) is None:
        raise Never(f"{version.uri} has a later verdict that is no pass. No alias was moved.")
    unchanged(version, effect.digest)
    moved = []
    for alias in effect.body["aliases"]:
        holder = registry.promoted(version.scheme, version.name, alias)
        if holder is not None and holder.number == version.number:
            moved.append(alias)
        elif holder is not None and int(holder.number) > int(version.number) and _passed(ledger, holder):
            continue
        elif registry.of(version.uri).move_alias(version.name, alias, version.number):
            moved.append(alias)
    return json.dumps(moved)


def _passed(ledger: Ledger, version: Any) -> bool:
    return ledger.passing(registry.subject_of(version)) is not None


def unchanged(version: Any, digest: str) -> None:
    """Hash a version's files again and raise Never when they are not those that were judged."""
    with tempfile.TemporaryDirectory(prefix="seatrial-again-") as again:
        now = directory_digest(registry.of(version.uri).download_model(version, Path(again) / "model"))
    if now != digest:
        raise Never(
            f"The files of {version.uri} changed after they were on trial ({digest[:19]}… became {now[:19]}…). "
            "No alias was moved; validate the version again."
        )


def _still(effect: Effect) -> Any:
    """Return the version as it is registered now; Never when it went, or is another of the same number."""
    version = registry.of(effect.version.uri).present(effect.version.name, effect.version.number)
    if version is None or identity(version) != effect.version.subject:
        raise Never(f"{effect.version.uri} is not registered any more.")
    return version


def unpack(content: bytes, into: Path) -> None:
    """Write the files of an archive below a directory. It came from our own ledger; its names are contained anyway."""
    if content:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            packed.extractall(into)


_DO: Mapping[str, Callable[[Ledger, Effect], str]] = {LOG: _log, TAGS: _tag, DESCRIBE: _describe, ALIAS: _alias}
