"""The process that loads a model, from within: ``python -P -m seatrial.isolation.worker FD``.

It reads requests from the socket FD, one JSON object a line, each with an ``id``, and answers with any number of
objects that carry the same id:

- ``read``: the project's pipeline and policy; before any code of the model ran.
- ``load``: the reference, the models and the checks; the answer tells what will be asked.
- ``run_case``: one question; events as they are, progress as it comes, then ``done``. Questions are asked side by side.
- ``leave``: what the trial holds is closed, and the process ends.

An answer with ``failed`` says whose fault it was, an error of ours by its name or ``model``, and ``message`` what.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import socket
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial import checks
from seatrial.checks.base import Check
from seatrial.engine import loaded, plan, run_case
from seatrial.errors import SeatrialError
from seatrial.events import Case, NotEvaluated
from seatrial.io.loading import import_sooner
from seatrial.isolation import codec
from seatrial.isolation.channel import LineChannel
from seatrial.pipeline import Pipeline, describe
from seatrial.policy.policy import Policy
from seatrial.policy.tool import Limits
from seatrial.project import MEBIBYTE, Project
from seatrial.reference.snapshot import Reference
from seatrial.trial import ChampionContract, Trial

IDLE_SECONDS = 0.2  # without a request; the caller is busy, and then there is time to import
RESERVED_MB = 4096  # memory that is asked for and never touched, beyond what may be held


class Serving:
    """One trial, from the first request to the last."""

    def __init__(self, lines: LineChannel) -> None:
        self.lines = lines
        self.pipeline: Pipeline
        self.policy: Policy
        self.trial: Trial | None = None
        self.asked: dict[Case, Check] = {}
        self.now = threading.local()

    def serve(self) -> None:
        """Answer requests until told to leave, or until nobody is there. What is idle at first imports ahead."""
        if not self.lines.waiting(IDLE_SECONDS):
            _warm_up()
        while (received := self.lines.receive()) is not None:
            request = received[0]
            what, number = request.pop("do"), request.pop("id")
            if what == "leave":
                return
            if what == "ask":
                threading.Thread(target=self.run_case, args=(number, request["question"]), daemon=True).start()
                continue
            try:
                answer = self.read(**request) if what == "read" else self.load(**request)
                self.lines.send({"id": number, "answer": answer})
                if what == "read" and not self.lines.waiting(IDLE_SECONDS):
                    _warm_up()
            except SeatrialError as error:
                self.lines.send({"id": number, "failed": type(error).__name__, "message": str(error)})
            except _ModelBroke as broke:
                self.lines.send({"id": number, "failed": "model", "message": str(broke)})

    def read(self, root: str) -> dict[str, Any]:
        """Read pipeline and policy, and tell what is decided by them."""
        project = Project.find(root)
        hold_to(project.limits)
        self.pipeline = project.pipeline()
        policy = self.policy = project.policy(self.pipeline)
        return {
            "name": self.pipeline.name,
            "path": list(self.pipeline.path),
            "dependencies": list(self.pipeline.dependencies),
            "policy_digest": policy.digest,
            "promote": policy.promote,
            "compares": bool(policy.promote) and (self.judges_quality() or policy.offered.margin is not None),
            "serves": self.pipeline.service is not None,
        }

    def load(
        self,
        *,
        model: str,
        reference: str,
        champion: str | None,
        champion_contract: dict[str, Any] | None,
        live: Sequence[str],
        only: Sequence[str] | None,
        skip: Sequence[str],
        seed: int,
    ) -> dict[str, Any]:
        """Load the version and what it is compared with, and tell what will be asked."""
        chosen = checks.named(only, skip=skip)
        trial = Trial(
            self.pipeline,
            Reference.load(reference),
            policy=self.policy,
            model_path=model,
            live=live or self.policy.live,
            champion_contract=_promised(champion_contract),
            champion_path=champion,
            seed=seed,
        )
        trial.model = self.model(model, "model")
        if self.judges_quality():
            trial.champion = self.model(champion, "promoted version's model")
        trial.on_progress = self.told
        self.trial = trial
        self.asked = {case: check for check, case in plan(chosen, trial)}
        return {
            "planned": [codec.question_out(q) for q in self.asked],
            "unasked": unasked(trial, {c.name for c in chosen}),
        }

    def judges_quality(self) -> bool:
        """Whether the models themselves are compared with the promoted version's, and not their services alone."""
        return any(stage.quality for stage in self.policy.stages.values())

    def model(self, path: str | None, what: str) -> Any:
        """Load a model. This is where its own code runs first."""
        try:
            return loaded(self.pipeline, path)
        except (Exception, SystemExit) as error:
            raise _ModelBroke(f"The {what} could not be loaded: {describe(error)}.") from error

    def run_case(self, number: int, asked: list[str | None]) -> None:
        """Ask one question and send its events."""
        case, self.now.asked = codec.question_in(asked), number
        with contextlib.suppress(OSError):  # nobody listens any more
            assert self.trial is not None
            for event in run_case(self.asked[case], self.trial, case):
                try:
                    self.lines.send({"id": number, "event": codec.event_out(event)})
                except (SeatrialError, TypeError, ValueError) as error:
                    why = f"what the check found cannot be told: {error}"
                    told = NotEvaluated(case.check, case.stage, why, crashed=True)
                    self.lines.send({"id": number, "event": codec.event_out(told)})
            self.lines.send({"id": number, "done": True})

    def told(self, done: int, of: int, what: str) -> None:
        """Send how far the question is that this thread was started for."""
        if (number := getattr(self.now, "asked", None)) is not None:
            with contextlib.suppress(OSError):
                self.lines.send({"id": number, "progress": [done, of, what]})


class _ModelBroke(Exception):
    """The code of a model raised."""


def unasked(trial: Trial, chosen: Collection[str]) -> list[str]:
    """Return which heavy weather was chosen and has no question in this trial, and why."""
    reasons = []
    if "load" in chosen and not trial.policy.slo:
        reasons.append("load: service.toml declares no [slo]")
    if "resilience" in chosen:
        from seatrial.checks.serving.matrix import why_not

        reasons += [f"resilience: {why}" for name in trial.pipeline.dependencies if (why := why_not(trial, name))]
    return reasons


def hold_to(limits: Limits) -> None:
    """Set the limits that the kernel holds each process to; those on all together are the guard's."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file_mb * MEBIBYTE),
        (resource.RLIMIT_DATA, (limits.memory_mb + RESERVED_MB) * MEBIBYTE),
    ):
        ours = resource.getrlimit(what)[1]
        allowed = most if ours == resource.RLIM_INFINITY else min(most, ours)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (allowed, allowed))
    with contextlib.suppress(OSError):  # where the machine has no memory left, the kernel ends us and not the worker
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _promised(given: Mapping[str, Any] | None) -> ChampionContract | None:
    if given is None:
        return None
    reference = given["reference"]
    return ChampionContract(**{**given, "reference": None if reference is None else Path(reference)})


def _warm_up() -> None:
    """Import what takes longest while the version is downloaded; in one thread, since parts of it import in circles."""
    with contextlib.suppress(Exception):  # whoever needs it hears of it
        from seatrial.checks.expectations.check import warm_up

        warm_up()


def main() -> None:
    """Serve the socket whose number was given, then end at once, whatever threads still run."""
    faulthandler.enable()
    import_sooner()
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    serving = Serving(LineChannel(end, codec.plain))
    try:
        serving.serve()
        if serving.trial is not None:
            serving.trial.close()
    except BaseException:  # noqa: BLE001  whatever it is, it is printed, and the process ends
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
