"""What an exam found, fault by fault, and the sums of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from seatrial.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS

KILLED, SURVIVED, EQUIVALENT, STILLBORN, UNSEEDED = "killed", "survived", "equivalent", "stillborn", "unseeded"


@dataclass(frozen=True)
class MutantResult:
    """One fault and what became of it.

    Attributes:
        name: what was seeded, where.
        kind: ``mutant`` of the code, or ``frame`` for a fault on a stage's answer.
        stages: the stages it is in; several reach a helper that they share.
        outcome: ``killed``; ``survived``: it changes answers and the verdict was pass; ``equivalent``: it changed
            nothing anywhere; ``stillborn``: the changed code does not load; ``unseeded``: the frame does not take it.
        named: the stage that the verdict names, for a killed one.
        how: why it was killed.
        file: of a mutant, with its line from 1 and the lines taken out and put in.
        differs: where a survivor's answers are others, in words.
        rows: requests that would have killed it, by their number among the candidates.
        origins: where those come from.
        told: what the checks said of a survivor without failing it.
    """

    name: str
    kind: str
    stages: tuple[str, ...]
    outcome: str
    named: str | None = None
    how: str = ""
    file: str = ""
    line: int = 0
    diff: str = ""
    differs: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    origins: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """The verdict names a stage that the fault is in."""
        return self.named in self.stages


@dataclass(frozen=True)
class Tally:
    """Counts of some answers; shares are of those that count, and 1 of nothing is NaN."""

    answers: Sequence[MutantResult] = field(repr=False)

    def count(self, outcome: str) -> int:
        """Return how many ended so."""
        return sum(a.outcome == outcome for a in self.answers)

    @property
    def counting(self) -> int:
        """Faults that a reference can kill: killed and survived."""
        return self.count(KILLED) + self.count(SURVIVED)

    @property
    def kill_share(self) -> float:
        """Killed among those that count."""
        return self.count(KILLED) / self.counting if self.counting else float("nan")

    @property
    def right_share(self) -> float:
        """Killed in the right stage among the killed."""
        killed = self.count(KILLED)
        return sum(a.right for a in self.answers if a.outcome == KILLED) / killed if killed else float("nan")


@dataclass(frozen=True)
class MutationReport:
    """The result of an exam.

    Attributes:
        pipeline: its name.
        stages: in path order.
        answers: one a fault.
        minimum: the kill share asked for.
        candidates: how many rows beyond the reference settled equivalence; 0 with the reason in ``remark``.
        seeded_of: how many faults there were to draw from.
        seed: of the draw and the candidates.
        seconds: that it took.
        remark: what could not be done.
    """

    pipeline: str
    stages: tuple[str, ...]
    answers: tuple[MutantResult, ...]
    minimum: float
    reference_digest: str
    policy_digest: str
    candidates: int = 0
    seeded_of: int = 0
    seed: int = 0
    seconds: float = 0.0
    remark: str = ""

    def tally(self, stage: str | None = None, kind: str | None = None) -> Tally:
        """Count the answers of a stage (the first that a fault is in) or a kind; all by default."""
        return Tally([
            a for a in self.answers if (stage is None or a.stages[:1] == (stage,)) and (kind is None or a.kind == kind)
        ])  # fmt: skip

    @property
    def survivors(self) -> tuple[MutantResult, ...]:
        """The faults that would have been released."""
        return tuple(a for a in self.answers if a.outcome == SURVIVED)

    @property
    def exit_code(self) -> int:
        """0 when enough were killed, 1 when not, 2 when there was nothing to kill."""
        tally = self.tally()
        if not tally.counting:
            return EXIT_INCONCLUSIVE
        return EXIT_PASS if tally.kill_share >= self.minimum else EXIT_FAIL

    def to_json(self) -> str:
        """Return everything as strict JSON text; no cell of any row is in it."""
        tally = self.tally()
        body = asdict(self) | {
            "killed": tally.count(KILLED),
            "survived": tally.count(SURVIVED),
            "equivalent": tally.count(EQUIVALENT),
            "stillborn": tally.count(STILLBORN),
            "kill_share": tally.kill_share if tally.counting else None,
            "right_stage_share": tally.right_share if tally.count(KILLED) else None,
        }
        return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
