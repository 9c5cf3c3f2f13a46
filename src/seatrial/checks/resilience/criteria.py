"""The criteria of resilience, each by itself: what must hold of a service whose dependency is broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from seatrial.checks.resilience.observation import Observation
from seatrial.faults.scenario import Scenario
from seatrial.faults.scenarios import WITHIN
from seatrial.loadgen.estimates import exceeds_share
from seatrial.loadgen.results import TIMED_OUT
from seatrial.policy.service import Slo

CRITERIA = (
    "fired", "no-5xx", "labelled", "fallback-value", "whole", "deadline", "bystanders", "breaker", "pool",
    "amplification", "healed", "leaked",
)  # fmt: skip
NEEDLESS = 0.05  # share of degraded answers that is allowed where nothing is lost
LATE = 0.05  # share of the deadline by which the generator may be late itself
SLACK = 2  # sockets or threads, and calls in a second, that are no leak and no storm

ADVICE = {
    "no-5xx": "Catch what the client raises where it is asked, and give the declared fallback.",
    "labelled": "Set the flag and the reason on the path that falls back: who is told nothing trusts the answer.",
    "fallback-value": "Make the degraded answer as the declared fallback does, from the same code.",
    "whole": "The dependency answered in time: look for a shorter deadline, or waits that use it up.",
    "deadline": "Give the call a total deadline, connecting and waiting for a connection included.",
    "bystanders": "Keep apart what does not need it: no shared pool of threads, no blocking call in the event loop.",
    "breaker": "Open a circuit breaker when answers are slow, not only when they fail.",
    "pool": "Bound the pool, overflow included, and refuse quickly when it is empty.",
    "amplification": "Retry in one layer only, once, within a budget.",
    "healed": "Look for a breaker that stays open, connections not replaced, queues that outlive the fault.",
    "leaked": "Close connections also when a call is given up, and bound the threads that wait.",
}


@dataclass(frozen=True)
class Broken:
    """A criterion that does not hold; ``evaluated`` is false where it could not be told."""

    criterion: str
    words: str
    count: int = 0
    of: int = 0
    evaluated: bool = True
    evidence: dict[str, Any] = field(default_factory=dict)


def under_fault(row: Scenario, seen: Observation, slo: Slo | None) -> Iterator[Broken]:
    """Yield what does not hold while the fault lasts."""
    if not seen.hits:
        yield Broken("fired", "the fault did not fire: nothing was shown", evaluated=False)
        return
    yield from _status(seen)
    yield from _values(seen)
    late = lateness(seen)
    for broken in (_whole(row, seen), _deadline(seen), *_bystanders(seen, slo), _breaker(row, seen)):
        if broken is not None:
            yield broken if not late else Broken(broken.criterion, f"{broken.words}, but {late}", evaluated=False)
    if not row.whole and (ratio := storm(seen)) > seen.ground.loss.amplification:
        yield Broken(
            "amplification",
            f"the dependency was called {ratio:.1f} times a request within one second, allowed are "
            f"{seen.ground.loss.amplification:g}",
        )
    yield from pool(seen)


def storm(seen: Observation) -> float:
    """Return the most calls a request within a second, a few calls for granted."""
    return max(0.0, seen.watched.storm(seen.run.scheduled, before=seen.ground.loss.deadline) - SLACK / 10)


def pool(seen: Observation) -> Iterator[Broken]:
    """Yield more connections than declared."""
    most = seen.ground.loss.connections
    if most is not None and seen.watched.most > most:
        yield Broken("pool", f"{seen.watched.most} connections to it were open at once, declared are {most}")


def lateness(seen: Observation) -> str:
    """Return in words that the generator was late itself, or the empty string."""
    lags = seen.run.lags[np.isfinite(seen.run.lags)]
    lag, most = float(np.quantile(lags, 0.99)) if len(lags) else np.inf, LATE * seen.ground.loss.deadline
    return (
        f"the generator itself was {lag * 1e3:,.0f} ms late (p99), allowed are {most * 1e3:,.0f}" if lag > most else ""
    )


def _status(seen: Observation) -> Iterator[Broken]:
    status, outcome = seen.run.status, np.isfinite(seen.seconds)
    for words, wrong in (
        ("got a 5xx", status >= 500),
        ("were refused with a 4xx", (status >= 400) & (status < 500)),
        ("got an answer that cannot be read", outcome & (status >= 200) & (status < 300) & ~seen.answered),
        ("lost their connection to the service", ~outcome & (seen.run.outcome != TIMED_OUT)),
    ):
        if count := int(wrong.sum()):
            codes = sorted({int(s) for s in status[wrong] if s})
            yield Broken("no-5xx", words, count, len(seen.run), evidence={"statuses": codes} if codes else {})


def _values(seen: Observation) -> Iterator[Broken]:
    users = seen.answered & seen.uses
    flagged = users & seen.labelled
    silent = users & ~seen.labelled & ~seen.whole
    of = int(users.sum())
    if seen.ground.fallback is None:
        if silent.any():
            yield Broken("labelled", "differ from the recorded answers and do not say so", int(silent.sum()), of)
        if flagged.any():
            yield Broken(
                "fallback-value", "no fallback is declared, so degraded answers were not compared", evaluated=False
            )
    else:
        if (unsaid := silent & seen.fallen).any():
            yield Broken(
                "labelled",
                f"carry the fallback's values without '{seen.ground.loss.label}': true",
                int(unsaid.sum()),
                of,
            )
        if (other := silent & ~seen.fallen).any():
            yield Broken("fallback-value", "are neither whole nor the fallback, and unlabelled", int(other.sum()), of)
        if (wrong := flagged & ~seen.fallen).any():
            yield Broken(
                "fallback-value",
                "are labelled and not what the declared fallback gives",
                int(wrong.sum()),
                int(flagged.sum()),
            )
    if (mute := flagged & ~seen.reasoned).any():
        yield Broken("labelled", f"are degraded without a '{seen.ground.loss.reason}'", int(mute.sum()), of)


def _whole(row: Scenario, seen: Observation) -> Broken | None:
    degraded, of = int((seen.uses & seen.labelled).sum()), int(seen.uses.sum())
    if not (row.whole and exceeds_share(degraded, of, NEEDLESS)):
        return None
    words, left = "were degraded though the dependency answered in time", (1 - WITHIN) * seen.ground.loss.timeout
    if seen.usual > left:
        words += f", but {left * 1e3:,.0f} ms are left of its time-out, and without a fault answers took "
        return Broken("whole", f"{words}{seen.usual * 1e3:,.0f} ms (p95)", degraded, of, evaluated=False)
    return Broken("whole", words, degraded, of)


def _deadline(seen: Observation) -> Broken | None:
    over = seen.seconds > seen.ground.loss.deadline
    never = int((seen.run.outcome == TIMED_OUT).sum())
    if never or exceeds_share(int(over.sum()), len(over), 0.01):
        took = f"{never} never came" if never else f"the slowest took {seen.seconds.max() * 1e3:,.0f} ms"
        words = f"took longer than the deadline of {seen.ground.loss.deadline * 1e3:,.0f} ms; {took}"
        return Broken("deadline", words, int(over.sum()), len(over))
    return None


def _bystanders(seen: Observation, slo: Slo | None) -> Iterator[Broken | None]:
    limit = slo.limit_seconds if slo else seen.ground.loss.deadline
    allowed = 1 - (slo.percentile if slo else 0.99)
    by = ~seen.uses
    if changed := int((by & seen.answered & ~seen.whole).sum()):
        yield Broken("bystanders", "do not use the dependency and were answered otherwise", changed, int(by.sum()))
    parts: dict[str, np.ndarray] = {"that do not use it": seen.seconds[by]}
    parts |= {f"of '{path}'": run.latencies for path, run in seen.others.items()}
    for words, seconds in parts.items():
        over = int((seconds > limit).sum())
        if exceeds_share(over, len(seconds), allowed):
            yield Broken("bystanders", f"{words} took longer than {limit * 1e3:,.0f} ms or failed", over, len(seconds))


def _breaker(row: Scenario, seen: Observation) -> Broken | None:
    if not (row.waits and seen.ground.loss.breaker):
        return None
    later = seen.uses & (seen.run.scheduled > seen.run.scheduled[-1] / 2)
    waited = later & (seen.seconds > 0.8 * seen.ground.loss.timeout)
    if exceeds_share(int(waited.sum()), int(later.sum()), 0.5):  # a breaker tries again now and then
        words = "still waited for the dependency in the second half of the fault: nothing leaves it alone"
        return Broken("breaker", words, int(waited.sum()), int(later.sum()))
    return None


State = Literal["held", "broken", "not judged"]


def states(row: Scenario, seen: Observation, broken: list[Broken]) -> dict[str, State]:
    """Return what became of each criterion, for the table of the matrix."""
    found: dict[str, State] = dict.fromkeys(CRITERIA, "held" if seen.hits else "not judged")
    if not row.whole:
        found["whole"] = "not judged"
    if row.whole or row.name == "down":  # attempts at a closed port cannot be counted
        found["amplification"] = "not judged"
    if not row.waits or not seen.ground.loss.breaker:
        found["breaker"] = "not judged"
    if seen.ground.loss.connections is None:
        found["pool"] = "not judged"
    for each in broken:
        if found.get(each.criterion) != "broken":
            found[each.criterion] = "broken" if each.evaluated else "not judged"
    return found
