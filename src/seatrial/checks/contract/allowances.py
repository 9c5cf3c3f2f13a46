"""What a project allows of single probes, each with a reason: what the model's author cannot mend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from seatrial.checks.contract.judge import Problem
from seatrial.errors import nearest
from seatrial.events import Finding, Severity
from seatrial.pipeline import SERVICE
from seatrial.targets.probes.base import Probe


def allowed(problem: Problem, allow: Mapping[str, str]) -> Problem:
    """Return the problem of a probe, as information with the reason where the project allows it.

    That a request of the reference gets no answer is no limit of a server, and cannot be allowed.

    Args:
        problem: what a probe shows.
        allow: the reasons, by description of the probe, by its cause, or by that of the finding.
    """
    if not problem.allowable:
        return problem
    for name in (problem.description, problem.probe, problem.cause):
        if reason := allow.get(name):
            detail = "; ".join(filter(None, [problem.detail.rstrip("."), f"allowed: {reason.rstrip('.')}"]))
            return replace(problem, detail=detail, severity=Severity.INFO)
    return problem


def misspelt_allowances(name: str, allow: Iterable[str], sent: Sequence[Probe]) -> Iterator[Finding]:
    """Yield a warning for each allowance that names a probe which was not sent.

    A name without a space is that of a cause, which a later answer may have.
    """
    known = dict.fromkeys([*(p.description for p in sent), *(p.cause for p in sent)])
    for probe in allow:
        if " " in probe and probe not in known:
            yield Finding(
                name, SERVICE,
                f"[contract.allow] names the probe '{probe}', and no such probe was sent.{nearest(probe, known)}",
                severity=Severity.WARNING, cause="allowance",
                advice="Copy the description of the probe from a finding, or remove the allowance.",
            )  # fmt: skip
