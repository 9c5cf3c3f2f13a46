"""The process that loads a model, from within: ``python -P -m seatrial.isolation.worker FD``.

It reads requests from the socket FD, one JSON object a line, each with an ``id``, and replies with any number of
objects that carry the same id; ``messages.py`` has their fields:

- ``open``: the project's pipeline and policy are read, before any code of the model runs.
- ``load``: the reference, the models and the checks are loaded; the reply lists the cases.
- ``run_case``: one case runs; its events and its progress follow as they come, then ``done``. Cases run side by side.
- ``close``: what the trial holds is closed, and the process ends.

The reply ``failed`` names an error of ours or ``model``, for an error of the model's own code, and gives the message.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import socket
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

from seatrial import checks
from seatrial.checks.base import Check
from seatrial.engine import loaded, plan, run_case
from seatrial.errors import SeatrialError
from seatrial.events import Case, NotEvaluated
from seatrial.io.loading import import_sooner
from seatrial.isolation import codec, messages
from seatrial.isolation.channel import LineChannel
from seatrial.pipeline import Pipeline, describe
from seatrial.policy.policy import Policy
from seatrial.policy.tool import Limits
from seatrial.project import MEBIBYTE, Project
from seatrial.reference.snapshot import Reference
from seatrial.trial import Trial

IDLE_SECONDS = 0.2  # without a request; the caller is busy, and then there is time to import
RESERVED_MB = 4096  # of address space that is reserved and never touched, beyond the memory that may be held


class Worker:
    """One trial, from the first request to the last.

    Args:
        channel: to the process that runs the trial.
    """

    def __init__(self, channel: LineChannel) -> None:
        self.channel = channel
        self.pipeline: Pipeline
        self.policy: Policy
        self.trial: Trial | None = None
        self.cases: dict[Case, Check] = {}
        self.current = threading.local()

    def serve(self) -> None:
        """Reply to requests until one closes the trial, or the other end is closed. Idle time is spent on imports."""
        if not self.channel.readable(IDLE_SECONDS):
            _warm_up()
        while (received := self.channel.receive()) is not None:
            request = messages.read_request(received[0])
            if isinstance(request, messages.Close):
                return
            if isinstance(request, messages.RunCase):
                threading.Thread(target=self.run_case, args=(request,), daemon=True).start()
                continue
            self.send(self.reply(request))
            if isinstance(request, messages.Open) and not self.channel.readable(IDLE_SECONDS):
                _warm_up()

    def send(self, reply: messages.Message) -> None:
        """Send a reply."""
        self.channel.send(reply.model_dump())

    def reply(
        self, request: messages.Open | messages.LoadVersion
    ) -> messages.Opened | messages.Loaded | messages.Failed:
        """Return the reply to a request, or what made it fail."""
        try:
            return self.open(request) if isinstance(request, messages.Open) else self.load(request)
        except SeatrialError as error:
            return messages.Failed(id=request.id, error=type(error).__name__, message=str(error))
        except _ModelError as error:
            return messages.Failed(id=request.id, error="model", message=str(error))

    def open(self, request: messages.Open) -> messages.Opened:
        """Read pipeline and policy, and return what they decide."""
        project = Project.find(request.root)
        hold_to(project.limits)
        self.pipeline = project.pipeline()
        policy = self.policy = project.policy(self.pipeline)
        compares = self.compares_quality() or policy.offered.margin is not None
        return messages.Opened(
            id=request.id,
            name=self.pipeline.name,
            path=list(self.pipeline.path),
            dependencies=list(self.pipeline.dependencies),
            policy_digest=policy.digest,
            promote=policy.promote,
            compares=bool(policy.promote) and compares,
            serves=self.pipeline.service is not None,
        )

    def load(self, request: messages.LoadVersion) -> messages.Loaded:
        """Load the version and what it is compared with, and return the cases that will run."""
        chosen = checks.named(request.only, skip=request.skip)
        trial = Trial(
            self.pipeline,
            Reference.load(request.reference),
            policy=self.policy,
            model_path=request.model,
            live=request.live or self.policy.live,
            champion_contract=messages.champion_contract(request.champion_contract),
            champion_path=request.champion,
            seed=request.seed,
        )
        trial.model = self.model(request.model, "model")
        if self.compares_quality():
            trial.champion = self.model(request.champion, "champion's model")
        trial.on_progress = self.send_progress
        self.trial = trial
        self.cases = {case: check for check, case in plan(chosen, trial)}
        return messages.Loaded(
            id=request.id,
            cases=[messages.case_record(case) for case in self.cases],
            not_run=not_run(trial, {check.name for check in chosen}),
        )

    def compares_quality(self) -> bool:
        """Whether the model itself is compared with the champion's, and not their services alone."""
        return any(stage.quality for stage in self.policy.stages.values())

    def model(self, path: str | None, what: str) -> Any:
        """Load a model. This is where its own code runs first."""
        try:
            return loaded(self.pipeline, path)
        except (Exception, SystemExit) as error:
            raise _ModelError(f"The {what} could not be loaded: {describe(error)}.") from error

    def run_case(self, request: messages.RunCase) -> None:
        """Run one case and send its events."""
        number, case = request.id, Case(request.case.check, request.case.stage)
        self.current.number = number
        with contextlib.suppress(OSError):  # the other end is closed
            assert self.trial is not None
            for event in run_case(self.cases[case], self.trial, case):
                try:
                    self.channel.send({"reply": "event", "id": number, "event": codec.event_record(event)})
                except (SeatrialError, TypeError, ValueError) as error:
                    why = f"An event of the check cannot be sent: {error}."
                    event = NotEvaluated(case.check, case.stage, why, crashed=True)  # noqa: PLW2901  in its place
                    self.channel.send({"reply": "event", "id": number, "event": codec.event_record(event)})
            self.send(messages.Done(id=number))

    def send_progress(self, done: int, of: int, what: str) -> None:
        """Send how far the case is that this thread runs."""
        if (number := getattr(self.current, "number", None)) is not None:
            with contextlib.suppress(OSError):
                self.channel.send({"reply": "progress", "id": number, "done": done, "of": of, "next": what})


