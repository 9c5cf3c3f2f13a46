"""Compare the environment recorded at capture with the one that the stages run in, and the service's.

Other libraries change numbers without a change of code. A difference alone is a warning, and a patch release or a
setting of the machine is only information: whether it matters shows in the comparison of the answers. Where that
comparison fails as well, the finding says so. A library that is recorded and not installed is a warning too: a stage
that needs it fails by itself, and one that does not must not fail. A warning names what could not be read of the
service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seatrial.checks.base import Check
from seatrial.checks.serving.comparison import compare_rows, comparison_of
from seatrial.checks.serving.interpreter import serving_environment
from seatrial.checks.serving.service import LiveService, address_of, can_start, live_service, shown_address
from seatrial.errors import StageError, TargetError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.pipeline import SERVICE, LocalReplayer
from seatrial.targets.launch import runs_elsewhere
from seatrial.trial import Trial

NAME = "environment"
SETTINGS = {
    "timezone": "Time zone", "locale": "Locale", "threads": "Processors and threads", "processor": "Processor",
    "blas": "BLAS",
}  # fmt: skip
REQUESTS = 20  # sent to the service where its environment differs


def run(trial: Trial, stage: str | None) -> Iterator[Event]:
    """Compare the environment recorded at capture with that of the stages, or with the serving process's."""
    then = trial.reference.manifest.get("environment") or {}
    if not _versions(then):
        yield NotEvaluated(NAME, stage, "the reference records no library versions. Capture it again")
        return
    if stage is None:
        where = "in this process" if isinstance(trial.replayer, LocalReplayer) else "in the worker"
        yield from _compared(stage, then, trial.replayer.environment(), where, lambda: _stages_differ(trial))
        if address_of(trial):
            yield Finding(
                NAME, stage,
                f"The environment of the service at {shown_address(trial)} was not compared: it was not started here.",
                severity=Severity.INFO, cause="not-seen",
                advice="Compare the versions in the service with those in the reference by hand.",
            )  # fmt: skip
        elif _in_container(trial):
            yield Finding(
                NAME, stage, "The environment of the service was not compared: it runs in a container.",
                severity=Severity.INFO, cause="not-seen",
                advice="Compare the versions in the image with those in the reference, by 'pip list' in the container.",
            )  # fmt: skip
        return
    try:
        service = live_service(trial)
        assert service.running is not None
        serving = serving_environment(service.running, trial.sandbox)
    except TargetError as error:
        yield NotEvaluated(NAME, stage, str(error))
        return
    if serving.unreadable:
        yield Finding(
            NAME, stage, f"Part of the serving process's environment was not compared. {serving.unreadable}",
            severity=Severity.WARNING, cause="not-seen",
            advice="Compare the versions in the service with those in the reference by hand.",
        )  # fmt: skip
    yield from _compared(stage, then, serving.environment, "in the service", lambda: _service_differs(trial, service))


def _compared(
    stage: str | None, then: Mapping[str, Any], now: Mapping[str, Any], where: str, effect_of: Callable[[], str]
) -> Iterator[Event]:
    before, here = _versions(then), _versions(now)
    libraries = list(before) if "libraries" in now else []
    differ = [name for name in libraries if before[name] != here.get(name)]
    settings = [s for s in SETTINGS if isinstance(then.get(s), Mapping) and isinstance(now.get(s), Mapping)]
    changed = {s: changes for s in settings if (changes := _changes(then[s], now[s]))}
    effect = effect_of() if differ or changed else ""
    for name in differ:
        yield _library_finding(stage, name, before[name], here.get(name), where, effect)
    for setting, changes in changed.items():
        yield Finding(
            NAME, stage, f"{SETTINGS[setting]} {where}: {changes}.{effect}", cause=setting,
            severity=Severity.WARNING if effect else Severity.INFO,
            advice="Run again with the recorded setting. If the differences disappear, it is their cause."
            if effect
            else "No action is needed while the answers match the reference.",
        )  # fmt: skip
    yield Evaluated(NAME, stage, compared=len(libraries) + len(settings))


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return the settings of one group that differ, each with both values."""
    names = [n for n in dict.fromkeys([*then, *now]) if then.get(n) != now.get(n)]
    return "; ".join(f"{n} is {now.get(n, 'not set')}; the reference has {then.get(n, 'not set')}" for n in names)


def _versions(environment: Mapping[str, Any]) -> dict[str, str]:
    python = {"Python": environment["python"]} if "python" in environment else {}
    return {**python, **environment.get("libraries", {})}


def _library_finding(stage: str | None, name: str, before: str, now: str | None, where: str, effect: str) -> Finding:
    release = now is None or before.split(".")[:2] != now.split(".")[:2]
    message = (
        f"{name} is not installed {where}; the reference was captured with {name} {before}."
        if now is None
        else f"{name} is {now} {where}; the reference was captured with {name} {before}."
    )
    return Finding(
        NAME, stage, message + effect, severity=Severity.WARNING if release else Severity.INFO, cause="library-skew",
        advice=f"Install {name} {before} {where} and run again. If the differences disappear, it is their cause."
        if effect
        else f"Serve with {name} {before}, or capture the reference in the serving environment.",
    )  # fmt: skip


def _stages_differ(trial: Trial) -> str:
    differing = [repr(stage) for stage in trial.pipeline.stages if not _matches(trial, stage)]
    return _possible_cause(f"The answers of {', '.join(differing[:3])} differ") if differing else ""


def _matches(trial: Trial, stage: str) -> bool:
    try:
        return trial.parity(stage).ok
    except StageError:
        return False


def _service_differs(trial: Trial, service: LiveService) -> str:
    comparison = comparison_of(trial, service)
    compared = compare_rows(comparison, service, list(range(min(REQUESTS, len(comparison.keys)))))
    received = compared.received
    differs = compared.wrong or received.failures or received.unreachable
    return _possible_cause("The answers of the service differ") if differs else ""


def _possible_cause(difference: str) -> str:
    return f" {difference} from the reference; this may be the cause."


def stages(trial: Trial) -> Sequence[str | None]:
    """Return this process (None), and the service where one can be started whose processes are seen from here."""
    return (None, SERVICE) if can_start(trial) and trial.service is None and not _in_container(trial) else (None,)


def _in_container(trial: Trial) -> bool:
    service = trial.pipeline.service
    return trial.service is None and service is not None and runs_elsewhere(service)


check = Check(NAME, run=run, stages=stages, order=60, reusable=True)
