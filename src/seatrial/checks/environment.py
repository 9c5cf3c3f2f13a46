"""Is this the environment that training ran in? Other libraries change numbers without a change of code.

A difference alone is a warning, and a patch release or a setting of the machine only told: whether it matters shows in
the comparison of the stages. Where that comparison fails as well, the finding says so. A library that training had and
that is not here is a warning too: a stage that needs it breaks by itself, and one that does not must not fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seatrial.environment import environment
from seatrial.errors import StageError
from seatrial.events import Event, Finding, Judged, Severity, Unjudged
from seatrial.trial import Check, Trial

NAME = "environment"
SETTINGS = {"timezone": "time zone", "locale": "locale", "threads": "processors and threads", "processor": "processor"}


def ask(trial: Trial, _: str | None) -> Iterator[Event]:
    """Compare the environment recorded at capture with this process's."""
    then, now = trial.reference.manifest.get("environment") or {}, environment()
    before, here = _versions(then), _versions(now)
    if not before:
        yield Unjudged(NAME, None, "the reference records no library versions; capture it again")
        return
    differ = [name for name in before if before[name] != here.get(name)]
    moved = [stage for stage in trial.pipeline.stages if not _holds(trial, stage)] if differ else []
    for name in differ:
        yield _finding(name, before[name], here.get(name), moved)
    settings = [name for name in SETTINGS if name in then]
    for name in settings:
        if then[name] != now[name]:
            yield Finding(
                NAME, None, f"The {SETTINGS[name]} differ{'' if name == 'threads' else 's'} from training's.",
                severity=Severity.INFO, cause=name,
                advice="Told in case the numbers moved; nothing is judged by it.",
            )  # fmt: skip
    yield Judged(NAME, None, compared=len(before) + len(settings))


check = Check(NAME, ask=ask, stages=lambda _: (None,))


def _versions(environment: Mapping[str, Any]) -> dict[str, str]:
    python = {"Python": environment["python"]} if "python" in environment else {}
    return {**python, **environment.get("libraries", {})}


def _finding(name: str, before: str, now: str | None, moved: Sequence[str]) -> Finding:
    release = now is None or before.split(".")[:2] != now.split(".")[:2]
    said = f"{name} is not installed here, and training had {before}." if now is None else (
        f"{name} is {now}, and was {before} at training."
    )  # fmt: skip
    if moved:
        said += f" The answers of {', '.join(repr(s) for s in moved[:3])} differ from training's: this may be why."
    return Finding(
        NAME, None, said, severity=Severity.WARNING if release else Severity.INFO, cause="library-skew",
        advice=f"Install {name} {before} here and run again: differences that go away are its doing."
        if moved
        else f"Serve with {name} {before}, or capture the reference in the environment that serves.",
    )  # fmt: skip


def _holds(trial: Trial, stage: str) -> bool:
    try:
        return trial.parity(stage).ok
    except StageError:
        return False