class _ModelError(Exception):
    """The code of a model raised."""


def not_run(trial: Trial, chosen: Collection[str]) -> list[str]:
    """Return which load and resilience tests were chosen and have no case in this trial, and why."""
    reasons = []
    if "load" in chosen and not trial.policy.slo:
        reasons.append("load: service.toml declares no [slo]")
    if "resilience" in chosen:
        from seatrial.checks.serving.matrix import why_not

        reasons += [f"resilience: {why}" for name in trial.pipeline.dependencies if (why := why_not(trial, name))]
    return reasons


def hold_to(limits: Limits) -> None:
    """Set the limits that the kernel holds each process to; the guard holds all of them together to theirs."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file_mb * MEBIBYTE),
        (resource.RLIMIT_DATA, (limits.memory_mb + RESERVED_MB) * MEBIBYTE),
    ):
        present = resource.getrlimit(kind)[1]
        allowed = most if present == resource.RLIM_INFINITY else min(most, present)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (allowed, allowed))
    with contextlib.suppress(OSError):  # where the machine has no memory left, the kernel ends this process first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _warm_up() -> None:
    """Import what takes longest while the version is downloaded; in one thread, since parts of it import in circles."""
    with contextlib.suppress(Exception):  # whatever needs it raises the same error
        from seatrial.checks.expectations.check import warm_up

        warm_up()


def main() -> None:
    """Serve the socket whose number was given, then end at once, whatever threads still run."""
    faulthandler.enable()
    import_sooner()
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    worker = Worker(LineChannel(end, codec.plain))
    try:
        worker.serve()
        if worker.trial is not None:
            worker.trial.close()
    except BaseException:  # noqa: BLE001  whatever it is, it is printed, and the process ends
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
