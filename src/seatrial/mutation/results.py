"""The result of a mutation test: the outcome of each mutant, and the mutation score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import pandas as pd

from seatrial.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from seatrial.worker.reachability import Unmutated

KILLED, SURVIVED, EQUIVALENT, STILLBORN = "killed", "survived", "equivalent", "stillborn"
INAPPLICABLE = "inapplicable"


@dataclass(frozen=True)
class MutantResult:
    """One mutant and its outcome.

    Attributes:
        name: what was changed, and where.
        kind: ``code`` or ``frame``.
        stages: the stages it is in; several reach a helper that they share.
        outcome: ``killed``; ``survived``: it changes results and the verdict was pass; ``equivalent``: it changed no
            result on any input; ``stillborn``: the changed code does not load; ``inapplicable``: its operator cannot
            be applied to the frame.
        reported_stage: the stage that the verdict names, for a killed one.
        reason: why it was killed.
        file: of a code mutant, with its line from 1 and the removed and added lines.
        differences: where a survivor's results differ, one sentence each.
        rows: requests that would have killed it, by their number among the candidates.
        origins: where those requests come from.
        warnings: what the checks reported of a survivor without failing it.
    """

    name: str
    kind: str
    stages: tuple[str, ...]
    outcome: str
    reported_stage: str | None = None
    reason: str = ""
    file: str = ""
    line: int = 0
    diff: str = ""
    differences: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    origins: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def in_right_stage(self) -> bool:
        """Whether the verdict names a stage that the mutant is in."""
        return self.reported_stage in self.stages


@dataclass(frozen=True)
class Tally:
    """Counts of some mutants. A share of nothing is NaN.

    Example::

        report.tally("features").mutation_score
    """

    mutants: Sequence[MutantResult] = field(repr=False)

    def count(self, outcome: str) -> int:
        """Return how many have this outcome."""
        return sum(m.outcome == outcome for m in self.mutants)

    @property
    def scored(self) -> int:
        """Mutants that count towards the score: killed and survived."""
        return self.count(KILLED) + self.count(SURVIVED)

    @property
    def mutation_score(self) -> float:
        """Killed divided by killed and survived, 0 to 1."""
        return self.count(KILLED) / self.scored if self.scored else float("nan")

    @property
    def right_stage_share(self) -> float:
        """Share of the killed mutants for which the verdict names the right stage, 0 to 1."""
        killed = self.count(KILLED)
        return sum(m.in_right_stage for m in self.mutants if m.outcome == KILLED) / killed if killed else float("nan")


@dataclass(frozen=True)
class MutationReport:
    """The result of a mutation test.

    Attributes:
        pipeline: its name.
        stages: in path order.
        mutants: one result a mutant.
        minimum: the mutation score to reach, 0 to 1.
        candidates: rows beyond the reference on which equivalence was decided; 0 with the reason in ``remark``.
        available: how many mutants there were to sample from.
        seed: of the sample and the candidates.
        seconds: that the test took.
        remark: what could not be done.
        requests: the candidates' requests, by number; None where there are none.
        unmutated: code that the stages reach and that was not mutated, with the reason.
        without_code: code was to be mutated, and there was none that could be.
    """

    pipeline: str
    stages: tuple[str, ...]
    mutants: tuple[MutantResult, ...]
    minimum: float
    reference_digest: str
    policy_digest: str
    candidates: int = 0
    available: int = 0
    seed: int = 0
    seconds: float = 0.0
    remark: str = ""
    requests: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    unmutated: tuple[Unmutated, ...] = ()
    without_code: bool = False

    def tally(self, stage: str | None = None, kind: str | None = None) -> Tally:
        """Count the mutants of a stage (the first that a mutant is in) or of a kind; all by default."""
        return Tally([
            m for m in self.mutants if (stage is None or m.stages[:1] == (stage,)) and (kind is None or m.kind == kind)
        ])  # fmt: skip

    @property
    def survivors(self) -> tuple[MutantResult, ...]:
        """The mutants that would have been released."""
        return tuple(m for m in self.mutants if m.outcome == SURVIVED)

    @property
    def inconclusive(self) -> str:
        """Why the score says nothing; empty where it does."""
        if self.without_code:
            return "no code of any stage can be mutated"
        return "" if self.tally().scored else "no mutant changes a result"

    @property
    def exit_code(self) -> int:
        """0 when the score reaches the minimum, 1 when it does not, 2 when it is computed over nothing."""
        if self.inconclusive:
            return EXIT_INCONCLUSIVE
        return EXIT_PASS if self.tally().mutation_score >= self.minimum else EXIT_FAIL

    def to_json(self) -> str:
        """Return everything as strict JSON text; no cell of any row is in it."""
        tally = self.tally()
        body = asdict(replace(self, requests=None)) | {
            "killed": tally.count(KILLED),
            "survived": tally.count(SURVIVED),
            "equivalent": tally.count(EQUIVALENT),
            "stillborn": tally.count(STILLBORN),
            "mutation_score": tally.mutation_score if tally.scored else None,
            "right_stage_share": tally.right_stage_share if tally.count(KILLED) else None,
        }
        del body["requests"]
        return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
