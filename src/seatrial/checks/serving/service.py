"""The trial's service: started when a check first needs it and ended with the trial, or one that runs already."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Thread

from seatrial.checks.serving.dependencies import reachable
from seatrial.checks.serving.target import target_of
from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.events import Case, Finding, Severity
from seatrial.events.local import Log
from seatrial.pipeline import SERVICE, Service
from seatrial.process.running import Running
from seatrial.targets.elsewhere import Elsewhere, elsewhere
from seatrial.targets.http import Http
from seatrial.targets.launch import folder_of, start, values_of
from seatrial.targets.pacing import Pace
from seatrial.targets.protocol import Target
from seatrial.trial import Trial

STRESS_CHECKS = ("load", "resilience")  # they start a service of their own
BEGUN = "service begun before it is needed"


@dataclass(frozen=True)
class LiveService:
    """A service under trial: its declaration, the target that sends requests to it, and its process or address.

    ``running`` is None where nobody here started the service: how it ends is then not ours to see. ``elsewhere`` is
    its address where it has one. ``pace`` is what all of its clients keep to.
    """

    service: Service
    running: Running | None
    target: Target
    elsewhere: Elsewhere | None = None
    pace: Pace | None = None

    def ended(self, within_seconds: float = 0.0) -> str | None:
        """Return how its process ended, such as ``code 1``; None while it runs, or where it is not ours."""
        return None if self.running is None else self.running.ended(within_seconds)

    def stopped(self, within_seconds: float = 2.0) -> str | None:
        """Return how a service ended that stopped responding; None where it still listens, or is not ours."""
        if self.running is None:
            return None
        until = time.monotonic() + within_seconds  # its guard needs a moment to notice
        while (how := self.running.ended()) is None and time.monotonic() < until and not self.running.listens():
            time.sleep(0.05)
        return how

    def tail(self) -> str:
        """Return the end of its log, as one or more sentences; empty where it is not ours."""
        return "" if self.running is None else self.running.tail()

    def root(self, *, seconds: float, connections: int = 8) -> Http:
        """Return a client of its root path, whatever protocol its predictions speak; use it in a ``with`` block."""
        if self.running is not None:
            return Http(self.running.url, seconds=seconds, connections=connections, pace=self.pace)
        if self.elsewhere is not None:
            there, pace = self.elsewhere, self.pace
            return Http(there.url, seconds=seconds, connections=connections, access=there.access, pace=pace)
        if not isinstance(self.target, Http):
            raise UsageError(f"The service at {self.target.url} has no HTTP address for its OpenAPI document.")
        return self.target.root(seconds=seconds, connections=connections)

    def path(self, path: str) -> str:
        """Return a path of the service as it is asked for: behind the prefix of its address, where it has one."""
        return path if self.elsewhere is None else self.elsewhere.path(path)


def uses_service(case: Case) -> bool:
    """Return whether a case uses the live service, which serves one case at a time."""
    return case.stage == SERVICE or case.check == "resilience"


def can_serve(trial: Trial) -> bool:
    """Whether there is a service to send requests to: one handed to the trial, or one that can be started here."""
    return trial.service is not None or bool(address_of(trial)) or can_start(trial)


def address_of(trial: Trial) -> str:
    """Return the address of a service that nobody here started, or the empty string; it may hold placeholders."""
    service = trial.pipeline.service
    return "" if service is None or trial.service is not None else service.url or ""


def not_ours(trial: Trial, what: str) -> str:
    """Return why something was not done with a service that runs already, as a sentence."""
    return (
        f"The service at {shown_address(trial)} was not started here, so {what}. Give Service(command=…) to have it "
        "started, or skip the check."
    )


def shown_address(trial: Trial) -> str:
    """Return the address of a service that runs already, without user and password."""
    begin, sign, rest = address_of(trial).partition("://")
    return begin + sign + (rest.rpartition("@")[2] if sign else "")


def there(trial: Trial) -> Elsewhere:
    """Return where the trial's service runs already, its placeholders filled from this process's environment.

    Raises:
        TargetError: a variable is not set, or a file cannot be read; the message names it and no value.
    """
    assert trial.pipeline.service is not None
    service, folder = trial.pipeline.service, folder_of(trial.pipeline)
    try:
        found = trial.once("elsewhere", lambda: elsewhere(service, os.environ, folder))
        found.access.ssl_context()  # its files can be read
    except UsageError as error:  # what is not set up here is no fault of the version
        raise TargetError(str(error)) from error
    trial.access, trial.local.secrets = found.access, found.access.secrets
    return found


def pace_of(trial: Trial) -> Pace:
    """Return what the clients of the trial's live service keep to: [service] of service.toml, and what is found out."""
    declared = trial.policy.service.service
    return trial.once("pace", lambda: Pace(declared.concurrency, declared.requests_per_second))


