"""Is this the environment that training ran in, and is the service's? Other libraries change numbers without a change
of code.

A difference alone is a warning, and a patch release or a setting of the machine only told: whether it matters shows in
the comparison of the answers. Where that comparison fails as well, the finding says so. A library that training had and
that is not here is a warning too: a stage that needs it breaks by itself, and one that does not must not fail. What
cannot be seen of the service is told as not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seatrial.checks.base import Check
from seatrial.checks.serving.comparison import ask_some, sides_of
from seatrial.checks.serving.interpreter import serving_environment
from seatrial.checks.serving.service import Live, can_serve, live
from seatrial.errors import StageError, TargetError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.pipeline import SERVICE
from seatrial.reference.environment import environment
from seatrial.trial import Trial

NAME = "environment"
SETTINGS = {
    "timezone": "Time zone", "locale": "Locale", "threads": "Processors and threads", "processor": "Processor",
    "blas": "BLAS",
}  # fmt: skip
ASKED = 20  # requests, where the service's environment is another


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Compare the environment recorded at capture with this process's, or with that of the process that serves."""
    then = trial.reference.manifest.get("environment") or {}
    if not _versions(then):
        yield NotEvaluated(NAME, stage, "the reference records no library versions; capture it again")
        return
    if stage is None:
        yield from _compared(stage, then, environment(), "here", lambda: _stages_moved(trial))
        return
    try:
        service = live(trial)
        seen = serving_environment(service.running)
    except TargetError as error:
        yield NotEvaluated(NAME, stage, str(error))
        return
    if seen.unseen:
        yield Finding(
            NAME, stage, f"Not judged of the process that serves. {seen.unseen}", severity=Severity.WARNING,
            cause="not-seen", advice="Compare by hand what it runs with what training had.",
        )  # fmt: skip
    yield from _compared(stage, then, seen.environment, "in the service", lambda: _service_moved(trial, service))


def _compared(
    stage: str | None, then: Mapping[str, Any], now: Mapping[str, Any], where: str, moves: Callable[[], str]
) -> Iterator[Event]:
    before, here = _versions(then), _versions(now)
    libraries = list(before) if "libraries" in now else []
    differ = [name for name in libraries if before[name] != here.get(name)]
    settings = [s for s in SETTINGS if isinstance(then.get(s), Mapping) and isinstance(now.get(s), Mapping)]
    changed = {s: told for s in settings if (told := _changes(then[s], now[s]))}
    moved = moves() if differ or changed else ""
    for name in differ:
        yield _of_library(stage, name, before[name], here.get(name), where, moved)
    for setting, told in changed.items():
        yield Finding(
            NAME, stage, f"{SETTINGS[setting]} {where}: {told}.{moved}", cause=setting,
            severity=Severity.WARNING if moved else Severity.INFO,
            advice="Run again with the setting of training: differences that go away are its doing."
            if moved
            else "Told in case the numbers moved; nothing is judged by it.",
        )  # fmt: skip
    yield Evaluated(NAME, stage, compared=len(libraries) + len(settings))


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return what is another in one group of settings, each with both values."""
    names = [n for n in dict.fromkeys([*then, *now]) if then.get(n) != now.get(n)]
    return "; ".join(f"{n} is {now.get(n, 'not set')}, and was {then.get(n, 'not set')} at training" for n in names)


def _versions(environment: Mapping[str, Any]) -> dict[str, str]:
    python = {"Python": environment["python"]} if "python" in environment else {}
    return {**python, **environment.get("libraries", {})}


def _of_library(stage: str | None, name: str, before: str, now: str | None, where: str, moved: str) -> Finding:
    release = now is None or before.split(".")[:2] != now.split(".")[:2]
    said = (
        f"{name} is not installed {where}, and training had {before}."
        if now is None
        else f"{name} is {now} {where}, and was {before} at training."
    )
    return Finding(
        NAME, stage, said + moved, severity=Severity.WARNING if release else Severity.INFO, cause="library-skew",
        advice=f"Install {name} {before} {where} and run again: differences that go away are its doing."
        if moved
        else f"Serve with {name} {before}, or capture the reference in the environment that serves.",
    )  # fmt: skip


def _stages_moved(trial: Trial) -> str:
    moved = [repr(stage) for stage in trial.pipeline.stages if not _holds(trial, stage)]
    return _may_be_why(f"The answers of {', '.join(moved[:3])} differ") if moved else ""


def _holds(trial: Trial, stage: str) -> bool:
    try:
        return trial.parity(stage).ok
    except StageError:
        return False


def _service_moved(trial: Trial, service: Live) -> str:
    sides = sides_of(trial, service)
    seen = ask_some(sides, service, list(range(min(ASKED, len(sides.requests)))))
    other = seen.wrong or seen.told.troubles or seen.told.away
    return _may_be_why("Its answers differ") if other else ""


def _may_be_why(which: str) -> str:
    return f" {which} from training's: this may be why."


def stages(trial: Trial) -> Sequence[str | None]:
    """Ask of this process, and of the process that serves where a service can be started here."""
    return (None, SERVICE) if can_serve(trial) else (None,)


check = Check(NAME, run=run, stages=stages, order=60)
