"""What stands in for the judge of a version where every case has an earlier result: nothing is loaded or started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seatrial.cache.plan import Plan
from seatrial.events import Attachment, Case, Event, Subject, Verdict, total
from seatrial.events.local import LocalEvidence
from seatrial.isolation.evidence import WORKER


@dataclass(frozen=True)
class Recalled:
    """The judge of an earlier, identical run.

    Attributes:
        plan: what was planned then.
        results: the events of every case.
        reference_digest: of the reference.
        policy_digest: of the policy.
        seed: of every random choice.
        local: nothing; what passed has no values to look into.
    """

    plan: Plan
    results: Mapping[Case, list[Event]]
    reference_digest: str
    policy_digest: str
    seed: int
    local: LocalEvidence
    broken: str | None = None
    not_run: tuple[str, ...] = ()

    @property
    def planned(self) -> tuple[Case, ...]:
        """All cases, in their order."""
        return self.plan.cases

    @property
    def record(self) -> Attachment:
        """Where the stages ran then, as a file of the results."""
        return Attachment("run", None, WORKER, self.plan.worker.encode())

    def verdict(
        self, events: Iterable[Event], planned: Sequence[Case], *, subject: Subject, seconds: float = 0.0
    ) -> Verdict:
        """Sum the events up, as the judge itself does."""
        plan = self.plan
        return total(
            events, subject=subject, path=plan.path, planned=planned, seed=self.seed, seconds=seconds,
            reference_digest=self.reference_digest, policy_digest=self.policy_digest,
            dependencies=plan.dependencies, optional=plan.optional,
        )  # fmt: skip