def remarks(name: str, service: LiveService, before: str = "") -> Iterator[Finding]:
    """Yield what was found out about the pace of a service, and that its certificate is not checked.

    Args:
        name: of the check.
        service: the live service.
        before: what was told of the pace already.
    """
    if service.elsewhere is not None and service.elsewhere.access.verify is False:
        yield Finding(
            name, SERVICE, f"The certificate of {service.elsewhere.url} was not checked: Service(verify=False).",
            severity=Severity.WARNING, cause="not-verified",
            advice="Name the authority of its certificate: Service(verify=\"ca.pem\").",
        )  # fmt: skip
    if service.pace is not None and (told := service.pace.told) and told != before:
        pace = service.pace
        yield Finding(
            name, SERVICE, told, severity=Severity.INFO, cause="rate-limit" if pace.limited else "concurrency-limit",
            evidence={"limited": pace.limited, "waited_seconds": round(pace.waited, 3), "at_once": pace.width},
            advice="To know it beforehand, set requests_per_second or concurrency in [service] of service.toml.",
        )  # fmt: skip


def keep_log(trial: Trial, running: Running, check: str, place: str = SERVICE) -> None:
    """Keep the end of what a service printed, once it ends; ``check`` is empty where several checks use it."""
    if trial.local:
        running.on_end = lambda log: trial.local.keep(Log(check, place, log))


def keep_log_so_far(trial: Trial, service: LiveService, check: str) -> None:
    """Keep the end of what a service has printed now, before another check uses it."""
    if trial.local and service.running is not None and (log := service.running.end_of_log()):
        trial.local.keep(Log(check, SERVICE, log))


def can_start(trial: Trial) -> bool:
    """Whether the pipeline has a service that can be started here; one that loads a model needs the model's path."""
    service = trial.pipeline.service
    if service is None or service.url is not None:
        return False
    needs_model = any("{model.path}" in text for text in (*service.command, *service.env.values()))
    return trial.model_path is not None or not needs_model


def live_service(trial: Trial) -> LiveService:
    """Return the trial's service: started on the first call, shared by every check.

    Raises:
        AnswerError: the service ended by itself, or refused to become ready.
        TargetError: the service cannot be started, or was not ready in time.
    """
    return trial.once("live service", lambda: trial.once(BEGUN, lambda: None) or _start(trial))


def begin_service(trial: Trial | None, cases: Iterable[Case]) -> None:
    """Start the trial's service in a thread where one of the cases will ask it: it imports while others run.

    Load and resilience start one of their own. Where it is not ready in time beside the others, :func:`live_service`
    starts it again. One that ends by itself has failed.
    """
    if trial is None or trial.service is not None or not can_start(trial):
        return

    def start() -> LiveService | None:
        try:
            return _start(trial)
        except AnswerError:
            raise
        except TargetError:
            return None

    def begin() -> None:
        with suppress(Exception):  # the case that asks it raises it
            trial.once(BEGUN, start)

    if any(case.stage == SERVICE and case.check not in STRESS_CHECKS for case in cases):
        Thread(target=begin, name="seatrial service", daemon=True).start()


def serve(
    trial: Trial,
    *,
    model_path: str | None = None,
    urls: Mapping[str, str] | None = None,
    launched: Callable[[Running], object] = lambda _: None,
) -> Running:
    """Start a pipeline's service; use it in a ``with`` block.

    Args:
        trial: of the pipeline whose ``service`` is started.
        model_path: the local path of the model; by default that of the version.
        urls: dependency name to an address that replaces its own, such as that of a proxy.
        launched: is told of the process before it is ready.
    """
    pipeline = trial.pipeline
    if pipeline.service is None:
        raise UsageError(f"Pipeline '{pipeline.name}' has no service: declare one with Service(command=…).")
    values = values_of(pipeline, model_path or trial.model_path, reachable(trial, urls or {}))
    return start(pipeline.service, values=values, cwd=folder_of(pipeline), sandbox=trial.sandbox,
                 launched=launched)  # fmt: skip


def _start(trial: Trial) -> LiveService:
    if trial.service is not None:
        declared = trial.pipeline.service or Service(url="http://in-process", openapi=None)
        return LiveService(declared, None, trial.hold(trial.service), pace=getattr(trial.service, "pace", None))
    service, pace = trial.pipeline.service, pace_of(trial)
    assert service is not None
    seconds = trial.policy.golden.timeout_seconds
    if service.url is not None:
        where = there(trial)
        target = trial.hold(target_of(trial.pipeline, where, hooks=trial.replayer, seconds=seconds, pace=pace))
        placed = replace(service, openapi=service.openapi and where.path(service.openapi),
                         batch=service.batch and where.path(service.batch))  # fmt: skip
        return LiveService(placed, None, target, where, pace)
    running = serve(trial, launched=trial.hold)
    keep_log(trial, running, "")
    target = trial.hold(target_of(trial.pipeline, running, hooks=trial.replayer, seconds=seconds, pace=pace))
    return LiveService(service, running, target, pace=pace)
