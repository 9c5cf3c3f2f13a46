"""What a reference and a policy say of one seeded fault, in a child process.

First the kernel: a fault is killed by the first stage whose answer is not as in training, alone and then in the chain.
That is what the checkpoint of the expectations check judges, and that check is an error wherever the two disagree. What
the kernel lets through is compared with the path as it is, bit by bit, on the reference and on the candidates:
where nothing differs it is equivalent. Whatever is left is asked of the checks themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from seatrial.engine import run
from seatrial.errors import StageError
from seatrial.events import Outcome, Severity
from seatrial.mutation.candidates import Candidates
from seatrial.mutation.equivalence import unlike
from seatrial.mutation.inputs import feeds
from seatrial.mutation.results import EQUIVALENT, KILLED, STILLBORN, SURVIVED, UNSEEDED
from seatrial.mutation.seeded import FrameFault, Inapplicable, NoFault, Seeded
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline, describe
from seatrial.policy.policy import Policy
from seatrial.reference.snapshot import Reference
from seatrial.trial import Trial

CHECKS = ("expectations", "golden", "invariants")  # that a replay can ask
OPEN = "open"  # the kernel sees nothing alone or in the chain
CHAINED = "chained"  # it sees a difference in the chain alone: whose it is, the golden check tells
KEPT = 5  # rows remembered of those in which a survivor differs
Say = Callable[[str], None]


@dataclass(frozen=True)
class Room:
    """Everything an exam needs; loaded once, and lent to every child."""

    pipeline: Pipeline
    reference: Reference
    policy: Policy
    model: Any
    clients: Mapping[str, Any]
    candidates: Candidates | None = None
    seed: int = 0

    def trial(self, pipeline: Pipeline) -> Trial:
        """Return a trial of a pipeline on the reference."""
        trial = Trial(pipeline, self.reference, policy=self.policy, model=self.model, seed=self.seed)
        trial.once("clients", lambda: self.clients)
        return trial


def by_kernel(room: Room, seeded: Seeded, say: Say) -> dict[str, Any]:
    """Return what comparing with training says: killed, stillborn, unseeded, open or chained."""
    try:
        pipeline = seeded.plant(room.pipeline)
        trial = room.trial(pipeline)
    except Exception as error:  # noqa: BLE001  a mutant that cannot even be loaded was never on trial
        return {"outcome": STILLBORN, "how": f"it raises {describe(error)} while it loads"}
    return _alone(trial, seeded, say) or _in_the_chain(trial, say)


def _alone(trial: Trial, seeded: Seeded, say: Say) -> dict[str, Any] | None:
    for stage in seeded.stages:
        say(stage)
        try:
            parity = trial.parity(stage)
        except StageError as error:
            if _inapplicable(error):
                return {"outcome": UNSEEDED, "how": "the frame does not take it"}
            return {"outcome": KILLED, "stage": error.stage, "how": str(error)}
        if not parity.ok:
            bad = next((c.column for c in parity.columns if not c.ok), "its keys or columns")
            return {"outcome": KILLED, "stage": stage, "how": f"{bad} differs"}
    return None


def _in_the_chain(trial: Trial, say: Say) -> dict[str, Any]:
    for stage in trial.pipeline.stages:
        say(stage)
        try:
            if not trial.parity(stage, "chained").ok:
                return {"outcome": CHAINED}
        except StageError:
            return {"outcome": CHAINED}
    return {"outcome": OPEN}


def by_checks(room: Room, seeded: Seeded, say: Say, *, chained: bool = False) -> dict[str, Any]:
    """Return what a closer look says of what the kernel left open: equivalent, killed or survived.

    Args:
        room: the exam's.
        seeded: what the kernel did not kill.
        say: tells how far this is.
        chained: the kernel saw a difference in the chain.
    """
    say("rows beyond the reference")
    asked = list(feeds(room.pipeline, seeded.stages, room.reference, room.candidates))
    ask: Mapping[str, Any] = {"model": room.model, "clients": room.clients}
    before = [feed.answers(room.pipeline, **ask) for feed in asked]  # while the modules are still as they were
    pipeline = seeded.plant(room.pipeline)
    differs: list[str] = []
    killers: set[int] = set()
    for feed, originals in zip(asked, before, strict=True):
        changed = feed.answers(pipeline, **ask)
        found = [u for x, y in zip(originals, changed, strict=True) if (u := unlike(x, y, pipeline.key))]
        if found:
            rows = sum(len(u.keys) for u in found)
            differs.append(f"{feed.what}: {found[0].what}{f' ({rows:,} rows)' if rows else ''}")
            held = partial(_parity, room, feed.stage)
            killers |= {n for x, y in zip(originals, changed, strict=True) for n in feed.killers(x, y, held)}
    if not differs and not chained:
        return {"outcome": EQUIVALENT}
    say("checks")
    checks = _left_to_ask(room, seeded, chained=chained)
    verdict = run(pipeline, room.reference, checks, model=room.model, policy=room.policy, seed=room.seed)
    if verdict.outcome is not Outcome.PASS:
        return {"outcome": KILLED, "stage": verdict.first_failing_stage, "how": verdict.summary}
    told = sorted({f.message for f in verdict.findings if f.severity is Severity.WARNING})
    return {"outcome": SURVIVED, "differs": differs, "killers": sorted(killers)[:KEPT], "told": told}


def _left_to_ask(room: Room, seeded: Seeded, *, chained: bool) -> list[str]:
    """Return the checks that can still tell a fault which the kernel sees nothing of.

    A fault on a frame is put on each batch anew, which invariants would see and which is no part of the fault.
    """
    own = any(room.policy.of(stage).expectations for stage in seeded.stages)
    asked = ["expectations"] if own or chained else []
    return [*asked, "golden", *([] if isinstance(seeded, FrameFault) else ["invariants"])]


def _parity(room: Room, stage: str, original: pd.DataFrame, changed: pd.DataFrame) -> Parity:
    own = room.policy.of(stage).tolerances
    return compare(
        original, changed, key=room.pipeline.key, tolerances={c: t for c, t in own.items() if c in original.columns},
        worst=KEPT, distributions=False,
    )  # fmt: skip


def unharmed(room: Room, say: Say) -> dict[str, Any]:
    """Ask every check of the pipeline as it is: what fails without a fault can say nothing of one."""
    say("checks")
    pipeline = NoFault(room.pipeline.stages).plant(room.pipeline)
    verdict = run(pipeline, room.reference, CHECKS, model=room.model, policy=room.policy, seed=room.seed)
    return {"outcome": verdict.outcome.value, "how": verdict.summary}


def _inapplicable(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, Inapplicable):
            return True
        error = error.__cause__
    return False
